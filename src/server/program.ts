// The life of a server that has a process for itself, under a process manager, in a container or in a terminal: it says
// where it listens, obeys signals, and survives the uncaught errors of apps.
// Tested by test/server/serve.test.ts.
import { syncBuiltinESMExports } from "node:module";
import { constants } from "node:os";
import type { Attach, Attached, Operations } from "../control/operations.ts";
import { SallyportError } from "../exchange/index.ts";
import { logConsole } from "./console.ts";
import { type Notifier, notifierOf } from "./notify.ts";
import { ServerOperations } from "./operations.ts";
import { announce, announceCut, type ReportStyle, reportError } from "./report.ts";
import type { Server } from "./server.ts";
import { StopReport } from "./stop-report.ts";
import { logUncaught } from "./uncaught.ts";

export interface ServerProgram {
  /** The URLs; empty when a signal came first. Rejects with a SallyportError. */
  readonly started: Promise<readonly string[]>;
  /** The exit code, once a signal, an operation or an uncaught error has ended the server. */
  readonly ended: Promise<number>;
}

/** Starts `server`, whose log is written in this style; `attach` is called before, with what can be asked of it. */
export function runProgram(server: Server, style: ReportStyle, attach: Attach = noAttachment): ServerProgram {
  logConsole(server.log);
  const life = new Life(server, style);
  life.obeySignals();
  // A signal may come while an app still starts: then we do not wait for it.
  const started = Promise.race([life.start(attach), life.ended.then(() => [])]);
  return { started, ended: life.ended };
}

/** SIGQUIT: by it nginx, PHP-FPM and uWSGI are stopped, and so their units and images say. */
export const STOPS = ["SIGTERM", "SIGINT", "SIGQUIT"] as const;
/** It reloads PHP-FPM, and replaces the program of gunicorn: ended by it, a server would cut its requests. */
export const NO_MEANING = "SIGUSR2 means nothing to this server: SIGHUP reloads it, SIGTERM stops it";

/** Nothing stands beside the server. */
export const noAttachment: Attach = async () => ({ close: async () => {} });

class Life {
  readonly ended: Promise<number>;
  readonly #server: Server;
  readonly #style: ReportStyle;
  readonly #notifier: Promise<Notifier>;
  readonly #operations: Operations;
  #end!: (code: number) => void;
  #stopping = false;
  #attached: Promise<Attached> | undefined;

  constructor(server: Server, style: ReportStyle) {
    this.#server = server;
    this.#style = style;
    this.#notifier = notifierOf(process.env, server.log);
    this.#operations = new ServerOperations({ server, notifier: this.#notifier, stop: () => this.#stop(0) });
    this.ended = new Promise((resolve) => {
      this.#end = resolve;
    });
  }

  async start(attach: Attach): Promise<readonly string[]> {
    const gone = (code: number): void => {
      if (!this.#stopping) reportExit(code, this.#style);
    };
    process.once("exit", gone);
    try {
      return await this.#start(attach);
    } catch (error) {
      if (SallyportError.from(error).code !== "ERR_SALLYPORT_STOPPING") throw error;
      return [];
    } finally {
      process.off("exit", gone);
    }
  }

  async #start(attach: Attach): Promise<readonly string[]> {
    this.#attached = attach(this.#operations);
    const attached = await this.#attached;
    try {
      const urls = await this.#server.start();
      announce(this.#server.summaries(), urls, this.#style);
      (await this.#notifier).ready(urls);
      return urls;
    } catch (error) {
      await attached.close();
      throw error;
    }
  }

  obeySignals(): void {
    const { log } = this.#server;
    passOverOwnSignals(() => this.#stopping);
    const debug = this.#style.level === "debug"; // the stack of an uncaught error may be one of ours
    for (const signal of STOPS)
      process.on(signal, () => (this.#stopping ? force(this.#style) : this.#stop(0)));
    // The log has the reason of a failure.
    process.on("SIGHUP", () => void this.#operations.reload().catch(() => {}));
    process.on("SIGUSR1", () => this.#server.reopenLogs());
    process.on("SIGUSR2", () => log.warn(NO_MEANING));
    process.on("unhandledRejection", (error) => logUncaught(log, error, debug));
    process.on("uncaughtException", (error) => {
      logUncaught(log, error, debug);
      this.#stop(1);
    });
  }

  #stop(code: number): void {
    if (this.#stopping) return;
    this.#stopping = true;
    syncBuiltinESMExports(); // `import { kill } from "node:process"` is ours from now on
    void this.#notifier.then((notifier) => notifier.stopping());
    const inFlight = (): number => this.#server.status().inFlight ?? 0;
    const report = new StopReport({ style: this.#style, inFlight });
    void this.#stopAll().then(() => {
      report.end(this.#server.status().cut ?? 0);
      this.#end(code);
    });
  }

  /** What is attached goes last, so that it can be asked how far the server is. */
  async #stopAll(): Promise<void> {
    await this.#server.stop();
    const attached = await this.#attached?.catch(() => undefined);
    await attached?.close();
  }
}

/** An app in this process may call `process.exit` while it is imported; without this, nothing would say why. */
function reportExit(code: number, style: ReportStyle): void {
  const message = `the application ended the server, with exit code ${code}, while it was being loaded`;
  reportError(new SallyportError("APP_IMPORT", message), style);
  if (code === 0) process.exitCode = 1;
}

const STOPPING: ReadonlySet<string | number> = new Set(
  STOPS.flatMap((name) => [name, constants.signals[name]]),
);

/**
 * Libraries that clean up at a signal (NestJS, Apollo Server, terminus) send it to their own process once more when they are
 * done, which ends a process that nobody else ends. It is no second signal: that one comes from outside. Called before apps are
 * loaded, so that `const { kill } = process` of theirs is this one.
 */
function passOverOwnSignals(isStopping: () => boolean): void {
  const { kill } = process;
  process.kill = (pid, signal = "SIGTERM") =>
    (isStopping() && pid === process.pid && STOPPING.has(signal)) || kill.call(process, pid, signal);
}

/** The second signal: waits for nothing. Our processes are killed on the way out. */
function force(style: ReportStyle): void {
  announceCut(style);
  process.exit(1);
}
