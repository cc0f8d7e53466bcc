// The flags by which Node runs the TypeScript of this checkout (register.mjs), from any working directory.
export const LOADER = ["--import", new URL("register.mjs", import.meta.url).href];
