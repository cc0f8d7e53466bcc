// One front: a server process among several that share the listening sockets. Its supervisor tells it when to stop.
import { SallyportError } from "../exchange/index.ts";
import type { Server } from "../server/server.ts";
import { noteUncaught } from "../server/uncaught.ts";
import type { Seat } from "./board.ts";
import { BEAT, FAREWELL, type FromFront, type ToFront } from "./messages.ts";

/** Serves until the supervisor says otherwise, or is gone itself. Gives the exit code; rejects when it cannot start. */
export async function runFront(server: Server, seat: Seat, debug: boolean): Promise<number> {
  const ended = untilEnded(server, seat, debug);
  const started = start(server);
  await Promise.race([started, ended]);
  return ended;
}

async function start(server: Server): Promise<void> {
  try {
    await server.start();
    tell({ say: "ready" });
    setInterval(() => tell({ say: "beat" }), BEAT).unref();
  } catch (error) {
    if (SallyportError.from(error).code !== "ERR_SALLYPORT_STOPPING") throw error;
  }
}

function untilEnded(server: Server, seat: Seat, debug: boolean): Promise<number> {
  return new Promise((resolve) => {
    const stop = (code: number): void => {
      seat.leave();
      void server.stop().then(() => resolve(code));
    };
    const act: Readonly<Record<ToFront["do"], () => void>> = {
      stop: () => stop(0),
      leave: () => void leave(server, seat).then(() => stop(0)),
      reopen: () => server.reopenLogs(),
    };
    process.on("message", (message: ToFront) => act[message.do]());
    // The supervisor is gone, however that came: nobody would start us again, or stop us.
    process.on("disconnect", () => stop(0));
    // A terminal signals all of us at once; that is for the supervisor to hear.
    for (const signal of ["SIGINT", "SIGHUP", "SIGUSR1"]) process.on(signal, () => {});
    process.on("SIGTERM", () => stop(0));
    process.on("unhandledRejection", (error) => noteUncaught(server.log, error, debug));
    process.on("uncaughtException", (error) => {
      noteUncaught(server.log, error, debug);
      stop(1);
    });
  });
}

/** What waits to be accepted is for the others. */
async function leave(server: Server, seat: Seat): Promise<void> {
  seat.leave();
  await server.leave();
  await seat.empty(FAREWELL);
}

function tell(message: FromFront): void {
  if (process.connected) process.send?.(message, undefined, undefined, () => {});
}
