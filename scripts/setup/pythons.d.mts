/** One CPython interpreter of this machine, checked by running it. */
export interface Python {
  readonly path: string;
  /** "3.12.1" */
  readonly version: string;
  readonly minor: number;
  /** Whether it can make virtual environments by itself. */
  readonly ensurepip: boolean;
}
/** Every supported interpreter, newest first, one for each minor version; with the root of the checkout also those in its cache. */
export function findPythons(root?: string): Python[];
