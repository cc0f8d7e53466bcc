import type { Run } from "./kept.mjs";

export interface Ratios {
  readonly comparison: string;
  readonly python: string;
  readonly node?: string | undefined;
  readonly peer: string;
  readonly what: string;
  readonly wanted: number;
  /** By date, YYYY-MM-DD. */
  readonly days: Readonly<Record<string, number>>;
}
export declare function readHistory(): Ratios[];
export declare function writeHistory(history: readonly Ratios[]): void;
export declare function withRuns(history: readonly Ratios[], runs: readonly Run[]): Ratios[];
export declare function withDays(
  document: string,
  history: readonly Ratios[],
  names: readonly string[],
): string;
