// The memory that processes hold, as Linux tells it.
import { readdirSync, readFileSync } from "node:fs";

/** The most that a process ever held, in bytes. */
export const peak = (pid: number): number => field(pid, "VmHWM");

/** Its children, whichever thread of it started them. */
export const children = (pid: number): number[] =>
  readdirSync(`/proc/${pid}/task`)
    .flatMap((task) => readFileSync(`/proc/${pid}/task/${task}/children`, "utf8").trim().split(" "))
    .filter(Boolean)
    .map(Number);

function field(pid: number, name: string): number {
  const status = readFileSync(`/proc/${pid}/status`, "utf8");
  return Number(new RegExp(`^${name}:\\s+(\\d+) kB$`, "m").exec(status)?.[1]) * 1024;
}
