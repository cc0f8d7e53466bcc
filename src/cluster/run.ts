// Runs one of several server processes that share the listening sockets. Its supervisor tells it when to stop.
// Tested by test/cluster/supervisor.test.ts.
import { sentErrorOf } from "../control/sent-error.ts";
import { SallyportError } from "../exchange/index.ts";
import type { Server } from "../server/server.ts";
import { logUncaught } from "../server/uncaught.ts";
import type { InheritedDescriptor } from "./descriptors.ts";
import {
  EXIT_GRACE,
  type FromServerProcess,
  HEARTBEAT_INTERVAL,
  type Question,
  type ToServerProcess,
} from "./messages.ts";
import type { Slot } from "./scoreboard.ts";

type Told<D extends ToServerProcess["do"]> = Extract<ToServerProcess, { do: D }>;

/** Serves until the supervisor stops it, or is gone. Gives the exit code; rejects when it cannot start. */
export async function runServerProcess(
  server: Server,
  slot: Slot,
  channel: InheritedDescriptor,
  debug: boolean,
): Promise<number> {
  const ended = untilEnded(server, slot, debug);
  const started = start(server, () => slot.intact && channel.intact);
  await Promise.race([started, ended]);
  return ended;
}

async function start(server: Server, intact: () => boolean): Promise<void> {
  try {
    await server.start();
    const beat = (message: FromServerProcess): void => {
      if (intact()) send(message);
      else endWithoutDescriptors(server);
    };
    beat({ say: "ready" });
    setInterval(() => beat({ say: "beat" }), HEARTBEAT_INTERVAL).unref();
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

function untilEnded(server: Server, slot: Slot, debug: boolean): Promise<number> {
  return new Promise((resolve) => {
    const stop = (code: number): void => {
      slot.leave();
      void server.stop().then(() => resolve(code));
    };
    const act: { readonly [D in ToServerProcess["do"]]: (message: Told<D>) => void } = {
      stop: () => stop(0),
      leave: ({ patience }) => void leave(server, slot, patience).then(() => stop(0)),
      reopen: () => server.reopenLogs(),
      answer: ({ id, question }) => void answer(server, id, question),
    };
    process.on("message", (message: ToServerProcess) => act[message.do](message as never));
    // The supervisor is gone: nothing would restart or stop us.
    process.on("disconnect", () => stop(0));
    // A terminal signals the whole process group; only the supervisor acts on it.
    for (const signal of ["SIGINT", "SIGHUP", "SIGUSR1"]) process.on(signal, () => {});
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
  if (question.ask === "restart") return server.restart(question.app);
  return server.scale(question.app, question.bounds);
}

function send(message: FromServerProcess): void {
  if (process.connected) process.send?.(message, undefined, undefined, () => {});
}
