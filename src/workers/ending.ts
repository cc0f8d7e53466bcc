// How the process of a worker comes to its end, when it does not end by itself in time.
// Tested by test/workers/lingering.test.ts.
import type { Log } from "../exchange/index.ts";
import { timerDelay } from "../exchange/wait.ts";
import type { Child } from "../processes/index.ts";

/** Milliseconds between the request to end and SIGKILL. */
const KILL_GRACE = 1000;
/** The same for an application with a shutdown of its own (lifespan), to which Python gives 10 s. */
const SHUTDOWN_GRACE = 12_000;
/** Milliseconds for a process that is done, for what it does at its exit; it may have threads that never end. */
const EXIT_GRACE = 10_000;

export class Ending {
  readonly #child: Child;
  readonly #log: Log;
  readonly #app: string;
  /** An event loop, whose application has a shutdown of its own. */
  hasShutdown = false;
  #aborting: NodeJS.Timeout | undefined;
  /** When (milliseconds, `performance.now`). */
  #abortsAt = Number.POSITIVE_INFINITY;
  /** It is done, and ended by force after this. */
  #exiting: NodeJS.Timeout | undefined;
  /** The server stops it, within a time of its own. */
  #stopping = false;

  constructor(child: Child, log: Log, app: string) {
    this.#child = child;
    this.#log = log;
    this.#app = app;
  }

  /** It has nothing more to do for us, and should exit; after `grace` milliseconds it is ended. */
  limitExit(grace: number = this.hasShutdown ? SHUTDOWN_GRACE : EXIT_GRACE): void {
    if (this.#exiting || this.#stopping) return;
    this.#exiting = setTimeout(() => {
      const message = `worker ${this.#child.pid} was done and did not exit: it is ended; threads that are not daemons keep it alive`;
      this.#log.warn(message, { app: this.#app });
      void this.#child.stop(KILL_GRACE);
    }, grace).unref();
  }

  /** The server stops it, and calls `end` when its time is over. */
  stopping(): void {
    this.#stopping = true;
    clearTimeout(this.#exiting);
  }

  /** Asks it to end, and kills it if it has not within its grace. */
  end(): void {
    void this.#child.stop(this.hasShutdown ? SHUTDOWN_GRACE : KILL_GRACE);
  }

  /** It hangs: has Python print its stacks (SIGABRT with faulthandler), then kills it. */
  abort(): void {
    this.#child.signal("SIGABRT");
    setTimeout(() => this.#child.signal("SIGKILL"), KILL_GRACE).unref();
  }

  /** Calls `abort` after `grace` milliseconds, or sooner if asked again, unless it is gone by then. False if it was asked before. */
  abortAfter(grace: number, abort: () => void): boolean {
    const isFirst = this.#aborting === undefined;
    const delay = timerDelay(grace);
    const at = performance.now() + delay;
    if (at >= this.#abortsAt) return isFirst;
    clearTimeout(this.#aborting);
    this.#aborting = setTimeout(abort, delay);
    this.#abortsAt = at;
    return isFirst;
  }

  gone(): void {
    clearTimeout(this.#aborting);
    clearTimeout(this.#exiting);
  }
}
