/** How one test file went. */
export interface FileResult {
  readonly path: string;
  readonly seconds: number;
  /** The end of what it printed. */
  readonly output: string;
  readonly tally: {
    readonly passed: number;
    readonly failures: readonly { readonly name: string; readonly text: string }[];
    readonly skips: readonly { readonly name: string; readonly reason: string }[];
  };
}
/** Runs one test file; `limit` is how many milliseconds of an idle machine may pass without any sign of life. */
export function runFile(root: string, path: string, limit?: number): Promise<FileResult>;
