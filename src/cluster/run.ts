// Runs one of several server processes that share the listening sockets. Its supervisor tells it when to stop.
// Tested by test/cluster/supervisor.test.ts.
import { sentErrorOf } from "../control/sent-error.ts";
import { SallyportError } from "../exchange/index.ts";
import type { LogTail } from "../logs/tail.ts";
import type { Snapshot } from "../metrics/index.ts";
import { logConsole } from "../server/console.ts";
import type { Server } from "../server/server.ts";
import { logUncaught } from "../server/uncaught.ts";
import type { InheritedDescriptor } from "./descriptors.ts";
import {
  EXIT_GRACE,
  type FromServerProcess,
  HEARTBEAT_INTERVAL,
  hear,
  type Question,
  type RequestCounts,
  STOPPING_INTERVAL,
  type ToServerProcess,
} from "./messages.ts";
import type { Slot } from "./scoreboard.ts";

type Told<D extends ToServerProcess["do"]> = Extract<ToServerProcess, { do: D }>;

export interface ServerProcessRun {
  readonly server: Server;
  readonly slot: Slot;
  readonly channel: InheritedDescriptor;
  readonly debug: boolean;
  /** Requests of embedded apps, where they are limited. */
  readonly requests: (() => RequestCounts) | undefined;
  /** What it has counted, where there are metrics. */
  readonly counts: (() => Snapshot) | undefined;
  /** The last lines of its log, where something reads them. */
  readonly tail: LogTail | undefined;
}

/** Lines that the supervisor gets at the end of the process. */
const LAST_LINES = 50;

/** Serves until the supervisor stops it, or is gone. Gives the exit code; rejects when it cannot start. */
export async function runServerProcess(options: ServerProcessRun): Promise<number> {
  logConsole(options.server.log);
  const ended = untilEnded(options);
  const started = start(options);
  await Promise.race([started, ended]);
  return ended;
}

async function start({ server, slot, channel, counts, requests }: ServerProcessRun): Promise<void> {
  try {
    await server.start();
    const beat = (message: FromServerProcess): void => {
      // Where the supervisor is gone, Node itself has closed the channel.
      if (!slot.intact || (process.connected && !channel.intact)) endWithoutDescriptors(server);
      send(message);
      sendCounts(counts);
    };
    beat({ say: "ready" });
    setInterval(() => beat({ say: "beat", requests: requests?.() }), HEARTBEAT_INTERVAL).unref();
  } catch (error) {
    if (SallyportError.from(error).code === "ERR_SALLYPORT_STOPPING") return;
    send({ say: "failed", failure: sentErrorOf(error) });
    throw error;
  }
}

/** Our messages might now go to a client, or into a file of the application. The supervisor starts another process. */
function endWithoutDescriptors(server: Server): never {
  server.log.error(
    "an application closed descriptors of the server's: this server process ends; close only what you have opened",
  );
  process.exit(1);
}

function untilEnded({ server, slot, debug, counts, tail }: ServerProcessRun): Promise<number> {
  return new Promise((resolve) => {
    const stop = (code: number): void => {
      slot.leave();
      const tell = (): void => {
        const { inFlight = 0, cut = 0 } = server.status();
        send({ say: "stopping", inFlight, cut });
      };
      const timer = setInterval(tell, STOPPING_INTERVAL).unref();
      tell();
      void server.stop().then(async () => {
        clearInterval(timer);
        tell();
        await sendCounts(counts);
        if (tail) await send({ say: "log", lines: tail.since(0).slice(-LAST_LINES) });
        resolve(code);
      });
    };
    const act: { readonly [D in ToServerProcess["do"]]: (message: Told<D>) => void } = {
      stop: () => stop(0),
      leave: ({ patience }) => void leave(server, slot, patience).then(() => stop(0)),
      reopen: () => server.reopenLogs(),
      answer: ({ id, question }) => {
        if (question.ask === "status") void sendCounts(counts);
        void answer(server, id, question);
      },
    };
    hear((message) => act[message.do](message as never));
    // The supervisor is gone: nothing would restart or stop us.
    process.on("disconnect", () => stop(0));
    // A terminal signals the whole process group; only the supervisor acts on it.
    for (const signal of ["SIGINT", "SIGQUIT", "SIGHUP", "SIGUSR1", "SIGUSR2"]) process.on(signal, () => {});
    process.on("SIGTERM", () => stop(0));
    process.on("unhandledRejection", (error) => logUncaught(server.log, error, debug));
    process.on("uncaughtException", (error) => {
      logUncaught(server.log, error, debug);
      stop(1);
    });
  });
}

/** The other server processes accept the connections that wait. */
async function leave(server: Server, slot: Slot, patience: number): Promise<void> {
  slot.leave();
  await server.leave(patience);
  await slot.empty(EXIT_GRACE);
}

async function answer(server: Server, id: number, question: Question): Promise<void> {
  try {
    send({ say: "answer", id, value: await answerTo(server, question) });
  } catch (error) {
    send({ say: "answer", id, failure: sentErrorOf(error) });
  }
}

async function answerTo(server: Server, question: Question): Promise<unknown> {
  if (question.ask === "status") return server.status();
  if (question.ask === "stacks") return server.stacks(question.app);
  if (question.ask === "inspect") return server.inspect(question.question);
  if (question.ask === "restart") return server.restart(question.app);
  return server.scale(question.app, question.bounds);
}

/** Resolves once the message has left: the process may end then. */
function send(message: FromServerProcess): Promise<void> {
  return new Promise((resolve) => {
    if (process.connected) process.send?.(message, undefined, undefined, () => resolve());
    else resolve();
  });
}

async function sendCounts(counts: ServerProcessRun["counts"]): Promise<void> {
  if (counts) await send({ say: "counts", counts: counts() });
}
