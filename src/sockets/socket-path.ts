// How long the path of a Unix socket may be, and a directory of ours in which every path is short enough.
import { mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** Bytes: sun_path of unix(7) without its NUL. Node would truncate a longer path, and bind or connect to the rest. */
const LONGEST_PATH = 107;
export const TOO_LONG = `is longer than a Unix socket's may be (${LONGEST_PATH} bytes)`;

export const isTooLong = (path: string | Buffer): boolean => Buffer.byteLength(path) > LONGEST_PATH;

/** What mkdtemp puts behind the prefix, bytes. */
const RANDOM = 6;
/** Where TMPDIR is too long. It may be short-lived memory or a small disk, but sockets take no room. */
const SHORT = "/tmp";

/**
 * Makes a directory that only this user may enter, for sockets whose names have `longest` bytes at the most: where
 * temporary files go, or in /tmp where a path there would be too long. Rejects with an error of the system.
 */
export function makeSocketDirectory(longest: number): Promise<string> {
  const usual = join(tmpdir(), "sallyport-");
  const fits = Buffer.byteLength(usual) + RANDOM + 1 + longest <= LONGEST_PATH;
  return mkdtemp(fits ? usual : join(SHORT, "sallyport-"));
}
