export interface Parts {
  readonly server?: number | undefined;
  readonly worker?: number | undefined;
  readonly all?: number | undefined;
}
export interface Round {
  readonly rate: number;
  readonly p50?: number | undefined;
  readonly p99?: number | undefined;
  readonly cpu?: Parts;
  readonly memory?: Parts | undefined;
  readonly failures: number;
}
export interface Summary {
  readonly rate: number | undefined;
  readonly p50: number | undefined;
  readonly p99: number | undefined;
  readonly cpu: Parts;
  readonly memory: Parts;
  readonly failures: number;
  readonly rates: readonly number[];
}
export declare function median(values: readonly number[]): number;
export declare function summary(rounds: readonly Round[]): Summary;
