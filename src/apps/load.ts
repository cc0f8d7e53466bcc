// From a file with a TypeScript or JavaScript module to the gateway that its default export means.
import { execFile } from "node:child_process";
import { access, readFile } from "node:fs/promises";
import { basename, extname, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { isModuleNamespaceObject } from "node:util/types";
import type { Jiti } from "jiti";
import { type Gateway, SallyportError } from "../exchange/index.ts";
import { thrownOf } from "../exchange/thrown.ts";
import { checkArgument, checkOptions, must } from "../options/checks.ts";
import { gatewayOfExport, type LoadOptions } from "./load-kind.ts";
import { APP_CHECKS, type AppOptions } from "./node.ts";
import { ownStack, withoutFrames } from "./stack.ts";

type Module = Readonly<Record<string, unknown>>;

const TYPESCRIPT: ReadonlySet<string> = new Set([".ts", ".mts", ".cts"]);
/** Node strips types by itself since 22.18 and 23.6. */
const strips = Boolean((process.features as { typescript?: unknown }).typescript);
/** Of every Node that strips types. */
const { findPackageJSON } = process.getBuiltinModule("node:module") as unknown as {
  findPackageJSON?: (specifier: URL) => string | undefined;
};
const NEEDS_COMPILER: ReadonlySet<string | undefined> = new Set([
  "ERR_UNSUPPORTED_TYPESCRIPT_SYNTAX",
  "ERR_UNSUPPORTED_NODE_MODULES_TYPE_STRIPPING",
]);
const NOT_FOUND: ReadonlySet<string> = new Set([
  "ERR_MODULE_NOT_FOUND",
  "ERR_UNSUPPORTED_DIR_IMPORT",
  "MODULE_NOT_FOUND",
]);
/** How long the syntax check of one file may take, in milliseconds. */
const CHECK_TIMEOUT = 10_000;

const aModule = must(
  'the path of a module such as "./app.ts"',
  (value) => typeof value === "string" && value !== "",
);

/**
 * Imports a module and makes a gateway of its default export (or `module.exports`): see `gatewayOf` for what counts.
 * Throws TARGET_NOT_FOUND, APP_IMPORT (detail: the module's own stack, or the location of a syntax error) and
 * CONFIG_INVALID when the export is of another kind.
 */
export async function loadApp(path: string, options: AppOptions = {}): Promise<Gateway> {
  checkArgument("loadApp()", "the first argument", path, aModule);
  checkOptions("loadApp()", options, APP_CHECKS, "{ timeout: 30 }");
  return loadVersion(path, options, "");
}

/** The same with a query in the module's URL: another query is another instance of the module. */
export async function loadVersion(path: string, options: LoadOptions, query: string): Promise<Gateway> {
  const file = resolve(path);
  await access(file).catch(() => {
    throw new SallyportError("TARGET_NOT_FOUND", `there is no module ${file}`);
  });
  const exported = defaultOf(await importModule(file, query), file);
  // By class, not by `then`: a Fastify instance is thenable, and its own gateway has the better error.
  const app = exported instanceof Promise ? await awaitExport(exported, file) : exported;
  return gatewayOfExport(app, `the default export of ${file}`, options);
}

async function importModule(file: string, query: string): Promise<Module> {
  try {
    return TYPESCRIPT.has(extname(file))
      ? await importTypeScript(file, query)
      : await importNatively(file, query);
  } catch (error) {
    const detail = (await syntaxErrorLocation(file, error)) ?? ownStack(error);
    const reason = firstLine(thrownOf(error).message);
    throw new SallyportError("APP_IMPORT", `${file} could not be imported: ${reason}`, {
      cause: error,
      detail,
    });
  }
}

const importNatively = (file: string, query: string): Promise<Module> =>
  import(`${pathToFileURL(file).href}${query}`);

async function importWithJiti(file: string): Promise<Module> {
  const jiti = await jitiOf(file);
  const exported = await jiti.import(file);
  return isModule(exported) ? exported : { default: exported };
}

async function jitiOf(file: string): Promise<Jiti> {
  const { createJiti } = await import("jiti");
  // Without `interopDefault` a module that has no default export would be taken for one.
  const options = { interopDefault: false };
  try {
    return createJiti(file, { ...options, tsconfigPaths: true });
  } catch {
    // A tsconfig.json that cannot be read: what it extends is often left at home.
    return createJiti(file, options);
  }
}

/** Not so is `module.exports` of CommonJS, which is the default export itself, as where Node imports it. */
function isModule(exported: unknown): exported is Module {
  if (typeof exported !== "object" || exported === null) return false;
  return "__esModule" in exported || isModuleNamespaceObject(exported) || Object.keys(exported).length === 0;
}

/**
 * Node only strips types: a module that needs a compiler (an enum), or lies in node_modules, is left to jiti, and so is one
 * whose package is "commonjs", for only a compiler turns its `import` and `export` into `require`.
 */
async function importTypeScript(file: string, query: string): Promise<Module> {
  if (!strips || (await isCommonJs(file))) return importWithJiti(file);
  try {
    return await importNatively(file, query);
  } catch (error) {
    if (NEEDS_COMPILER.has((error as NodeJS.ErrnoException).code)) return importWithJiti(file);
    if (isLinkFailure(error) && !(await hasRun(file, query))) return importCompiled(file, error);
    throw error;
  }
}

/** Node's own error counts where the compiler finds the same fault. */
async function importCompiled(file: string, error: unknown): Promise<Module> {
  try {
    return await importWithJiti(file);
  } catch (again) {
    throw isLinkFailure(again) ? error : again;
  }
}

/**
 * A real fault, or what compilers know, and Node does not: a decorator, a type among the names of an import, `./name.js` or `./name`
 * for name.ts, `paths` of tsconfig.json.
 */
function isLinkFailure(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  const { code } = error as NodeJS.ErrnoException;
  return code === undefined ? error instanceof SyntaxError : NOT_FOUND.has(code);
}

let checks = 0;

/**
 * Whether any of a failed module's code has run, which must not run twice: such an error may come of a JSON.parse() or an import()
 * in it. Node runs nothing before all is linked, and what has failed while it ran is not run again: so a module that is
 * imported before it runs in that case alone.
 */
async function hasRun(file: string, query: string): Promise<boolean> {
  checks += 1;
  const mark = `sallyport.load.${checks}`;
  const first = dataUrl(`globalThis[Symbol.for("${mark}")] = true;`);
  const both = [first, `${pathToFileURL(file).href}${query}`].map((url) => `import ${JSON.stringify(url)};`);
  await import(dataUrl(both.join(""))).catch(() => undefined);
  const ran = Symbol.for(mark) in globalThis;
  Reflect.deleteProperty(globalThis, Symbol.for(mark));
  return ran;
}

const dataUrl = (source: string): string => `data:text/javascript,${encodeURIComponent(source)}`;

/** `npm init` writes `"type": "commonjs"`, by which Node takes a .ts file for CommonJS, whatever its syntax. */
async function isCommonJs(file: string): Promise<boolean> {
  if (extname(file) !== ".ts") return false;
  const found = findPackageJSON?.(pathToFileURL(file));
  // Where there is none, Node 24 and 26 give the file itself.
  if (found === undefined || basename(found) !== "package.json") return false;
  return JSON.parse(await readFile(found, "utf8")).type === "commonjs";
}

/** CommonJS made of TypeScript has its default export one level deeper. */
function defaultOf(module: Module, file: string): unknown {
  const exported = isCompiled(module.default) ? module.default.default : module.default;
  if (exported === undefined) throw noDefault(module, file);
  return exported;
}

/** A promise of an app is an app, too. */
async function awaitExport(exported: Promise<unknown>, file: string): Promise<unknown> {
  try {
    return await exported;
  } catch (error) {
    throw new SallyportError("APP_IMPORT", `the default export of ${file} is a promise that was rejected`, {
      cause: error,
      detail: ownStack(error),
    });
  }
}

const isCompiled = (exported: unknown): exported is Module =>
  typeof exported === "object" && exported !== null && "__esModule" in exported && "default" in exported;

function noDefault(module: Module, file: string): SallyportError {
  const names = Object.keys(module).filter((name) => name !== "default");
  const found = names.length > 0 ? `only ${names.join(", ")}` : "nothing";
  const instead = 'where it listens itself, write "export default app" instead';
  return new SallyportError(
    "CONFIG_INVALID",
    `${file} has no default export; it exports ${found}; ${instead}`,
  );
}

const firstLine = (text: string): string => text.trim().split("\n", 1)[0]?.trim() ?? "";

/** The SyntaxError of an ES module has no location; `node --check` prints it. */
async function syntaxErrorLocation(file: string, error: unknown): Promise<string | undefined> {
  if (!(error instanceof SyntaxError) || TYPESCRIPT.has(extname(file))) return undefined;
  const stderr = await new Promise<string>((done) => {
    const options = { timeout: CHECK_TIMEOUT, env: { ...process.env, NODE_OPTIONS: "" } };
    execFile(process.execPath, ["--check", file], options, (_error, _stdout, text) => done(text));
  });
  const location = withoutFrames(stderr, () => false).replace(/\n+Node\.js v\S+\s*$/, "");
  return location.trim() === "" ? undefined : location.trim();
}
