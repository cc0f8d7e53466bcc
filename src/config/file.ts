// Reads a configuration file in any of its languages into a value that knows where each key was written.
import { readFile, stat } from "node:fs/promises";
import { basename, dirname, extname, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import type { Jiti } from "jiti";
import { SallyportError } from "../exchange/index.ts";
import { thrownOf } from "../exchange/thrown.ts";
import type { Settings } from "./config.ts";
import { configError, errorLine, type Origin } from "./error-lines.ts";
import { checkConfig } from "./errors.ts";
import type { LineOf } from "./locate.ts";
import { missingFiles } from "./missing-files.ts";
import { tlsFileErrors } from "./tls-files.ts";
import { type EnvironmentVariables, expandVariables } from "./variables.ts";

/** The content of a file, not checked yet. */
export interface ConfigFile {
  readonly path: string;
  /** Relative paths in the configuration start here. */
  readonly directory: string;
  readonly value: unknown;
  readonly origin: Origin;
}

interface Parsed {
  readonly value: unknown;
  readonly lineOf: LineOf;
}

/** Loads its parser when it is called: a server without a configuration file loads none. */
type Reader = (source: string, path: string) => Promise<Parsed>;

/** The languages by the file's ending, in the order in which they are looked for. */
const READERS: Readonly<Record<string, Reader>> = {
  ".ts": readCode,
  ".mts": readCode,
  ".js": readCode,
  ".mjs": readCode,
  ".json": readJson,
  ".yaml": readYaml,
  ".yml": readYaml,
  ".toml": readToml,
};

/** The names under which a configuration is found when none is given. */
export const CONFIG_NAMES: readonly string[] = Object.keys(READERS).map(
  (ending) => `sallyport.config${ending}`,
);

/** The error for what no reader is for. */
async function unknownKind(path: string): Promise<SallyportError> {
  const found = await stat(path).catch(() => undefined);
  if (!found) return new SallyportError("CONFIG_INVALID", `${path}: there is no such file`);
  const kind = found.isDirectory() ? "a directory; name the file in it" : "unknown kind of file";
  return new SallyportError("CONFIG_INVALID", `${path}: ${kind}; it may be ${CONFIG_NAMES.join(", ")}`);
}

/** Reads a file. Throws CONFIG_INVALID with file and line when it cannot be read or is no proper file of its language. */
async function readConfig(path: string): Promise<ConfigFile> {
  const absolute = resolve(path);
  const reader = READERS[extname(absolute)];
  if (!reader) throw await unknownKind(path);
  const source = await readFile(absolute, "utf8").catch((error) => unreadable(path, error));
  const name = basename(absolute);
  const { value, lineOf } = await reader(source, absolute);
  return { path: absolute, directory: dirname(absolute), value, origin: { name, lineOf } };
}

/** The settings of a file, and whether it says where to listen. Throws CONFIG_INVALID with a line for each error. */
export async function loadConfig(
  path: string,
  variables: EnvironmentVariables = process.env,
): Promise<Settings & { directory: string; listens: boolean }> {
  const file = await readConfig(path);
  const { value, errors: unset } = withVariables(file, variables);
  if (unset.length > 0) throw configError(unset);
  const settings = checkConfig(value, file.origin);
  const errors = missingFiles(settings, file.directory, file.origin);
  if (settings.listen.some(({ tls }) => tls))
    errors.push(...(await tlsFileErrors(settings.listen, file.directory, file.origin)));
  if (errors.length > 0) throw configError(errors);
  return { ...settings, directory: file.directory, listens: "listen" in Object(file.value) };
}

/** Code has `process.env`, and may mean other things by a dollar. */
const withVariables = ({ path, value, origin }: ConfigFile, variables: EnvironmentVariables) =>
  CODE.has(extname(path)) ? { value, errors: [] } : expandVariables(value, variables, origin);

const CODE: ReadonlySet<string> = new Set([".ts", ".mts", ".js", ".mjs"]);

function unreadable(path: string, error: NodeJS.ErrnoException): never {
  const why = error.code === "ENOENT" ? "there is no such file" : error.message;
  throw new SallyportError("CONFIG_INVALID", `${path}: ${why}`, { cause: error });
}

/** `file:line: message` of a file that is not valid in its language. */
function syntaxError(
  path: string,
  line: number | undefined,
  message: string,
  cause: unknown,
): SallyportError {
  const origin: Origin = { name: basename(path), lineOf: () => line };
  return new SallyportError("CONFIG_INVALID", errorLine(origin, [], message), { cause });
}

async function readYaml(source: string, path: string): Promise<Parsed> {
  const { parseYaml } = await import("./locate.ts");
  const { value, errors, lineOf, lineAt } = parseYaml(source);
  const [error] = errors;
  if (error) throw syntaxError(path, lineAt(error.pos[0]), error.message, error);
  return { value, lineOf };
}

/** JSON itself decides what is valid; as JSON is part of YAML, that parser knows the lines. */
async function readJson(source: string, path: string): Promise<Parsed> {
  const { parseYaml } = await import("./locate.ts");
  const { lineOf, lineAt } = parseYaml(source);
  try {
    return { value: JSON.parse(source), lineOf };
  } catch (error) {
    const { message } = error as SyntaxError;
    const position = /at position (\d+)/.exec(message)?.[1];
    const line = position === undefined ? undefined : lineAt(Number(position));
    throw syntaxError(path, line, message.replace(/ in JSON at position \d+.*$/s, ""), error);
  }
}

async function readToml(source: string, path: string): Promise<Parsed> {
  const [{ parse, TomlError }, { locateToml }] = await Promise.all([
    import("smol-toml"),
    import("./locate.ts"),
  ]);
  try {
    return { value: parse(source), lineOf: locateToml(source) };
  } catch (error) {
    if (!(error instanceof TomlError)) throw error;
    const [first = ""] = error.message.split("\n");
    throw syntaxError(path, error.line, first.replace("Invalid TOML document: ", ""), error);
  }
}

/** Code finds the package `sallyport` even where it is not installed: it is this package. */
async function jitiFor(path: string): Promise<Jiti> {
  const { createJiti } = await import("jiti");
  const self = fileURLToPath(new URL(`../index${extname(import.meta.url)}`, import.meta.url));
  const options = { alias: { sallyport: self }, fsCache: false, moduleCache: false };
  try {
    return createJiti(path, { ...options, tsconfigPaths: true });
  } catch {
    // A tsconfig.json that cannot be read: what it extends is often left at home.
    return createJiti(path, options);
  }
}

async function readCode(source: string, path: string): Promise<Parsed> {
  const [jiti, { lineThrown, locateCode }] = await Promise.all([jitiFor(path), import("./locate.ts")]);
  try {
    return { value: await jiti.import(path, { default: true }), lineOf: locateCode(source) };
  } catch (reason) {
    if (reason instanceof SallyportError) throw reason;
    // Code may throw anything.
    const error = thrownOf(reason);
    const [first = "failed"] = error.message.split("\n");
    throw syntaxError(path, lineThrown(path, error), first.replace(`${path}: `, ""), reason);
  }
}
