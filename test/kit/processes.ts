// Whether processes live, and what memory and children they have.
import { readdirSync, readFileSync } from "node:fs";
import { until } from "./until.ts";

/** False also for one that has ended and waits to be reaped. */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return process.platform !== "linux" || !/^State:\s+Z/m.test(statusOf(pid));
  } catch {
    return false;
  }
}

/** Resolves when the process has ended. */
export const gone = (pid: number): Promise<void> => until(() => !isAlive(pid));

/** The most memory that a process ever held, in bytes. */
export const peakMemory = (pid: number): number =>
  Number(/^VmHWM:\s+(\d+) kB$/m.exec(statusOf(pid))?.[1]) * 1024;

/** Its children, whichever thread of it started them; none where it has just ended. */
export const childrenOf = (pid: number): number[] =>
  threadsOf(pid)
    .flatMap((thread) => textOrNone(`/proc/${pid}/task/${thread}/children`).trim().split(" "))
    .filter(Boolean)
    .map(Number);

/** Those of a supervisor, whose guard is a child, too. */
export const serverProcessesOf = (supervisor: number): number[] =>
  childrenOf(supervisor).filter((pid) => !commandOf(pid).startsWith("/bin/sh"));

function threadsOf(pid: number): string[] {
  try {
    return readdirSync(`/proc/${pid}/task`);
  } catch {
    return [];
  }
}

/** Empty where the process, or the thread, has just ended. */
function textOrNone(path: string): string {
  try {
    return readFileSync(path, "latin1");
  } catch {
    return "";
  }
}

const statusOf = (pid: number): string => readFileSync(`/proc/${pid}/status`, "latin1");

/** Its children, their children, and so on. */
export const descendantsOf = (pid: number): number[] =>
  childrenOf(pid).flatMap((child) => [child, ...descendantsOf(child)]);

/** The command line of a process, its words ended by NUL; empty when it has ended. */
export const commandOf = (pid: number): string => textOrNone(`/proc/${pid}/cmdline`);

/** The memory that a process holds now, in bytes. */
export const memoryOf = (pid: number): number =>
  Number(/^VmRSS:\s+(\d+) kB$/m.exec(statusOf(pid))?.[1]) * 1024;

/** How many descriptors it has open. */
export const descriptorsOf = (pid: number): number => readdirSync(`/proc/${pid}/fd`).length;
