// `sallyport serve`: serves a target or a configuration until a signal stops it, or one request when a web server has
// started us as a CGI program.

import { resolve } from "node:path";
import type { ServerProcessTask } from "../cluster/messages.ts";
import type { Settings } from "../config/config.ts";
import type { Attach } from "../control/operations.ts";
import type { Log } from "../exchange/index.ts";
import { descriptorSink } from "../logs/sinks.ts";
import type { Reread } from "../server/change.ts";
import { logConsole } from "../server/console.ts";
import { guess, placesOf } from "../server/guess.ts";
import { checkPidFile, keepPidFile } from "../server/pid-file.ts";
import { serverAccount, warnOfRoot } from "../server/privileges.ts";
import { noAttachment, runProgram } from "../server/program.ts";
import { reportFailure } from "../server/report.ts";
import { serverOf } from "../server/server.ts";
import { SwitchableLog } from "../server/switchable-log.ts";
import { attachAll, prepareAdmin, prepareClusterAdmin } from "./admin.ts";
import { isCluster, rereadChangeable } from "./changeable.ts";
import { type CommandLine, usage } from "./command-line.ts";
import { countsOf } from "./counts.ts";
import { givenOf } from "./given.ts";
import type { Flags } from "./options.ts";
import { namesAddress, type ServeSettings, serveSettingsOf, withOptions } from "./settings.ts";
import type { ServeTarget } from "./target.ts";

/** What is served, and how it is read again. */
export interface ServePlan {
  readonly settings: Settings;
  readonly directory: string;
  readonly flags: Flags;
  /** The working directory. */
  readonly here: string;
  readonly reread: Reread;
  /** Path of the configuration file, if there is one. */
  readonly config: string | undefined;
}

/**
 * Gives the exit code. Throws a SallyportError when it cannot start. `task`: of a server process whose settings its
 * supervisor cannot send.
 */
export async function serveCommand(line: CommandLine, task?: ServerProcessTask): Promise<number> {
  const { words, renamed } = line;
  const [word, extra] = words;
  if (extra !== undefined) throw usage(`one target at a time: ${word}, and then ${extra}`);
  const here = process.cwd();
  const { target, flags, warnings, readVariables } = givenOf(line.flags, word, here, task !== undefined);
  const read = (): Promise<ServeSettings> => serveSettingsOf(target, flags, here);
  const { settings, directory } = await read();
  if (settings.umask !== undefined) process.umask(settings.umask);
  const all = { ...settings, renamed: [...warnings, ...renamed, ...(settings.renamed ?? [])] };
  const reread: Reread = async (made) => {
    made(readVariables());
    return (await read()).settings;
  };
  try {
    if (task) {
      const { serverProcess } = await import("./server-process.ts");
      return await serverProcess(task, settings, directory);
    }
    return await serveAs({ settings: all, directory, flags, here, reread, config: configOf(target) });
  } catch (reason) {
    // Not left to the caller: the configuration may say how the log is written.
    return reportFailure(reason, settings.log);
  }
}

const configOf = ({ kind, name }: ServeTarget): string | undefined => (kind === "config" ? name : undefined);

/** As a server, or as a CGI program: as this process was started. */
async function serveAs(plan: ServePlan): Promise<number> {
  const { settings, directory, flags, here, reread } = plan;
  if (namesAddress(flags)) return run(plan);
  // A parent that passes a socket on knows better where to listen than a file or a default.
  const started = guess();
  if (started.by === "cgi") return serverOf(settings, { directory, ownProcess: true }).answerCgi(started.nph);
  const placed = (read: Settings): Settings => ({
    ...read,
    listen: placesOf(started, read.listen).map((address) => withOptions(address, flags, here)),
  });
  return run({ ...plan, settings: placed(settings), reread: async (made) => placed(await reread(made)) });
}

async function run(plan: ServePlan): Promise<number> {
  const { settings, directory, flags } = plan;
  if (settings.pidFile !== undefined) checkPidFile(settings.pidFile);
  if (flags.reload) {
    const { develop } = await import("./dev.ts");
    return develop(plan);
  }
  const isSupervised = isCluster(settings) || (await serverAccount(settings)) !== undefined;
  const reread = rereadChangeable({ settings, directory, isSupervised }, plan.reread);
  if (isSupervised) return superviseProcesses({ ...plan, reread });
  const admin = await prepareAdmin(settings, directory);
  const server = serverOf(settings, { directory, ownProcess: true, reread, ...countsOf(admin) });
  const attach = attachAll(controlled(plan, server.log), admin?.attach(server));
  const { started, ended } = runProgram(server, settings.log, attach);
  if ((await started).length > 0) onServing(server.log, settings);
  return ended;
}

async function superviseProcesses({ settings, directory, reread }: ServePlan): Promise<number> {
  const { supervise } = await import("../cluster/supervisor.ts");
  const admin = await prepareClusterAdmin(settings, directory);
  const { tail, totals } = admin ?? {};
  const sink = descriptorSink(2);
  const log = new SwitchableLog({ ...settings.log, sink, tail });
  logConsole(log);
  for (const line of settings.renamed ?? []) log.warn(line);
  const attach = attachAll(controlled({ settings, directory }, log), admin?.attach(log));
  const serving = (): void => onServing(log, settings);
  try {
    const plan = { settings, directory };
    const logged = (): Promise<void> => sink.close();
    return await supervise({ plan, reread, log, logged, attach, serving, totals, tail });
  } finally {
    await sink.close(); // the last lines
  }
}

/** Once, in the main process. */
function onServing(log: Log, settings: Settings): void {
  warnOfRoot(log, settings);
  if (settings.pidFile !== undefined) keepPidFile(settings.pidFile);
}

/** Opens the control socket that the settings want. */
export const controlled =
  ({ settings, directory }: Pick<ServePlan, "settings" | "directory">, log: Log): Attach =>
  async (operations) => {
    const { control } = settings;
    if (control === "off") return noAttachment(operations);
    const { openControlSocket, openDefaultSocket } = await import("../control/socket.ts");
    if (control === undefined) return openDefaultSocket(operations, log);
    return openControlSocket({ path: resolve(directory, control), operations });
  };
