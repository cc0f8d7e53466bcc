/** The flags by which Node runs the TypeScript of this checkout, from any working directory. */
export const LOADER: readonly string[];
