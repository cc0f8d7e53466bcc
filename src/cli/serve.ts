// `sallyport serve`: serves a target or a configuration until a signal stops it, or one request when a web server has
// started us as a CGI program.

import { type ServerProcessTask, takeTask } from "../cluster/messages.ts";
import type { AppSettings, Settings } from "../config/config.ts";
import { type Log, SallyportError } from "../exchange/index.ts";
import { serverLog } from "../logs/log.ts";
import { descriptorSink } from "../logs/sinks.ts";
import { isOwnVariable } from "../processes/index.ts";
import { guess, placesOf } from "../server/guess.ts";
import { checkPidFile, keepPidFile } from "../server/pid-file.ts";
import { becomeAccount, serverAccount, warnOfRoot } from "../server/privileges.ts";
import { runProgram } from "../server/program.ts";
import { exitCodeOf, reportError } from "../server/report.ts";
import { serverOf } from "../server/server.ts";
import { type CommandLine, usage } from "./command-line.ts";
import { envFilesOf, loadEnvFiles } from "./env-file.ts";
import type { Flags } from "./options.ts";
import { namesAddress, type ServeSettings, serveSettingsOf, withOptions } from "./settings.ts";
import { type ServeTarget, targetOf } from "./target.ts";
import { variablesIn, withVariables } from "./variables.ts";

/** Milliseconds for a server process to start, where the applications have limits of their own. */
const START = 300_000;
/** Milliseconds for importing an application, and for all else that a server process does before it serves. */
const START_DEFAULT = 60_000;
const STARTING = 15_000;

/** What is served, and how it is read again. */
export interface ServePlan {
  readonly settings: Settings;
  readonly directory: string;
  readonly flags: Flags;
  /** The working directory. */
  readonly here: string;
  readonly reread: () => Promise<Settings>;
  /** Path of the configuration file, if there is one. */
  readonly config: string | undefined;
}

/** Gives the exit code. Throws a SallyportError when it cannot start. */
export async function serveCommand(line: CommandLine): Promise<number> {
  const { words, renamed } = line;
  const [word, extra] = words;
  if (extra !== undefined) throw usage(`one target at a time: ${word}, and then ${extra}`);
  const here = process.cwd();
  const { reload, "env-file": named } = { ...variablesIn(process.env).flags, ...line.flags };
  const env = (): void => loadEnvFiles(envFilesOf(named, reload === true, here));
  env();
  const variables = variablesIn(process.env);
  const config = line.flags.config ?? (word === undefined ? variables.flags.config : undefined);
  const target = targetOf(word, config, here, wantedOf({ ...variables.flags, ...line.flags }));
  const { flags, warnings } = withVariables(line.flags, variables, target.kind);
  const read = (): Promise<ServeSettings> => serveSettingsOf(target, flags, here);
  const { settings, directory } = await read();
  if (settings.umask !== undefined) process.umask(settings.umask);
  const all = { ...settings, renamed: [...warnings, ...renamed, ...(settings.renamed ?? [])] };
  const reread = async (): Promise<Settings> => {
    env();
    return (await read()).settings;
  };
  try {
    return await serveAs({ settings: all, directory, flags, here, reread, config: configOf(target) });
  } catch (reason) {
    // Not left to the caller: the configuration may say how the log is written.
    const error = SallyportError.from(reason);
    reportError(error, settings.log);
    return exitCodeOf(error);
  }
}

const configOf = ({ kind, name }: ServeTarget): string | undefined => (kind === "config" ? name : undefined);

/** The interface that the options ask for, if they do. */
const wantedOf = ({ interface: wanted }: Flags): "wsgi" | "asgi" | undefined =>
  wanted === "auto" ? undefined : wanted;

