// The life of a server that has a process for itself, under a process manager, a container or a terminal: it says where
// it listens, obeys signals, and survives what apps leave to chance.
import { SallyportError } from "../exchange/index.ts";
import { type Notifier, notifierOf } from "./notify.ts";
import { announce, announceCut, type ReportStyle, reportError } from "./report.ts";
import type { Server } from "./server.ts";
import { noteUncaught } from "./uncaught.ts";

export interface ServerProgram {
  /** The URLs; empty when a signal came first. Rejects with a SallyportError. */
  readonly started: Promise<readonly string[]>;
  /** The exit code, once a signal, or a failure that nobody caught, has ended the server. */
  readonly ended: Promise<number>;
}

/** Starts `server`, whose log is written in this manner. */
export function runProgram(server: Server, manner: ReportStyle): ServerProgram {
  const life: Life = { stopping: false, notifier: notifierOf(process.env, server.log) };
  const ended = untilEnded(server, manner, life);
  // A signal may come while an app takes its time to start: then nobody waits for it.
  const started = Promise.race([start(server, life, manner), ended.then(() => [])]);
  return { started, ended };
}

interface Life {
  stopping: boolean;
  readonly notifier: Promise<Notifier>;
}

async function start(server: Server, life: Life, manner: ReportStyle): Promise<readonly string[]> {
  const gone = (code: number): void => {
    if (!life.stopping) complainOfExit(code, manner);
  };
  process.once("exit", gone);
  try {
    const urls = await server.start();
    announce(urls, manner);
    (await life.notifier).ready(urls);
    return urls;
  } catch (error) {
    if (SallyportError.from(error).code !== "ERR_SALLYPORT_STOPPING") throw error;
    return [];
  } finally {
    process.off("exit", gone);
  }
}

/** An app in this process may call `process.exit` while it is imported; nobody would know why nothing listens. */
function complainOfExit(code: number, manner: ReportStyle): void {
  const message = `the application ended the server, with exit code ${code}, while it was being loaded`;
  reportError(new SallyportError("APP_IMPORT", message), manner);
  if (code === 0) process.exitCode = 1;
}

function untilEnded(server: Server, manner: ReportStyle, life: Life): Promise<number> {
  const debug = manner.level === "debug"; // the stack of an error that nobody caught may be one of ours
  return new Promise((resolve) => {
    const stop = (code: number): void => {
      life.stopping = true;
      void life.notifier.then((notifier) => notifier.stopping());
      void server.stop().then(() => resolve(code));
    };
    for (const signal of ["SIGTERM", "SIGINT"])
      process.on(signal, () => (life.stopping ? force(manner) : stop(0)));
    process.on("SIGHUP", () => void reload(server, life));
    process.on("SIGUSR1", () => server.reopenLogs());
    process.on("unhandledRejection", (error) => noteUncaught(server.log, error, debug));
    process.on("uncaughtException", (error) => {
      noteUncaught(server.log, error, debug);
      stop(1);
    });
  });
}

/** The second signal: nothing is waited for. Processes of ours are killed on the way out. */
function force(manner: ReportStyle): void {
  announceCut(manner);
  process.exit(1);
}

async function reload(server: Server, { notifier }: Life): Promise<void> {
  (await notifier).reloading();
  try {
    await server.reload();
  } catch (error) {
    const { message, code, detail } = SallyportError.from(error);
    if (code === "ERR_SALLYPORT_STOPPING") return;
    server.log.error(`the reload failed and the old generation goes on: ${message}`, { code, detail });
  }
  (await notifier).ready(server.urls);
}
