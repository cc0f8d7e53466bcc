// One of several server processes: this command line, which its supervisor has started once more. It loads nothing of what
// reads command lines and configurations: clients wait until it serves, and at a reload there is one after the other.
// Tested by test/cluster/supervisor.test.ts.
import type { Socket } from "node:net";
import { InheritedDescriptor, releaseLow } from "../cluster/descriptors.ts";
import { type RequestCounts, type ServerProcessTask, takeHanded } from "../cluster/messages.ts";
import { runServerProcess } from "../cluster/run.ts";
import { Slot } from "../cluster/scoreboard.ts";
import type { Settings } from "../config/config.ts";
import { embeddedLimits, withoutEmbeddedLimits } from "../config/embedded.ts";
import { knowLibraries } from "../embedded/library.ts";
import { isOwnVariable } from "../processes/index.ts";
import { becomeAccount, serverAccount } from "../server/privileges.ts";
import { reportFailure } from "../server/report.ts";
import { type Server, serverOf } from "../server/server.ts";
import { countsOf, prepareCounts } from "./counts.ts";

/** Serves what the supervisor sends. Gives the exit code. */
export async function handedProcess(task: ServerProcessTask): Promise<number> {
  const { settings, directory, libraries } = await takeHanded();
  knowLibraries(libraries);
  try {
    return await serverProcess(task, settings, directory);
  } catch (reason) {
    return reportFailure(reason, settings.log);
  }
}

/** The supervisor started this command line once more, with the sockets. It has logged the old names already. */
export async function serverProcess(
  task: ServerProcessTask,
  settings: Settings,
  directory: string,
): Promise<number> {
  releaseLow(task.channel);
  const slot = new Slot(task.scoreboard, task.slot);
  const own = { ...withoutEmbeddedLimits(settings), listen: [...task.listen], renamed: [] };
  const counts = await prepareCounts(settings);
  const account = await serverAccount(settings);
  const server = serverOf(own, {
    directory,
    ownProcess: true,
    accepted: (socket: Socket) => slot.count(socket),
    ...countsOf(counts),
    ...(account ? { beforeApps: () => becomeAccount(account) } : {}),
  });
  hideOwnVariables();
  return runServerProcess({
    server,
    slot,
    channel: new InheritedDescriptor(task.channel),
    debug: settings.log.level === "debug",
    counts: counts?.snapshotOf(server),
    tail: counts?.tail,
    requests: requestsOf(server, embeddedLimits(settings)),
  });
}

/** Requests of the apps that are limited in number. */
function requestsOf(
  server: Server,
  limits: ReturnType<typeof embeddedLimits>,
): (() => RequestCounts) | undefined {
  const counted = [...limits].filter(([, { maxRequests }]) => maxRequests > 0).map(([name]) => name);
  if (counted.length === 0) return undefined;
  return () => {
    const { apps } = server.status();
    return Object.fromEntries(counted.map((name) => [name, apps[name]?.requests ?? 0]));
  };
}

/** All are read by now, and embedded Python has this process's environment. */
function hideOwnVariables(): void {
  for (const name of Object.keys(process.env)) if (isOwnVariable(name)) delete process.env[name];
}
