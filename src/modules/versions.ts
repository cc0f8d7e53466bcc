// Modules of this process, loaded anew for each version of an application: the URL of its first module gets a number, which
// every module that it imports inherits. Modules of earlier versions stay in memory until the server ends, since Node
// forgets none.
// Tested by test/server/reload.test.ts.
import { createRequire, register } from "node:module";
import { extname, sep } from "node:path";
import { fileURLToPath } from "node:url";
import { inherit, VERSION_PARAMETER } from "./hooks.ts";

type Resolve = (specifier: string, context: { parentURL?: string }, next: Next) => { url: string };
type Next = (specifier: string, context: unknown) => { url: string };

/** Since Node 22.15 and 23.5; in the thread of the application, so that what was loaded can be seen. */
const { registerHooks } = process.getBuiltinModule("node:module") as unknown as {
  registerHooks?: (hooks: { resolve: Resolve }) => void;
};
const INSTALLED = `${sep}node_modules${sep}`;

let versions = 0;
const loaded = new Set<string>();

/** The query for a new version of all modules that are not installed packages. */
export function newVersion(): string {
  if (versions === 0) hook();
  forgetRequired();
  return `?${VERSION_PARAMETER}=${++versions}`;
}

/** Files of the application's modules, as far as this version of Node tells. */
export function loadedFiles(): string[] {
  const required = Object.keys(createRequire(import.meta.url).cache).filter(isOwn);
  return [...new Set([...loaded, ...required])];
}

function hook(): void {
  if (!registerHooks) return register(new URL(`./hooks${extname(import.meta.url)}`, import.meta.url));
  registerHooks({
    resolve(specifier, context, next) {
      const found = next(specifier, context);
      const url = inherit(found.url, context.parentURL);
      if (url !== found.url) loaded.add(fileURLToPath(found.url));
      return { ...found, url };
    },
  });
}

/** CommonJS, and TypeScript that Node cannot strip, are kept by their file's name alone. */
function forgetRequired(): void {
  const { cache } = createRequire(import.meta.url);
  for (const file of Object.keys(cache)) if (isOwn(file)) delete cache[file];
}

const isOwn = (file: string): boolean => !file.includes(INSTALLED);
