// `sallyport serve`: a target, or a configuration, served until a signal says otherwise; or for one request, when a web
// server started us as a CGI program.

import { type ServerProcessTask, takeTask } from "../cluster/messages.ts";
import type { AppSettings, Settings } from "../config/config.ts";
import { SallyportError } from "../exchange/index.ts";
import { serverLog } from "../logs/log.ts";
import { descriptorSink } from "../logs/sinks.ts";
import { guess, placesOf } from "../server/guess.ts";
import { runProgram } from "../server/program.ts";
import { exitCodeOf, reportError } from "../server/report.ts";
import { serverOf } from "../server/server.ts";
import { type CommandLine, type Flags, usage } from "./options.ts";
import { asTold, namesAddress, serveSettingsOf } from "./settings.ts";
import { targetOf } from "./target.ts";

/** Milliseconds for a front to start, where the applications have limits of their own. */
const START = 300_000;
/** Milliseconds for importing an application, and for all else that a front does before it serves. */
const START_DEFAULT = 60_000;
const STARTING = 15_000;

/** Gives the exit code. Throws a SallyportError when it cannot start. */
export async function serveCommand({ flags, words }: CommandLine): Promise<number> {
  const [word, extra] = words;
  if (extra !== undefined) throw usage(`one target at a time: ${word}, and then ${extra}`);
  const here = process.cwd();
  const { settings, directory } = await serveSettingsOf(
    targetOf(word, flags.config, here, wantedOf(flags)),
    flags,
    here,
  );
  try {
    return await serveAs(settings, directory, flags, here);
  } catch (reason) {
    // Not left to the command: how the log is to be written may stand in the configuration.
    const error = SallyportError.from(reason);
    reportError(error, settings.log);
    return exitCodeOf(error);
  }
}

/** The interface that the options ask for, if they do. */
const wantedOf = ({ interface: wanted }: Flags): "wsgi" | "asgi" | undefined =>
  wanted === "auto" ? undefined : wanted;

/** As whoever started us wants it. */
async function serveAs(settings: Settings, directory: string, flags: Flags, here: string): Promise<number> {
  const task = takeTask();
  if (task) return front(task, settings, directory);
  const start = flags.reload ? developing(flags) : run;
  if (namesAddress(flags)) return start(settings, directory);
  // Whoever started us knows better where to listen than a file or a default.
  const started = guess();
  if (started.by === "cgi") return serverOf(settings, { directory }).answerCgi(started.nph);
  const listen = placesOf(started, settings.listen).map((address) => asTold(address, flags, here));
  return start({ ...settings, listen }, directory);
}

const developing =
  (flags: Flags) =>
  async (settings: Settings, directory: string): Promise<number> => {
    const { develop } = await import("./dev.ts");
    return develop(settings, directory, flags);
  };

async function run(settings: Settings, directory: string): Promise<number> {
  if (settings.fronts > 1 || embeddedApps(settings).length > 0) return superviseFronts(settings);
  const { started, ended } = runProgram(serverOf(settings, { directory }), settings.log);
  await started;
  return ended;
}

/** They may hang in a call, and then their process hears no signal: somebody else must. */
const embeddedApps = ({ apps }: Settings): AppSettings[] =>
  Object.values(apps).filter((app) => "mode" in app && app.mode === "embedded");

async function superviseFronts(settings: Settings): Promise<number> {
  const { supervise } = await import("../cluster/supervisor.ts");
  const { fronts: count, listen, grace, frontTimeout: timeout, log: manner } = settings;
  const log = serverLog({ ...manner, sink: descriptorSink(2) });
  return supervise({ count, listen, grace, timeout, startTimeout: startTimeoutOf(settings), log, manner });
}

/** Embedded applications are imported one after the other, and one that hangs then nobody ends but the supervisor. */
function startTimeoutOf(settings: Settings): number {
  if (embeddedApps(settings).length === 0) return START;
  const limits = Object.values(settings.apps).map((app) => "startTimeout" in app && app.startTimeout);
  return STARTING + limits.reduce<number>((sum, limit) => sum + (limit || START_DEFAULT), 0);
}

/** We are one of several fronts: this command line was started once more, with sockets. */
async function front(task: ServerProcessTask, settings: Settings, directory: string): Promise<number> {
  const { runServerProcess } = await import("../cluster/front.ts");
  const { Slot } = await import("../cluster/scoreboard.ts");
  const { InheritedDescriptor, releaseLow } = await import("../cluster/descriptors.ts");
  releaseLow(task.channel);
  const seat = new Slot(task.board, task.seat);
  const own = { ...settings, listen: [...task.listen] };
  const server = serverOf(own, { directory, accepted: (socket) => seat.count(socket) });
  return runServerProcess(
    server,
    seat,
    new InheritedDescriptor(task.channel),
    settings.log.level === "debug",
  );
}
