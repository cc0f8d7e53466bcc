// What the TARGET of `sallyport serve` is: a Python app, a directory, a program, a module of ours, or a configuration.
import { accessSync, constants, existsSync, type Stats, statSync } from "node:fs";
import { basename, extname, join, resolve } from "node:path";
import { CONFIG_NAMES } from "../config/file.ts";
import { SallyportError } from "../exchange/index.ts";
import { usage } from "./command-line.ts";
import { djangoApplication } from "./django-project.ts";
import type { TargetKind } from "./options.ts";

export interface ServeTarget {
  readonly kind: TargetKind;
  /** The Python app's name, or the absolute path of the others. */
  readonly name: string;
  /** Where a Python app is imported from, if that is not the working directory. */
  readonly directory?: string;
}

const MODULES: ReadonlySet<string> = new Set([".ts", ".mts", ".cts", ".js", ".mjs", ".cjs"]);
/** A name with one of these endings is never meant as a Python module. */
const FILES: ReadonlySet<string> = new Set([...MODULES, ".py", ".php", ".sh", ".pl", ".cgi", ".fcgi", ".rb"]);
/** `package.module`, `module:name.attribute`, `module:factory()`; letters of any language, as in Python. */
const PYTHON = /^[\p{L}_][\p{L}\p{N}_]*(\.[\p{L}_][\p{L}\p{N}_]*)*(:[\p{L}_][\p{L}\p{N}_.]*(\(\))?)?$/u;

/**
 * Finds out what `word` is, relative to `directory`; `wanted` is the interface that a Python app is to have. Throws
 * TARGET_NOT_FOUND with advice.
 */
export function targetOf(
  word: string | undefined,
  config: string | undefined,
  directory: string,
  wanted?: "wsgi" | "asgi",
): ServeTarget {
  refuseForeign(config ?? word, directory);
  if (config !== undefined) {
    if (word !== undefined) throw usage(`give either a target (${word}) or --config, not both`);
    return { kind: "config", name: resolve(directory, config) };
  }
  if (word === undefined) return { kind: "config", name: onlyConfig(directory) };
  const path = resolve(directory, word);
  const stats = statSync(path, { throwIfNoEntry: false });
  if (stats && !isPackage(word, path, stats)) return fileTarget(word, path, stats, wanted);
  if (FILES.has(extname(word))) throw notFound(`there is no file ${word} in ${directory}`);
  const [, file, attribute] = /^(.+)\.py:(.+)$/.exec(word) ?? [];
  if (file && existsSync(resolve(directory, `${file}.py`)))
    throw notFound(`${word} is no name of a Python app; did you mean ${moduleOf(file)}:${attribute}?`);
  if (file && !existsSync(resolve(directory, file)))
    throw notFound(
      `there is no file ${file}.py in ${directory}, and a Python app is named as module:callable`,
    );
  // WSGI and ASGI apps have the same kind of name; the worker inspects the callable to tell them apart.
  if (PYTHON.test(word)) return { kind: "python", name: word };
  throw notFound(`there is no file ${word}, and it is no name of a Python app such as module:callable`);
}

/** By the name of the file: the server whose configuration it is. */
const FOREIGN_CONFIGS: readonly (readonly [name: RegExp, server: string])[] = [
  [/^gunicorn.*\.py$/, "gunicorn"],
  [/^hypercorn.*\.toml$/, "Hypercorn"],
  [/\.ini$/, "uWSGI or Paste"],
];

function refuseForeign(word: string | undefined, directory: string): void {
  const name = basename(word ?? "");
  const [, server] = FOREIGN_CONFIGS.find(([pattern]) => pattern.test(name)) ?? [];
  if (server === undefined || !existsSync(resolve(directory, word ?? ""))) return;
  throw usage(
    `${word} is a configuration of ${server}; Sallyport has options (sallyport --help) and a configuration of its own: ` +
      "docs/moving.md has both, side by side",
  );
}

/** `shop` means a package of this name: its sources must not be served as files. */
const isPackage = (word: string, path: string, stats: Stats): boolean =>
  stats.isDirectory() && PYTHON.test(word) && existsSync(join(path, "__init__.py"));

/** The module of a source file: "shop.web" of "./shop/web". */
const moduleOf = (file: string): string => file.replace(/^\.\//, "").replaceAll("/", ".");

function fileTarget(word: string, path: string, stats: Stats, wanted?: "wsgi" | "asgi"): ServeTarget {
  if (stats.isDirectory()) return { kind: "files", name: path };
  const django = basename(path) === "manage.py" ? djangoApplication(path, wanted) : undefined;
  if (django) return { kind: "python", ...django };
  if (CONFIG_NAMES.includes(basename(path))) return { kind: "config", name: path };
  if (MODULES.has(extname(path))) return { kind: "module", name: path };
  if (isExecutable(path)) return { kind: "program", name: path };
  if (extname(path) === ".wsgi") throw notFound(scriptAdvice(word, basename(path, ".wsgi")));
  throw notFound(`${word} is not executable${adviceFor(path)}`);
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** Of mod_wsgi: what it loads by its path is imported here by a module's name. */
function scriptAdvice(word: string, name: string): string {
  const module = `${name.replace(/\W/g, "_")}_wsgi`;
  return `${word} is no module by its name, and Python apps are imported: ln -s ${name}.wsgi ${module}.py, and ${module}:application`;
}

function adviceFor(path: string): string {
  if (extname(path) === ".py")
    return `: for its Python app say ${basename(path, ".py")}:app; for CGI, chmod +x it`;
  if (/\.(json|ya?ml|toml)$/.test(path)) return ": for a configuration say --config";
  return "; for a CGI program, chmod +x it";
}

function onlyConfig(directory: string): string {
  const found = CONFIG_NAMES.filter((name) => existsSync(join(directory, name)));
  const [first, second] = found;
  if (first === undefined)
    throw usage("no target, and no sallyport.config.{ts,js,json,yaml,toml} here; try sallyport serve --help");
  if (second !== undefined)
    throw usage(`there are several configurations here (${found.join(", ")}); choose with --config`);
  return join(directory, first);
}

const notFound = (message: string): SallyportError => new SallyportError("TARGET_NOT_FOUND", message);
