// The pid file: the number of the main process, for programs that send it signals. Another server that runs is never
// hidden by it, and a file that a killed one left is replaced.
// Tested by test/cli/variables.test.ts.
import { accessSync, constants, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { SallyportError } from "../exchange/index.ts";

/** Before anything starts. Throws CONFIG_INVALID when the file names a server that runs, or can never be written. */
export function checkPidFile(path: string): void {
  checkDirectory(path);
  const pid = pidIn(path);
  if (pid === undefined || pid === process.pid || !isServer(pid)) return;
  const message = `the pid file ${path} names process ${pid}, a server that is running: stop it, or name another file`;
  throw new SallyportError("CONFIG_INVALID", message);
}

function checkDirectory(path: string): void {
  try {
    accessSync(dirname(path), constants.W_OK | constants.X_OK);
  } catch (error) {
    throw unwritable(path, error);
  }
}

const unwritable = (path: string, cause: unknown): SallyportError =>
  new SallyportError(
    "CONFIG_INVALID",
    `the pid file ${path} cannot be written: ${(cause as Error).message}`,
    {
      cause,
    },
  );

/** Writes the file, complete from its first moment, and removes it when this process ends. Throws CONFIG_INVALID. */
export function keepPidFile(path: string): void {
  const draft = `${path}.${process.pid}`;
  try {
    writeFileSync(draft, `${process.pid}\n`, { mode: 0o644 });
    renameSync(draft, path);
  } catch (error) {
    rmSync(draft, { force: true }); // a full disk has room for an empty file
    throw unwritable(path, error);
  }
  process.once("exit", () => {
    if (pidIn(path) === process.pid) rmSync(path, { force: true });
  });
}

/** Undefined for a file that is not there, or holds something else. */
function pidIn(path: string): number | undefined {
  try {
    const pid = /^\s*(\d{1,9})\s*$/.exec(readFileSync(path, "utf8"))?.[1];
    return pid === undefined ? undefined : Number(pid);
  } catch {
    return undefined;
  }
}

/** The number may belong to another program by now. */
function isServer(pid: number): boolean {
  try {
    process.kill(pid, 0);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EPERM") return false;
  }
  try {
    return /sallyport/.test(readFileSync(`/proc/${pid}/cmdline`, "utf8"));
  } catch {
    return true; // a system without /proc
  }
}
