// A process that listens at a Unix socket and stays, for the interfaces whose applications the server does not start by itself (SCGI,
// uwsgi). It is started again when it ends, after a pause when it keeps dying young.
import { rm } from "node:fs/promises";
import { connect } from "node:net";
import { setTimeout as delay } from "node:timers/promises";
import { type Log, SallyportError } from "../exchange/index.ts";
import {
  ApplicationOutput,
  BackOff,
  type Child,
  describeExit,
  type Exit,
  inheritedEnvironment,
  startChild,
} from "../processes/index.ts";

export interface ApplicationOptions {
  /** The program and its arguments; the path of the socket comes last. */
  readonly command: readonly string[];
  readonly socket: string;
  readonly directory: string;
  readonly log: Log;
  /** For the first process to listen, in milliseconds (60 s). */
  readonly startTimeout?: number;
}

const START_TIMEOUT = 60_000;
/** Between two looks whether it listens. */
const LOOK_INTERVAL = 20;
/** Between TERM and KILL. */
const STOP_GRACE = 1_000;

export class ListeningApplication {
  readonly #options: ApplicationOptions;
  readonly #backOff = new BackOff();
  #child: Child | undefined;
  #startedAt = 0;
  #pause: NodeJS.Timeout | undefined;
  #closed = false;
  #starting: Promise<void> | undefined;
  /** Processes that were started. */
  started = 0;
  /** Requests that the present process has been given. */
  requests = 0;

  constructor(options: ApplicationOptions) {
    this.#options = options;
  }

  /** Of the present process; undefined while there is none. */
  get pid(): number | undefined {
    return this.#child?.pid;
  }

  /** Milliseconds. */
  get age(): number {
    return performance.now() - this.#startedAt;
  }

  /** Resolves when it listens. Rejects with SPAWN_FAILED. */
  async start(): Promise<void> {
    await this.#launch();
    const deadline = performance.now() + (this.#options.startTimeout ?? START_TIMEOUT);
    while (!(await accepts(this.#options.socket))) {
      if (performance.now() > deadline || this.started > 1 || this.#closed)
        throw new SallyportError(
          "SPAWN_FAILED",
          `${this.#options.command.join(" ")} does not listen; see the log`,
        );
      await delay(LOOK_INTERVAL);
    }
  }

  /** TERM, and KILL if it has not ended a second later. Never rejects. */
  async close(): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#pause);
    await this.#starting;
    await this.#child?.stop(STOP_GRACE);
  }

  #launch(): Promise<void> {
    this.#starting = this.#replace();
    return this.#starting;
  }

  /** The socket of the one before is in the way. Never rejects. */
  async #replace(): Promise<void> {
    const { socket } = this.#options;
    await rm(socket, { force: true }).catch(() => {});
    if (this.#closed) return;
    const child = this.#spawn();
    this.#child = child;
    this.#startedAt = performance.now();
    this.requests = 0;
    this.started++;
    void child.exited.then((exit) => this.#ended(exit));
  }

  #spawn(): Child {
    const { command, socket, directory, log } = this.#options;
    const [program = "", ...args] = command;
    const output = new ApplicationOutput(log, () => ({ program, pid: child.pid }));
    const child = startChild({
      command: program,
      args: [...args, socket],
      env: inheritedEnvironment([]),
      cwd: directory,
      onLine: (line, descriptor) => output.line(line, descriptor),
    });
    void child.printed.then(() => output.end());
    return child;
  }

  #ended(exit: Exit): void {
    this.#child = undefined;
    if (this.#closed) return;
    const pause = this.#backOff.after(this.age, this.requests > 0, exit);
    const message = `${this.#options.command.join(" ")} ${describeExit(exit)}; another starts${pause > 0 ? ` in ${pause} ms` : ""}`;
    this.#options.log.error(message, { code: "ERR_SALLYPORT_WORKER_DIED" });
    this.#pause = setTimeout(() => void this.#launch(), pause);
  }
}

function accepts(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path);
    socket.once("connect", () => resolve(true)).once("error", () => resolve(false));
    socket.once("connect", () => socket.destroy());
  });
}
