export interface Work {
  readonly path?: string;
  /** Bytes that each request sends; then it is a POST. */
  readonly upload?: number;
}
export interface Seen {
  readonly requests: number;
  readonly rate: number;
  /** Milliseconds. */
  readonly p50: number | undefined;
  readonly p99: number | undefined;
  readonly failures: number;
}
export declare function wrkArguments(url: string, work: Work, connections: number, seconds: number): string[];
export declare function parseWrk(text: string): Seen;
