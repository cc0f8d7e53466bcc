// Changes of one app in all server processes: other bounds for its processes, and a new generation of it.
// Tested by test/control/scaling.test.ts.
import { receivedError, sentErrorOf } from "../control/sent-error.ts";
import { type Log, type ProcessBounds, SallyportError } from "../exchange/index.ts";
import { statusOf } from "./ask.ts";
import type { ServerProcess } from "./process.ts";

/** Milliseconds for a server process to begin with other bounds of an app's processes. */
const SCALE = 10_000;

export class AppChanges {
  readonly #log: Log;
  readonly #staying: () => readonly ServerProcess[];
  /** What was scaled since the last reload; server processes that start later are told. */
  readonly #scaled = new Map<string, ProcessBounds>();

  /** `staying` gives those that serve or start at the moment. */
  constructor(log: Log, staying: () => readonly ServerProcess[]) {
    this.#log = log;
    this.#staying = staying;
  }

  /** In all server processes, or in none. */
  async scale(app: string, bounds: ProcessBounds): Promise<void> {
    const servers = this.#serving();
    const before = await Promise.all(
      servers.map(async (server) => (await statusOf(server)).apps[app]?.bounds),
    );
    const scaling = servers.map((server) => server.ask({ ask: "scale", app, bounds }, SCALE));
    const refused = (await Promise.allSettled(scaling)).find(({ status }) => status === "rejected");
    if (refused) {
      // One that has not answered gets both, in this order.
      const known = before.find((each) => each !== undefined);
      for (const [i, server] of servers.entries()) this.#scaleOne(server, app, before[i] ?? known);
      await Promise.all(scaling);
    }
    this.#scaled.set(app, bounds);
    for (const late of this.#serving()) if (!servers.includes(late)) this.#scaleOne(late, app, bounds);
  }

  scaleAsOthers(server: ServerProcess): void {
    for (const [app, bounds] of this.#scaled) this.#scaleOne(server, app, bounds);
  }

  /** A reload has brought the configured bounds. */
  reset(): void {
    this.#scaled.clear();
  }

  /**
   * One server process after the other, so that the others answer meanwhile. A generation that has taken over cannot be taken
   * back: a failure after the first says how many have it. Those that are starting come last: they may have loaded the old one.
   */
  async restart(app: string, patience: number): Promise<void> {
    const starting = this.#staying().filter(({ served }) => !served);
    const servers = [...this.#serving(), ...starting];
    for (const [done, server] of servers.entries()) {
      if (!(await server.ready)) continue; // the one that is started instead has the new one
      const restarted = server.ask({ ask: "restart", app }, patience);
      await restarted.catch((error) => Promise.reject(halfDone(error, done, servers.length)));
    }
  }

  #serving(): ServerProcess[] {
    return this.#staying().filter(({ served }) => served);
  }

  #scaleOne(server: ServerProcess, app: string, bounds: ProcessBounds | undefined): void {
    if (!bounds) return;
    server.ask({ ask: "scale", app, bounds }, SCALE).catch((error: Error) => {
      this.#log.warn(`app ${app} was not scaled in server process ${server.pid}: ${error.message}`);
    });
  }
}

function halfDone(reason: unknown, done: number, all: number): SallyportError {
  const error = SallyportError.from(reason);
  if (done === 0) return error;
  const { code, message, detail } = sentErrorOf(error);
  const kept = `${done} of ${all} server processes have the new generation, the others go on with the old one; restart it again`;
  return receivedError({ code, message: `${message}; ${kept}`, ...(detail === undefined ? {} : { detail }) });
}
