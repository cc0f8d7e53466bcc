// One server process, as its supervisor sees it.
// Tested by test/cluster/process.test.ts and by test/cluster/supervisor.test.ts.
import { type ChildProcess, fork } from "node:child_process";
import { receivedError, type SentError, sentErrorOf } from "../control/sent-error.ts";
import { SallyportError } from "../exchange/index.ts";
import { timerDelay } from "../exchange/wait.ts";
import type { LogLine } from "../logs/tail.ts";
import type { Snapshot } from "../metrics/index.ts";
import { withoutDebugSignal } from "../processes/debug-signal.ts";
import type { Exit } from "../processes/exit.ts";
import { guard } from "../processes/guard.ts";
import { openFilesLimit } from "../server/descriptors.ts";
import { firstOwn, LOW } from "./descriptors.ts";
import {
  EXIT_GRACE,
  type FromServerProcess,
  type Handed,
  HEARTBEAT_INTERVAL,
  type Question,
  type RequestCounts,
  SERVER_PROCESS_VARIABLE,
  type ServerProcessTask,
  type ToServerProcess,
} from "./messages.ts";
import type { Scoreboard } from "./scoreboard.ts";
import type { SharedSockets } from "./shared-sockets.ts";
import { passedAs } from "./sockets.ts";

/** Milliseconds without a heartbeat after which a server process that should have ended counts as hung. */
const DEAF = 4 * HEARTBEAT_INTERVAL;
/**
 * Milliseconds beyond the grace, in which applications have their shutdown (lifespan: 12 s, workers/ending.ts), and for a stack
 * to be written down. One that hangs is ended sooner (`overdue`).
 */
const KILL_GRACE = 15_000;
const LAST_WORDS = 1_000;

/** What an answer says. */
type Said = Pick<Extract<FromServerProcess, { say: "answer" }>, "value" | "failure">;

export interface ServerProcessOptions {
  /** Of the server, as its supervisor counts them. */
  readonly generation: number;
  readonly sockets: SharedSockets;
  readonly scoreboard: Scoreboard;
  /** What it serves; undefined where that cannot be sent: it reads its configuration itself. */
  readonly handed: (() => Promise<Handed>) | undefined;
  /** Milliseconds that it has to start. */
  readonly startTimeout: number;
  /** Milliseconds for its requests when it stops. */
  readonly grace: number;
  /** Called when it serves no longer, though it was not told to stop. */
  readonly ending: () => void;
  /** Gets what it has counted, for the metrics. */
  readonly counted?: ((counts: Snapshot) => void) | undefined;
  /** Gets the last lines of its log when it ends. */
  readonly logged?: ((lines: readonly LogLine[]) => void) | undefined;
}

export class ServerProcess {
  /** Whether it started to serve; false when it ended before. */
  readonly ready: Promise<boolean>;
  readonly exited: Promise<Exit>;
  /** Milliseconds that it has to start. */
  readonly startTimeout: number;
  readonly generation: number;
  served = false;
  /** Why it could not start, if it has said so. */
  failure: SentError | undefined;
  /** It was told to end, or ends by itself. */
  leaving = false;
  /** What it said last while it stopped. */
  load: { readonly inFlight: number; readonly cut: number } = { inFlight: 0, cut: 0 };
  /** Requests that its embedded apps have been given, as far as it has said. */
  requests: RequestCounts = {};
  /** It hung, and is being killed. */
  doomed = false;
  /** The log has why it ends. */
  isExplained = false;
  /** It had connections when it ended. */
  hadConnections = false;
  #killed = false;
  /** undefined when it could not be started. */
  readonly #process: ChildProcess | undefined;
  /** Until it has been handed what it serves, which is its first message. */
  readonly #handing: Promise<void> | undefined;
  readonly #born = performance.now();
  #heard = performance.now();
  readonly #questions = new Map<number, (answer: Said) => void>();
  #asked = 0;
  #hasEnded = false;
  /** When it should have ended. */
  #deadline = Number.POSITIVE_INFINITY;

  /** Starts this same command line once more. */
  constructor(options: ServerProcessOptions) {
    const { sockets, scoreboard, handed, startTimeout, counted, logged } = options;
    this.generation = options.generation;
    this.startTimeout = startTimeout;
    const slot = scoreboard.take();
    const started = begin(sockets, scoreboard, slot, handed !== undefined);
    this.#process = started instanceof Error ? undefined : started;
    const end = started instanceof Error ? Promise.resolve(stillborn(started)) : endOf(started);
    this.exited = end.then((exit) => {
      this.hadConnections = scoreboard.free(slot) > 0;
      return { ...exit, signalled: this.#killed };
    });
    this.#handing = handed?.().then((all) => this.#post(all));
    const serves = new Promise<boolean>((resolve) => {
      this.#process?.on("message", (message: FromServerProcess) => {
        this.#heard = performance.now();
        if (message.say === "beat") this.requests = message.requests ?? this.requests;
        else if (message.say === "stopping") this.#stops(message, options);
        else if (message.say === "ready") {
          this.served = true;
          resolve(true);
        } else if (message.say === "failed") this.failure = message.failure;
        else if (message.say === "counts") counted?.(message.counts);
        else if (message.say === "log") logged?.(message.lines);
        else if (message.say === "answer") this.#questions.get(message.id)?.(message);
      });
    });
    this.ready = Promise.race([serves, this.exited.then(() => false)]);
    void this.exited.then(() => this.#leaveUnanswered());
    this.#endWithUs(options.grace);
  }

  get pid(): number | undefined {
    return this.#process?.pid;
  }

