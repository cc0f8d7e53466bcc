// What a reload cannot change: it needs another kind of process than the one that runs.
// Tested by test/cli/changeable.test.ts and by test/cluster/reload.test.ts.
import { isDeepStrictEqual } from "node:util";
import type { ListenAddress } from "../config/address.ts";
import type { Settings } from "../config/config.ts";
import { hasEmbedded } from "../config/embedded.ts";
import { SallyportError } from "../exchange/index.ts";

/** Whether there is a supervisor: for several server processes, or where an app may hold one so that it hears no signal. */
export const isCluster = (settings: Settings): boolean =>
  settings.serverProcesses > 1 || hasEmbedded(settings);

/** Keys that count when the server starts, and why. */
const FIXED = {
  control: "the control socket is opened when the server starts",
  admin: "the admin listener is opened when the server starts",
  user: "rights are given up when the server starts",
  group: "rights are given up when the server starts",
  umask: "it is set when the server starts",
  pidFile: "the file is written when the server starts",
} as const satisfies Partial<Record<keyof Settings, string>>;

/** `next`, where a server of `present` can become that. Throws RESTART_NEEDED. `isSupervised`: there is a supervisor. */
export function changeable(present: Settings, next: Settings, isSupervised: boolean): Settings {
  if (isCluster(next) && !isSupervised)
    throw restartNeeded(
      next.serverProcesses > 1
        ? `serverProcesses from 1 to ${next.serverProcesses}`
        : "an app to embedded mode",
      "this server runs without a supervisor of server processes",
    );
  for (const [key, why] of Object.entries(FIXED) as [keyof typeof FIXED, string][])
    if (!isDeepStrictEqual(next[key], present[key])) throw restartNeeded(key, why);
  checkSocketFiles(present.listen, next.listen);
  return next;
}

/** A Unix socket that stays open keeps its file. Throws RESTART_NEEDED. */
function checkSocketFiles(present: readonly ListenAddress[], next: readonly ListenAddress[]): void {
  for (const address of next) {
    if (address.kind !== "unix") continue;
    const { path, mode, owner } = address;
    const before = present.find((each) => each.kind === "unix" && each.path === path);
    if (before?.kind === "unix" && (before.mode !== mode || before.owner !== owner))
      throw restartNeeded(`mode or owner of unix:${path}`, "its file is made when the server opens it");
  }
}

const restartNeeded = (change: string, why: string): SallyportError =>
  new SallyportError("RESTART_NEEDED", `a reload cannot change ${change}: ${why}; restart the server`);
