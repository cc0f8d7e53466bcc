// What a reload cannot change: it needs another kind of process than the one that runs.
// Tested by test/cluster/reload.test.ts.
import { isDeepStrictEqual } from "node:util";
import { hasEmbeddedApps } from "../cluster/plan.ts";
import type { Settings } from "../config/config.ts";
import { SallyportError } from "../exchange/index.ts";

/** Whether there is a supervisor: for several server processes, or where an app may hold one so that it hears no signal. */
export const isCluster = (settings: Settings): boolean =>
  settings.serverProcesses > 1 || hasEmbeddedApps(settings);

/** `next`, where a server of `present` can become that. Throws RESTART_NEEDED. */
export function changeable(present: Settings, next: Settings): Settings {
  if (isCluster(next) && !isCluster(present))
    throw restartNeeded(
      next.serverProcesses > 1
        ? `serverProcesses from 1 to ${next.serverProcesses}`
        : "an app to embedded mode",
      "this server runs without a supervisor of server processes",
    );
  if (next.control !== present.control)
    throw restartNeeded("control", "the control socket is opened when the server starts");
  if (!isDeepStrictEqual(next.admin, present.admin))
    throw restartNeeded("admin", "the admin listener is opened when the server starts");
  return next;
}

const restartNeeded = (change: string, why: string): SallyportError =>
  new SallyportError("RESTART_NEEDED", `a reload cannot change ${change}: ${why}; restart the server`);
