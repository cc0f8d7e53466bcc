// Every child leads a process group of its own, so that its own children can be ended with it.
// Tested by test/processes/child.test.ts.
import { guard } from "./guard.ts";

const live = new Set<number>();

/** Sends `signal` to all processes of a group. False when none is left. */
export function signalGroup(group: number, signal: NodeJS.Signals): boolean {
  try {
    return process.kill(-group, signal);
  } catch {
    // ESRCH: all are gone. EPERM: the rest belongs to another user now.
    return false;
  }
}

/** From now on the group dies with this process; `guarded`: also when this process is killed. */
export function enlistGroup(group: number, guarded: boolean): void {
  if (live.size === 0) process.on("exit", killAll);
  live.add(group);
  if (guarded) guard.enlist(group);
}

export function releaseGroup(group: number): void {
  if (live.delete(group) && live.size === 0) process.off("exit", killAll);
  guard.release(group);
}

function killAll(): void {
  for (const group of live) signalGroup(group, "SIGKILL");
}

/** Kills the processes that the leader of a group left behind, unless its number is in use again for a child of ours. */
export function sweepGroup(group: number): void {
  if (!live.has(group)) signalGroup(group, "SIGKILL");
}
