// What a reload cannot change: it needs another kind of process than the one that runs.
// Tested by test/cli/changeable.test.ts, test/cli/reload.test.ts and test/cluster/reload.test.ts.
import { isDeepStrictEqual } from "node:util";
import { addressIn, type ListenAddress } from "../config/address.ts";
import type { Settings } from "../config/config.ts";
import { hasEmbedded } from "../config/embedded.ts";
import { SallyportError } from "../exchange/index.ts";
import type { Reread } from "../server/change.ts";

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

/** What the server is like that reads its configuration again. */
export interface ChangeableServer {
  readonly settings: Settings;
  /** Where paths of Unix sockets start. */
  readonly directory: string;
  /** There is a supervisor. */
  readonly isSupervised: boolean;
}

/** Reads what a server that started as `server` can become after the reloads that have succeeded so far. Rejects with RESTART_NEEDED, too. */
export function rereadChangeable(server: ChangeableServer, reread: Reread): Reread {
  let present = server.settings;
  return async (made) => {
    const before = present;
    present = changeable({ ...server, settings: before }, await reread(made));
    made(() => {
      present = before;
    });
    return present;
  };
}

/** `next`, where the server can become that. Throws RESTART_NEEDED. */
export function changeable(server: ChangeableServer, next: Settings): Settings {
  const { settings: present, directory, isSupervised } = server;
  if (isCluster(next) && !isSupervised)
    throw restartNeeded(
      next.serverProcesses > 1
        ? `serverProcesses from 1 to ${next.serverProcesses}`
        : "an app to embedded mode",
      "this server runs without a supervisor of server processes",
    );
  for (const [key, why] of Object.entries(FIXED) as [keyof typeof FIXED, string][])
    if (!isDeepStrictEqual(next[key], present[key])) throw restartNeeded(key, why);
  const placed = ({ listen }: Settings): ListenAddress[] =>
    listen.map((address) => addressIn(directory, address));
  checkSocketFiles(placed(present), placed(next));
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
