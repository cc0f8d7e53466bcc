// The file below a root that a path names, for applications that run scripts (PHP), and how the path is split around it
// (RFC 3875, 4.1.5, 4.1.6, 4.1.13).
//
// With PHP behind nginx, /upload/x.jpg/y.php used to run x.jpg. Not here: the first file on the path decides, and a file
// without the suffix is no script.
// Tested by test/protocols/fastcgi/server/gateway.test.ts.
import { realpath, stat } from "node:fs/promises";
import { decodePath } from "../../../cgi/metavariables/encode.ts";
import { type Exchange, SallyportError } from "../../../exchange/index.ts";
import { placeOf } from "../../../options/links.ts";

export interface ScriptOptions {
  /** The directory that the scripts are in. */
  readonly root: string;
  /** Only files with this suffix are passed to the application. */
  readonly suffix: string;
  /** Names that are tried for a directory. */
  readonly index: readonly string[];
  /** The script, by its path below the root, that answers where none does. */
  readonly fallback?: string | undefined;
  /** Directories besides `root` that links in it may lead to. */
  readonly links?: readonly string[] | undefined;
}

/** Variables that replace or join those of the request; and the file. */
export interface Script {
  readonly variables: ReadonlyMap<string, string>;
  /** Bytes as latin-1. */
  readonly file: string;
}

/** Paths are latin-1 text here; the file system gets their bytes. */
const onDisk = (path: string): Buffer => Buffer.from(path, "latin1");

/** The script; or the path with a slash, where it names a directory without one. Throws BAD_PATH, NOT_FOUND, FILE_REFUSED. */
export async function findScript(exchange: Exchange, options: ScriptOptions): Promise<Script | string> {
  const root = await rootOf(options.root);
  try {
    return await named(exchange, root, options);
  } catch (error) {
    const { fallback } = options;
    if (fallback === undefined || SallyportError.from(error).code !== "ERR_SALLYPORT_NOT_FOUND") throw error;
    // REQUEST_URI keeps the path; there is no PATH_INFO, as after nginx's `try_files $uri /index.php`.
    return split(exchange, root, fallbackSegments(fallback), [], options);
  }
}

/** Of a path in the configuration, which is UTF-8 and may begin with a slash. */
const fallbackSegments = (path: string): string[] =>
  Buffer.from(path.replace(/^\/+/, ""), "utf8").toString("latin1").split("/");

/** The script that the path names. */
async function named(exchange: Exchange, root: string, options: ScriptOptions): Promise<Script | string> {
  const { mount, request } = exchange;
  const segments = segmentsOf(request.path.slice(mount.length));
  const { walked, file } = await firstFile(root, segments);
  if (file) return split(exchange, root, segments.slice(0, walked), segments.slice(walked), options);
  if (walked === segments.length || request.path === mount) return `${request.path}/`;
  if (walked < segments.length - 1 || segments.at(-1) !== "") throw missing(request.path);
  const index = await indexOf(root, segments.slice(0, -1), options.index);
  return split(exchange, root, [...segments.slice(0, -1), index], [], options);
}

/** Of a path that starts with "/" or is empty, decoded; "" at the end for a directory. */
function segmentsOf(raw: string): string[] {
  // A slash inside a segment would name another file than the segments do.
  if (/%2f|%5c/i.test(raw))
    throw new SallyportError("BAD_PATH", "a separator is encoded in the path of a script");
  const segments = decodePath(raw).slice(1).split("/");
  if (segments.some((segment) => segment === "." || segment === ".."))
    throw new SallyportError("BAD_PATH", "the path of a script has a dot segment");
  return segments;
}

async function rootOf(root: string): Promise<string> {
  try {
    return Buffer.from(await realpath(root), "utf8").toString("latin1");
  } catch (cause) {
    throw new SallyportError("NOT_FOUND", `the root of the scripts, ${root}, is missing`, { cause });
  }
}

type Kind = "file" | "directory" | "none";

async function kindOf(path: string): Promise<Kind> {
  try {
    const stats = await stat(onDisk(path));
    return stats.isFile() ? "file" : stats.isDirectory() ? "directory" : "none";
  } catch {
    return "none";
  }
}

/** How many segments lead to the first regular file, or to the last directory. */
async function firstFile(
  root: string,
  segments: readonly string[],
): Promise<{ walked: number; file: boolean }> {
  for (let walked = 1; walked <= segments.length; walked++) {
    if (segments[walked - 1] === "") return { walked: walked - 1, file: false };
    const kind = await kindOf(join(root, segments.slice(0, walked)));
    if (kind === "file") return { walked, file: true };
    if (kind === "none") return { walked: walked - 1, file: false };
  }
  return { walked: segments.length, file: false };
}

const join = (root: string, segments: readonly string[]): string =>
  [root === "/" ? "" : root, ...segments].join("/");

async function indexOf(root: string, folder: readonly string[], names: readonly string[]): Promise<string> {
  for (const name of names) if ((await kindOf(join(root, [...folder, name]))) === "file") return name;
  throw new SallyportError("NOT_FOUND", "the directory has no index script");
}

async function split(
  { mount, request }: Exchange,
  root: string,
  script: readonly string[],
  rest: readonly string[],
  { suffix, links = [] }: ScriptOptions,
): Promise<Script> {
  const file = join(root, script);
  if (!file.endsWith(suffix)) throw missing(request.path);
  const real = await trueFile(root, file, links);
  if (!real.endsWith(suffix)) throw missing(request.path);
  const pathInfo = rest.map((segment) => `/${segment}`).join("");
  const variables = new Map([
    ["SCRIPT_NAME", join(decodePath(mount), script)],
    ["SCRIPT_FILENAME", file],
    ["DOCUMENT_ROOT", root],
    ["PATH_INFO", pathInfo],
    // php-cgi runs nothing without it: a sign that a server, not a client, chose the script.
    ["REDIRECT_STATUS", "200"],
  ]);
  if (pathInfo !== "") variables.set("PATH_TRANSLATED", root + pathInfo);
  return { variables, file };
}

/** Where the links of a path lead: below the root, or where `links` allow it. */
async function trueFile(root: string, path: string, links: readonly string[]): Promise<string> {
  const real = await realpath(onDisk(path), "utf8");
  const place = await placeOf(real, Buffer.from(root, "latin1").toString(), links);
  if (place !== undefined) return real;
  throw new SallyportError(
    "FILE_REFUSED",
    `a link leads out of ${root}, the root of the scripts: ${real} (links may allow it)`,
  );
}

const missing = (path: string): SallyportError =>
  new SallyportError("NOT_FOUND", `no script answers ${path}`);
