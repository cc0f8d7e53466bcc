import type { Ratios } from "./history.mjs";
import type { Run } from "./kept.mjs";

export declare function withResults(
  document: string,
  runs: readonly Run[],
  names: readonly string[],
  history?: readonly Ratios[],
): string;
