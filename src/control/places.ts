// Where control sockets are when nobody says where: in a directory of the user's, one for each server by its process id. So
// `sallyport status` needs no option, and several servers do not contend for one path.
import { lstatSync, mkdirSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { isAbsolute, join } from "node:path";
import { SallyportError } from "../exchange/index.ts";
import { isServed } from "../sockets/unix-path.ts";

const NAME = /^(\d+)\.sock$/;
/** Sockets that are looked at. */
const MOST = 256;

/** $XDG_RUNTIME_DIR/sallyport, /run/sallyport for root, otherwise a directory of the user's among the temporary files. */
export function controlDirectory(env: NodeJS.ProcessEnv = process.env): string {
  const runtime = env.XDG_RUNTIME_DIR;
  if (runtime !== undefined && isAbsolute(runtime)) return join(runtime, "sallyport");
  const user = process.getuid?.() ?? 0;
  return user === 0 ? "/run/sallyport" : join(tmpdir(), `sallyport-${user}`);
}

/** This process's path there; makes the directory. Throws ADDRESS_UNUSABLE, or an error of the system. */
export function ownPath(directory = controlDirectory()): string {
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  checkPrivate(directory);
  return join(directory, `${process.pid}.sock`);
}

/** Paths of the servers that answer there; files of those that are gone are removed. */
export async function livingSockets(directory = controlDirectory()): Promise<string[]> {
  const names = namesIn(directory);
  const living = await Promise.all(names.map((name) => isServed(join(directory, name))));
  for (const [i, name] of names.entries()) if (!living[i]) removeDead(directory, name);
  return names.filter((_, i) => living[i]).map((name) => join(directory, name));
}

/** Removes the files of servers that were killed. One that answers stays: its process may be in another container. */
export async function sweepSockets(directory = controlDirectory()): Promise<void> {
  const dead = namesIn(directory).filter(isDead);
  const served = await Promise.all(dead.map((name) => isServed(join(directory, name))));
  for (const [i, name] of dead.entries()) if (!served[i]) removeDead(directory, name);
}

/** Somebody else's directory could show us a socket of theirs, and theirs could be a link to a place of ours. */
function checkPrivate(directory: string): void {
  const facts = lstatSync(directory);
  const isOurs = facts.isDirectory() && facts.uid === (process.getuid?.() ?? facts.uid);
  if (isOurs && (facts.mode & 0o077) === 0) return;
  throw new SallyportError(
    "ADDRESS_UNUSABLE",
    `${directory} must be a directory of this user alone (chmod 700); or choose a path with --control`,
  );
}

function namesIn(directory: string): string[] {
  try {
    checkPrivate(directory);
    return readdirSync(directory)
      .filter((name) => NAME.test(name))
      .slice(0, MOST);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return [];
    throw error;
  }
}

/** One that is bound at this moment refuses, too; its process lives. */
function removeDead(directory: string, name: string): void {
  if (isDead(name)) rmSync(join(directory, name), { force: true }); // another server may have been faster
}

function isDead(name: string): boolean {
  const [, pid] = NAME.exec(name) ?? [];
  try {
    process.kill(Number(pid), 0);
    return false;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "ESRCH";
  }
}
