// How much memory processes have (resident set size), as Linux says it.
// Tested by test/admin/exposition.test.ts.
import { readFile } from "node:fs/promises";

/** Bytes; undefined for a process that has ended, and where there is no /proc. */
export async function residentBytes(pid: number): Promise<number | undefined> {
  const status = await readFile(`/proc/${pid}/status`, "latin1").catch(() => "");
  const [, kilobytes] = /^VmRSS:\s*(\d+) kB/m.exec(status) ?? [];
  return kilobytes === undefined ? undefined : Number(kilobytes) * 1024;
}

/** Of all those that are there. */
export async function residentBytesOfAll(pids: readonly (number | undefined)[]): Promise<number[]> {
  const all = await Promise.all(pids.map((pid) => pid && residentBytes(pid)));
  return all.filter((bytes) => typeof bytes === "number");
}
