// The life of a server that has a process for itself, under a process manager, in a container or in a terminal: it says
// where it listens, obeys signals, and survives the uncaught errors of apps.
// Tested by test/server/serve.test.ts.
import { SallyportError } from "../exchange/index.ts";
import { logConsole } from "./console.ts";
import { type Notifier, notifierOf } from "./notify.ts";
import { announce, announceCut, type ReportStyle, reportError } from "./report.ts";
import type { Server } from "./server.ts";
import { logUncaught } from "./uncaught.ts";

export interface ServerProgram {
  /** The URLs; empty when a signal came first. Rejects with a SallyportError. */
  readonly started: Promise<readonly string[]>;
  /** The exit code, once a signal or an uncaught error has ended the server. */
  readonly ended: Promise<number>;
}

/** Starts `server`, whose log is written in this style. */
export function runProgram(server: Server, style: ReportStyle): ServerProgram {
  logConsole(server.log);
  const life: Life = { stopping: false, notifier: notifierOf(process.env, server.log) };
  const ended = untilEnded(server, style, life);
  // A signal may come while an app still starts: then we do not wait for it.
  const started = Promise.race([start(server, life, style), ended.then(() => [])]);
  return { started, ended };
}

interface Life {
  stopping: boolean;
  readonly notifier: Promise<Notifier>;
}

async function start(server: Server, life: Life, style: ReportStyle): Promise<readonly string[]> {
  const gone = (code: number): void => {
    if (!life.stopping) reportExit(code, style);
  };
  process.once("exit", gone);
  try {
    const urls = await server.start();
    announce(urls, style);
    (await life.notifier).ready(urls);
    return urls;
  } catch (error) {
    if (SallyportError.from(error).code !== "ERR_SALLYPORT_STOPPING") throw error;
    return [];
  } finally {
    process.off("exit", gone);
  }
}

/** An app in this process may call `process.exit` while it is imported; without this, nothing would say why. */
function reportExit(code: number, style: ReportStyle): void {
  const message = `the application ended the server, with exit code ${code}, while it was being loaded`;
  reportError(new SallyportError("APP_IMPORT", message), style);
  if (code === 0) process.exitCode = 1;
}

function untilEnded(server: Server, style: ReportStyle, life: Life): Promise<number> {
  const debug = style.level === "debug"; // the stack of an uncaught error may be one of ours
  return new Promise((resolve) => {
    const stop = (code: number): void => {
      life.stopping = true;
      void life.notifier.then((notifier) => notifier.stopping());
      void server.stop().then(() => resolve(code));
    };
    for (const signal of ["SIGTERM", "SIGINT"])
      process.on(signal, () => (life.stopping ? force(style) : stop(0)));
    process.on("SIGHUP", () => void reload(server, life));
    process.on("SIGUSR1", () => server.reopenLogs());
    process.on("unhandledRejection", (error) => logUncaught(server.log, error, debug));
    process.on("uncaughtException", (error) => {
      logUncaught(server.log, error, debug);
      stop(1);
    });
  });
}

/** The second signal: waits for nothing. Our processes are killed on the way out. */
function force(style: ReportStyle): void {
  announceCut(style);
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
