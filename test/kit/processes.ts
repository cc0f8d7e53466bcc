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

/** Its children, whichever thread of it started them. */
export const childrenOf = (pid: number): number[] =>
  readdirSync(`/proc/${pid}/task`)
    .flatMap((task) => readFileSync(`/proc/${pid}/task/${task}/children`, "utf8").trim().split(" "))
    .filter(Boolean)
    .map(Number);

const statusOf = (pid: number): string => readFileSync(`/proc/${pid}/status`, "latin1");

/** Its children, their children, and so on. */
export const descendantsOf = (pid: number): number[] =>
  childrenIfAny(pid).flatMap((child) => [child, ...descendantsOf(child)]);

/** The processes of a server that have just ended have no children. */
function childrenIfAny(pid: number): number[] {
  try {
    return childrenOf(pid);
  } catch {
    return [];
  }
}

/** The command line of a process, its words ended by NUL; empty when it has ended. */
export function commandOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, "latin1");
  } catch {
    return "";
  }
}

/** The memory that a process holds now, in bytes. */
export const memoryOf = (pid: number): number =>
  Number(/^VmRSS:\s+(\d+) kB$/m.exec(statusOf(pid))?.[1]) * 1024;

/** How many descriptors it has open. */
export const descriptorsOf = (pid: number): number => readdirSync(`/proc/${pid}/fd`).length;
