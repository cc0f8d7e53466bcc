// Which program answers a request: the one there is, or the first file on the path below a directory (RFC 3875, 3.3).
// In doubt it refuses: the client chooses the program (C5).
// Tested by test/protocols/cgi/gateway.test.ts.
import type { Stats } from "node:fs";
import { access, constants, realpath, stat } from "node:fs/promises";
import { basename, dirname, extname, join, resolve } from "node:path";
import { decodePath } from "../../cgi/metavariables/encode.ts";
import { type Exchange, SallyportError } from "../../exchange/index.ts";
import { placeOf } from "../../options/links.ts";

export interface CgiProgram {
  /** Its absolute path. */
  readonly file: string;
  /** The part of the request's path that leads to it, as sent: SCRIPT_NAME. */
  readonly mount: string;
  /** The program that runs it, unless it is executable itself. */
  readonly interpreter: string | undefined;
  /** By its name (`nph-...`) it writes the status line itself (RFC 3875, 5). */
  readonly nph: boolean;
}

/** By suffix of the file: ".py". */
export type Interpreters = Readonly<Record<string, string>>;

export interface FindOptions {
  readonly interpreters: Interpreters;
  /** Directories besides that of the programs that links in it may lead to. */
  readonly links: readonly string[];
}

/** Finds the program for an exchange. Rejects with NOT_FOUND, BAD_PATH, FILE_REFUSED or NOT_EXECUTABLE. */
export type FindProgram = (exchange: Exchange) => Promise<CgiProgram>;

/** One program for every path. Each request checks that it is still there. */
function oneProgram(file: string, interpreters: Interpreters): FindProgram {
  return async ({ mount }) => runnable(file, mount, interpreters, await statOf(file));
}

/** The programs below a directory; the rest of the path is PATH_INFO. */
function programsBelow(root: string, { interpreters, links }: FindOptions): FindProgram {
  return async ({ mount, request }) => {
    let path = root;
    let end = mount.length;
    for (const segment of request.path.slice(mount.length + 1).split("/")) {
      path = join(path, fileName(segment));
      end += 1 + segment.length;
      const stats = await statOf(path);
      if (stats.isDirectory()) continue;
      await checkInside(root, path, links);
      return runnable(path, request.path.slice(0, end), interpreters, stats);
    }
    throw new SallyportError("NOT_FOUND", `${path} is a directory`);
  };
}

const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** The name that a segment of the path can stand for: no separator, nothing hidden, no dot segment. */
function fileName(segment: string): string {
  const bytes = decodePath(segment);
  if (bytes === "" || bytes.startsWith(".") || /[/\\]/.test(bytes))
    throw new SallyportError("NOT_FOUND", `a path segment names no program: ${JSON.stringify(bytes)}`);
  try {
    return utf8.decode(Buffer.from(bytes, "latin1"));
  } catch {
    throw new SallyportError("NOT_FOUND", "a path segment is not valid UTF-8");
  }
}

async function statOf(path: string): Promise<Stats> {
  try {
    return await stat(path);
  } catch (error) {
    throw fileError(error as NodeJS.ErrnoException);
  }
}

function fileError(error: NodeJS.ErrnoException): SallyportError {
  const refused = error.code === "EACCES" || error.code === "EPERM";
  return new SallyportError(refused ? "FILE_REFUSED" : "NOT_FOUND", error.message, { cause: error });
}

/** A link must not lead out of the directory, whatever it is called, but to where links may lead. */
async function checkInside(root: string, path: string, links: readonly string[]): Promise<void> {
  const [realRoot, real] = await Promise.all([realpath(root), realpath(path)]);
  if ((await placeOf(real, realRoot, links)) !== undefined) return;
  throw new SallyportError(
    "FILE_REFUSED",
    `a link leads out of ${root}: ${path} is ${real} (links may allow it)`,
  );
}

async function runnable(
  file: string,
  mount: string,
  interpreters: Interpreters,
  stats: Stats,
): Promise<CgiProgram> {
  if (!stats.isFile()) throw new SallyportError("FILE_REFUSED", `${file} is not a regular file`);
  const suffix = extname(file);
  const interpreter = Object.hasOwn(interpreters, suffix) ? interpreters[suffix] : undefined;
  if (interpreter === undefined) await checkExecutable(file);
  return { file, mount, interpreter, nph: basename(file).startsWith("nph-") };
}

async function checkExecutable(file: string): Promise<void> {
  try {
    await access(file, constants.X_OK);
  } catch (cause) {
    throw new SallyportError("NOT_EXECUTABLE", `${file} is not executable (chmod +x ${file})`, { cause });
  }
}

export interface Programs {
  readonly find: FindProgram;
  /** The directory that they are in: DOCUMENT_ROOT where none is configured. */
  readonly directory: string;
}

/** The program at `where`, or those below it. Rejects with TARGET_NOT_FOUND, FILE_REFUSED or NOT_EXECUTABLE. */
export async function programsAt(where: string, options: FindOptions): Promise<Programs> {
  const path = resolve(where);
  const stats = await stat(path).catch((cause: Error) => {
    throw new SallyportError("TARGET_NOT_FOUND", `no CGI program or directory: ${cause.message}`, { cause });
  });
  if (stats.isDirectory()) return { find: programsBelow(path, options), directory: path };
  await runnable(path, "", options.interpreters, stats);
  return { find: oneProgram(path, options.interpreters), directory: dirname(path) };
}
