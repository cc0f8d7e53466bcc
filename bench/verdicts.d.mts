import type { Summary } from "./rounds.mjs";

export interface Target {
  readonly rate?: number;
  readonly cpu?: number;
  readonly cpuEach?: number;
  readonly p99?: number;
}
export interface Row extends Summary {
  readonly name: string;
  readonly kind: "ours" | "spike" | "peer";
  /** Major version, for what runs on Node. */
  readonly node?: string | undefined;
  readonly target?: Target | undefined;
  readonly problem?: string | undefined;
  /** It could not take part: not installed, not here. */
  readonly absent?: boolean | undefined;
  readonly marks: readonly string[];
}
export interface Check {
  readonly what: "rate" | "cpu" | "cpuServer" | "cpuWorker" | "p99" | "serverMemory" | "milliseconds";
  readonly wanted: number;
  readonly got: number | undefined;
  /** Undefined: not judged. */
  readonly met: boolean | undefined;
}
export interface Verdict {
  /** Indexes of rows. */
  readonly ours: number;
  readonly peer?: number;
  readonly rate?: number | undefined;
  readonly cpu?: number | undefined;
  readonly checks: readonly Check[];
}
export declare function verdicts(
  rows: readonly Row[],
  limits?: { readonly serverMemory?: number },
): Verdict[];
