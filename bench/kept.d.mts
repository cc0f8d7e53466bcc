import type { Comparison } from "./tables.mjs";

export interface Run {
  /** ISO 8601. */
  readonly date: string;
  readonly machine: { readonly processors: number; readonly model: string };
  readonly nodes: readonly { readonly version: string }[];
  readonly pythons: readonly { readonly version: string; readonly peers: Readonly<Record<string, string>> }[];
  readonly missing: readonly string[];
  readonly comparisons: readonly Comparison[];
}
export declare function newest(
  runs: readonly Run[],
  what: "comparisons",
  names: readonly string[],
): (Comparison & { readonly run: Run })[];
export declare function daysMet(runs: readonly Run[]): Map<string, Set<string>>;
