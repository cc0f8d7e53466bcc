import type { Row, Verdict } from "./verdicts.mjs";

export interface Comparison {
  readonly name: string;
  readonly python: string;
  readonly connections: number;
  readonly unit?: string;
  readonly rows: readonly Row[];
  readonly verdicts: readonly Verdict[];
}
export interface Table {
  readonly head: readonly string[];
  readonly rows: readonly (readonly string[])[];
}
export declare function comparisonTable(comparison: Comparison): Table;
export declare function asText(table: Table): string;
export declare function asMarkdown(table: Table): string;
