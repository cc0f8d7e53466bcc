import type { Run } from "./kept.mjs";

export declare function withResults(document: string, runs: readonly Run[], names: readonly string[]): string;
