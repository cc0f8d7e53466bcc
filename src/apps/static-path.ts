// Finds the file that a request's path names below a directory, and nothing outside of it. Whatever is doubtful is refused: an
// encoded separator, a dot segment, a hidden name, a link that leads out.
// Tested by test/apps/static.test.ts.
import type { Stats } from "node:fs";
import { realpath, stat } from "node:fs/promises";
import { join, relative, sep } from "node:path";
import { SallyportError } from "../exchange/index.ts";
import { placeOf } from "../options/links.ts";

export interface FoundFile {
  /** The directory served, its links resolved for this request: a deployment may point a link elsewhere. */
  readonly root: string;
  /** Its segments below the root, decoded. */
  readonly segments: readonly string[];
  readonly stats: Stats;
}

/** Finds the file at these segments below a directory. */
export type FindFile = (segments: readonly string[]) => Promise<FoundFile>;

/** The only hidden name that is meant to be served (RFC 8615). */
const WELL_KNOWN = ".well-known";

/**
 * The segments of a percent-encoded path that starts with "/", decoded once; the last is "" for a directory.
 * Throws BAD_PATH for paths that no honest client sends, NOT_FOUND for hidden names.
 */
export function segmentsOf(path: string): string[] {
  const segments = path.slice(1).split("/").map(decodeSegment);
  const last = segments.length - 1;
  if (segments.some((segment, at) => segment === "" && at < last))
    throw new SallyportError("NOT_FOUND", "an empty segment in the path names no file");
  if (segments.some(isHidden)) throw new SallyportError("NOT_FOUND", "hidden files are not served");
  return segments;
}

function decodeSegment(segment: string): string {
  let decoded: string;
  try {
    decoded = decodeURIComponent(segment);
  } catch {
    throw new SallyportError("BAD_PATH", "the path is not valid percent-encoded UTF-8");
  }
  if (/[/\\\0]/.test(decoded))
    throw new SallyportError("BAD_PATH", "a separator or NUL is encoded in the path");
  if (decoded === "." || decoded === "..") throw new SallyportError("BAD_PATH", "the path has a dot segment");
  return decoded;
}

const isHidden = (segment: string, at: number): boolean =>
  segment.startsWith(".") && !(at === 0 && segment === WELL_KNOWN);

/** What lies at `segments` below `directory`; `links`: where links may lead besides. Throws NOT_FOUND, FILE_REFUSED. */
export async function find(
  directory: string,
  segments: readonly string[],
  links: readonly string[],
): Promise<FoundFile> {
  try {
    const path = join(directory, ...segments);
    const [root, real, stats] = await Promise.all([realpath(directory), realpath(path), stat(path)]);
    await checkInside(root, real, links);
    if (stats.isDirectory() || stats.isFile()) return { root, segments, stats };
  } catch (error) {
    throw findError(error);
  }
  // Reading a pipe could wait for ever, and a device may have no end.
  throw new SallyportError("FILE_REFUSED", "only regular files are served");
}

/** A file's real path, too, must be below the root, or where links may lead, and have no hidden name there. */
async function checkInside(root: string, real: string, links: readonly string[]): Promise<void> {
  const place = await placeOf(real, root, links);
  if (place === undefined)
    throw new SallyportError("FILE_REFUSED", `a link leads out of ${root}: ${real} (links may allow it)`);
  if (relative(place, real).split(sep).some(isHidden))
    throw new SallyportError("NOT_FOUND", `a link leads to a hidden file: ${real}`);
}

const ABSENT: ReadonlySet<string | undefined> = new Set(["ENOENT", "ENOTDIR", "ENAMETOOLONG", "ELOOP"]);
const REFUSED: ReadonlySet<string | undefined> = new Set(["EACCES", "EPERM"]);

/** An error of the file system as one of ours. */
export function findError(error: unknown): SallyportError {
  if (error instanceof SallyportError) return error;
  const { code, message } = error as NodeJS.ErrnoException;
  if (ABSENT.has(code)) return new SallyportError("NOT_FOUND", message, { cause: error });
  if (REFUSED.has(code)) return new SallyportError("FILE_REFUSED", message, { cause: error });
  return new SallyportError("INTERNAL", `a file could not be read: ${message}`, { cause: error });
}
