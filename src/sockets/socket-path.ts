// What the path of a Unix socket may be, and a directory of ours in which every path is short enough.
import { mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { SallyportError } from "../exchange/index.ts";

/** Bytes: sun_path of unix(7) without its NUL. Node would truncate a longer path, and bind or connect to the rest. */
const LONGEST_PATH = 107;

/** `@name`, as systemd, uWSGI and nginx write a socket that is no file (unix(7)). Node makes a file of that name. */
const isAbstract = (path: string): boolean => path.startsWith("@");

/** The path as seen from anywhere. That of an abstract socket stays, so that it is refused as one. */
export const socketPathIn = (directory: string, path: string): string =>
  isAbstract(path) ? path : resolve(directory, path);

/** What is wrong with a path, to follow "the path"; undefined where nothing is. */
export function pathFault(path: string): string | undefined {
  if (isAbstract(path)) return `names an abstract socket, and only files can be used; ./${path} is one`;
  return isTooLong(path) ? `is longer than a Unix socket's may be (${LONGEST_PATH} bytes)` : undefined;
}

export const isTooLong = (path: string | Buffer): boolean => Buffer.byteLength(path) > LONGEST_PATH;

/** What mkdtemp puts behind the prefix, bytes. */
const RANDOM = 6;
/** Where TMPDIR is too long. It may be short-lived memory or a small disk, but sockets take no room. */
const SHORT = "/tmp";

/**
 * Makes a directory that only this user may enter, for sockets whose names have `longest` bytes at the most: where
 * temporary files go, or in /tmp where a path there would be too long. Rejects with CONFIG_INVALID where it cannot be made.
 */
export async function makeSocketDirectory(longest: number): Promise<string> {
  const usual = join(tmpdir(), "sallyport-");
  const fits = Buffer.byteLength(usual) + RANDOM + 1 + longest <= LONGEST_PATH;
  try {
    return await mkdtemp(fits ? usual : join(SHORT, "sallyport-"));
  } catch (cause) {
    const { message } = cause as Error;
    throw new SallyportError(
      "CONFIG_INVALID",
      `programs are reached by sockets in a temporary directory, and none can be made: ${message}; set TMPDIR`,
      { cause },
    );
  }
}
