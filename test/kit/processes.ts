// Whether a process is there and not merely waiting to be reaped.
import { readFileSync } from "node:fs";

export function alive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return (
      process.platform !== "linux" || !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, "latin1"))
    );
  } catch {
    return false;
  }
}
