// Watches the heartbeats of server processes: one that an application holds for too long is ended and replaced, and so is one
// that does not start in time.
// Tested by test/cluster/supervisor.test.ts.
import type { Log } from "../exchange/index.ts";
import type { ServerProcess } from "./process.ts";

/** Milliseconds between two checks. */
export const HEARTBEAT_CHECK = 250;
const LATE = 4 * HEARTBEAT_CHECK;

/** What the supervisor lets it see and do. */
export interface Watched {
  readonly log: Log;
  /** Resolves when the lines so far have left. */
  readonly logged: () => Promise<void>;
  readonly processes: ReadonlySet<ServerProcess>;
  /** Milliseconds for which an application may hold a server process; 0 for no limit. */
  readonly timeout: () => number;
  /** Ends one that is held, and starts another. */
  readonly replace: (server: ServerProcess) => void;
}

export class Heartbeats {
  readonly #watched: Watched;
  #checkedAt = performance.now();

  constructor(watched: Watched) {
    this.#watched = watched;
  }

  /** To be called every `HEARTBEAT_CHECK` milliseconds. */
  check(): void {
    const { processes } = this.#watched;
    const now = performance.now();
    // We were stopped ourselves (SIGSTOP, a frozen container): the heartbeats of that time have not been read yet.
    if (now - this.#checkedAt > LATE) for (const each of processes) each.resetSilence();
    this.#checkedAt = now;
    for (const each of processes) if (!each.doomed) this.#checkOne(each);
  }

  #checkOne(server: ServerProcess): void {
    const isLate = !server.served && !server.leaving && server.age > server.startTimeout;
    if (isLate) this.#endLate(server);
    else if (server.overdue || this.#isHeld(server)) this.#endHeld(server);
  }

  #isHeld(server: ServerProcess): boolean {
    const timeout = this.#watched.timeout();
    return server.served && timeout > 0 && server.silence >= timeout;
  }

  #endLate(server: ServerProcess): void {
    this.#watched.log.error(
      `server process ${server.pid} did not start within ${server.startTimeout / 1000} s: it is ended; its stack follows`,
    );
    server.abort(this.#watched.logged());
  }

  #endHeld(server: ServerProcess): void {
    this.#watched.log.error(
      `server process ${server.pid} has been held by an application for ${Math.round(server.silence / 1000)} s: ` +
        `it is ended${server.leaving ? "" : " and replaced"}; its stack follows`,
    );
    this.#watched.replace(server);
  }
}
