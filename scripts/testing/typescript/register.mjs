// `node --import ./scripts/testing/typescript/register.mjs FILE.ts`: runs TypeScript of this checkout, compiled once for all
// processes (code.mjs).
import * as nodeModule from "node:module";

// Stacks name the lines of the sources.
process.setSourceMapsEnabled(true);
// In this thread where Node can, which costs less than one of their own.
if (nodeModule.registerHooks) nodeModule.registerHooks(await import("./hooks.mjs"));
else nodeModule.register("./hooks.mjs", import.meta.url);
