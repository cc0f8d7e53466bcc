export declare function parsePaced(text: string): {
  readonly requests: number;
  readonly failures: number;
  readonly p50?: number;
  readonly p99?: number;
};
