import type { Comparison } from "./tables.mjs";

export declare function chart(
  comparisons: readonly Comparison[],
  shown: { readonly names: readonly string[]; readonly node: string },
): string;
