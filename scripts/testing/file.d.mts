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
/** Runs one test file; `silence` is how many milliseconds may pass without any test beginning or ending. */
export function runFile(root: string, path: string, silence?: number): Promise<FileResult>;