  /** Without us it stops, but not where an application holds it. */
  #endWithUs(grace: number): void {
    const { pid } = this;
    const seconds = Math.ceil((grace + KILL_GRACE) / 1_000);
    if (pid === undefined || !Number.isFinite(seconds)) return;
    guard.enlistProcess(pid, seconds);
    void this.exited.then(() => guard.releaseProcess(pid, seconds));
  }

  /** Milliseconds since it was started. */
  get age(): number {
    return performance.now() - this.#born;
  }

  /** Milliseconds since its event loop was last known to turn. */
  get silence(): number {
    return performance.now() - this.#heard;
  }

  /** It was told to end, its grace is over, and its event loop does not turn. */
  get overdue(): boolean {
    return performance.now() >= this.#deadline && this.silence >= DEAF;
  }

  /** Counts its silence from now. */
  resetSilence(): void {
    this.#heard = performance.now();
  }

  send(message: ToServerProcess): void {
    if (this.#handing) void this.#handing.then(() => this.#post(message));
    else this.#post(message);
  }

  /** Its answer. Rejects with a SallyportError: its own, or NOT_READY when it has none within `patience` milliseconds. */
  ask(question: Question, patience: number): Promise<unknown> {
    const id = this.#asked++;
    return new Promise((resolve, reject) => {
      const settle = ({ value, failure }: Said): void => {
        clearTimeout(timer);
        this.#questions.delete(id);
        if (failure) reject(receivedError(failure));
        else resolve(value);
      };
      const late = `did not answer within ${patience / 1000} s`;
      const timer = setTimeout(() => settle(unanswered(this.pid, late)), patience);
      this.#questions.set(id, settle);
      if (this.#hasEnded) this.#leaveUnanswered();
      else this.send({ do: "answer", id, question });
    });
  }

  #leaveUnanswered(): void {
    this.#hasEnded = true;
    for (const settle of this.#questions.values()) settle(unanswered(this.pid, "ended"));
  }

  #post(message: ToServerProcess | Handed): void {
    if (this.#process?.connected) this.#process.send(message, () => {});
  }

  #stops(load: ServerProcess["load"], { grace, ending }: ServerProcessOptions): void {
    this.load = load;
    if (this.leaving || !this.served) return;
    void this.#end(undefined, grace);
    ending();
  }

  /** Ends it when its requests are done, after `grace` milliseconds at the latest. */
  stop(grace: number): Promise<void> {
    return this.#end({ do: "stop" }, grace);
  }

  /** The same, once its clients have moved to other connections. With `patience` connections that wait are accepted first. */
  retire(grace: number, patience = 0): Promise<void> {
    return this.#end({ do: "leave", patience }, grace + EXIT_GRACE);
  }

  async #end(message: ToServerProcess | undefined, grace: number): Promise<void> {
    this.leaving = true;
    this.#deadline = performance.now() + grace;
    if (message) this.send(message);
    const timer = setTimeout(() => this.kill(), timerDelay(grace + KILL_GRACE));
    await this.exited;
    clearTimeout(timer);
  }

  /** For a hung process: Python writes its stack (SIGABRT with faulthandler), once the log has said so, and then it is killed. */
  abort(logged: Promise<void>): void {
    this.leaving = true;
    this.doomed = true;
    void logged.then(() => {
      this.#process?.kill("SIGABRT");
      const timer = setTimeout(() => this.kill(), LAST_WORDS);
      void this.exited.then(() => clearTimeout(timer));
    });
  }

  kill(): void {
    this.#killed = true;
    this.#process?.kill("SIGKILL");
  }
}

/** Some failures are thrown (no memory), others come as an event (no descriptors, no processes). */
function begin(
  sockets: SharedSockets,
  scoreboard: Scoreboard,
  slot: number,
  isHanded: boolean,
): ChildProcess | Error {
  const [, program = "", ...args] = process.argv;
  const channel = firstOwn(openFilesLimit());
  const [scoreboardAt, socketsAt] = [channel + 1, channel + 2];
  const listen = sockets.addresses.map((address, i) => passedAs(address, socketsAt + i));
  const task: ServerProcessTask = { listen, channel, scoreboard: scoreboardAt, slot, isHanded };
  const low = Array.from({ length: channel - LOW }, () => scoreboard.fd);
  try {
    return fork(program, args, {
      // Without "--" Node looks for the file of our --env-file itself, and ends where it is gone.
      execArgv: [...process.execArgv, ...withoutDebugSignal(), "--"],
      env: { ...process.env, [SERVER_PROCESS_VARIABLE]: JSON.stringify(task) },
      stdio: ["inherit", "inherit", "inherit", ...low, "ipc", scoreboard.fd, ...sockets.descriptors],
      serialization: "advanced", // settings have what JSON has not, such as Infinity
    });
  } catch (error) {
    return error as Error;
  }
}

function endOf(started: ChildProcess): Promise<Exit> {
  return new Promise((resolve) => {
    started.once("exit", (code, signal) => resolve({ code, signal }));
    // Also emitted when a channel breaks, and then "exit" follows.
    started.on("error", (cause) => {
      if (started.pid === undefined) resolve(stillborn(cause));
    });
  });
}

const unanswered = (pid: number | undefined, why: string): Said => ({
  failure: sentErrorOf(new SallyportError("NOT_READY", `server process ${pid} ${why}`)),
});

function stillborn(cause: Error): Exit {
  const failure = new SallyportError("SPAWN_FAILED", cause.message, { cause });
  return { code: null, signal: null, failure };
}