/** As one server process of several, as a server, or as a CGI program: as this process was started. */
async function serveAs(plan: ServePlan): Promise<number> {
  const { settings, directory, flags, here, reread } = plan;
  const task = takeTask();
  if (task) return serverProcess(task, settings, directory);
  if (namesAddress(flags)) return run(plan);
  // A parent that passes a socket on knows better where to listen than a file or a default.
  const started = guess();
  if (started.by === "cgi") return serverOf(settings, { directory }).answerCgi(started.nph);
  const placed = (read: Settings): Settings => ({
    ...read,
    listen: placesOf(started, read.listen).map((address) => withOptions(address, flags, here)),
  });
  return run({ ...plan, settings: placed(settings), reread: async () => placed(await reread()) });
}

async function run({ settings, directory, flags, reread, config }: ServePlan): Promise<number> {
  if (settings.pidFile !== undefined) checkPidFile(settings.pidFile);
  if (flags.reload) {
    const { develop } = await import("./dev.ts");
    return develop({ settings, directory, flags, reread, config });
  }
  const account = await serverAccount(settings);
  if (account || settings.serverProcesses > 1 || embeddedApps(settings).length > 0)
    return superviseProcesses(settings);
  const server = serverOf(settings, { directory, reread });
  const { started, ended } = runProgram(server, settings.log);
  if ((await started).length > 0) onServing(server.log, settings);
  return ended;
}

/** A process that hangs in a call of theirs hears no signal, so that it needs a supervisor. */
const embeddedApps = ({ apps }: Settings): AppSettings[] =>
  Object.values(apps).filter((app) => "mode" in app && app.mode === "embedded");

async function superviseProcesses(settings: Settings): Promise<number> {
  const { supervise } = await import("../cluster/supervisor.ts");
  const { serverProcesses: count, listen, grace, serverProcessTimeout: timeout, log: style } = settings;
  const log = serverLog({ ...style, sink: descriptorSink(2) });
  for (const line of settings.renamed ?? []) log.warn(line);
  return supervise({
    count,
    listen,
    grace,
    timeout,
    startTimeout: startTimeoutOf(settings),
    log,
    style,
    serving: () => onServing(log, settings),
  });
}

/** Once, in the main process. */
function onServing(log: Log, settings: Settings): void {
  warnOfRoot(log, settings);
  if (settings.pidFile !== undefined) keepPidFile(settings.pidFile);
}

/** Embedded applications are imported one after the other, and only the supervisor can end an import that hangs. */
function startTimeoutOf(settings: Settings): number {
  if (embeddedApps(settings).length === 0) return START;
  const limits = Object.values(settings.apps).map((app) => "startTimeout" in app && app.startTimeout);
  return STARTING + limits.reduce<number>((sum, limit) => sum + (limit || START_DEFAULT), 0);
}

/** All are read by now, and embedded Python has this process's environment. */
function hideOwnVariables(): void {
  for (const name of Object.keys(process.env))
    if (isOwnVariable(name) && !(name === "SALLYPORT_LINT" && process.env[name] === "1"))
      delete process.env[name];
}

/** The supervisor started this command line once more, with the sockets. It has logged the old names already. */
async function serverProcess(
  task: ServerProcessTask,
  settings: Settings,
  directory: string,
): Promise<number> {
  const { runServerProcess } = await import("../cluster/run.ts");
  const { Slot } = await import("../cluster/scoreboard.ts");
  const { InheritedDescriptor, releaseLow } = await import("../cluster/descriptors.ts");
  releaseLow(task.channel);
  hideOwnVariables();
  const slot = new Slot(task.scoreboard, task.slot);
  const own = { ...settings, listen: [...task.listen], renamed: [] };
  const account = await serverAccount(settings);
  const server = serverOf(own, {
    directory,
    accepted: (socket) => slot.count(socket),
    ...(account ? { beforeApps: () => becomeAccount(account) } : {}),
  });
  return runServerProcess(
    server,
    slot,
    new InheritedDescriptor(task.channel),
    settings.log.level === "debug",
  );
}
