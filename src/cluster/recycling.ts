// Server processes that are replaced for the sake of their embedded apps, though nothing is wrong with them: after a share of
// requests, at an age, or above an amount of memory. And those that are ended: above more memory still.

import { setTimeout as delay } from "node:timers/promises";
import type { Settings } from "../config/config.ts";
import { embeddedLimits } from "../config/embedded.ts";
import { receivedError } from "../control/sent-error.ts";
import { type Log, SallyportError } from "../exchange/index.ts";
import type { RecyclingLimits } from "../options/processes.ts";
import { BackOff, describeExit, Lifespan, memoryOf } from "../processes/index.ts";
import { EXIT_GRACE } from "./messages.ts";
import type { ServerProcess } from "./process.ts";

/** Milliseconds between two looks at requests, age and memory. */
export const WATCH_INTERVAL = 1_000;

/** What the supervisor lets it see and do. */
export interface Cluster {
  readonly log: Log;
  /** Whether the server serves, and neither replaces server processes otherwise nor has enough of them that are leaving. */
  readonly isFree: () => boolean;
  /** Starts a server process beside the others. */
  readonly spawn: () => ServerProcess;
  /** Milliseconds for its requests. */
  readonly grace: () => number;
  /** Starts those that are missing. */
  readonly refill: () => void;
}

interface Succession {
  readonly old: ServerProcess;
  readonly next: ServerProcess;
}

export class Recycling {
  readonly #cluster: Cluster;
  /** Of all server processes that have any limits. */
  readonly #lives = new Map<ServerProcess, ServerLife>();
  readonly #backOff = new BackOff();
  /** One at a time, over all server processes. */
  #succession: Succession | undefined;

  constructor(cluster: Cluster) {
    this.#cluster = cluster;
  }

  /** Watches a server process of these settings until it ends. */
  add(server: ServerProcess, settings: Settings): void {
    const limits = embeddedLimits(settings);
    if (limits.size === 0) return;
    this.#lives.set(server, new ServerLife(server, limits));
    void server.exited.then(() => this.#lives.delete(server));
  }

  /** Whether it was started beside one that still serves, and so is not one of those that there should be. */
  isExtra(server: ServerProcess): boolean {
    const { old, next } = this.#succession ?? {};
    return server === next && old !== undefined && this.#serves(old);
  }

  /** A reload or a restart goes first: a successor that does not serve yet is given up. */
  giveUp(): void {
    const { next } = this.#succession ?? {};
    if (next && !next.served && !next.leaving) void next.retire(this.#cluster.grace());
  }

  /** To be called every `WATCH_INTERVAL` milliseconds. */
  watch(): void {
    for (const [server, life] of this.#lives) {
      if (!server.served) continue;
      const memory = life.memory();
      const limit = life.whyEnd(memory);
      if (limit !== undefined) this.#end(server, limit);
      else if (this.#mayReplace(server)) this.#replace(server, life.whyReplace(memory));
    }
  }

  /** The supervisor starts another, as for any that ends. */
  #end(server: ServerProcess, why: string): void {
    this.#lives.delete(server);
    const after = server.leaving ? "" : "; another starts";
    const message = `server process ${server.pid} was ended: ${why}; the requests inside it were cut${after}`;
    this.#cluster.log.error(message, { code: new SallyportError("MEMORY_LIMIT", message).code });
    server.isExplained = true;
    server.kill();
  }

  #mayReplace(server: ServerProcess): boolean {
    return !this.#succession && !server.leaving && this.#cluster.isFree();
  }

  #replace(old: ServerProcess, reason: string | undefined): void {
    if (reason === undefined) return;
    const succession = { old, next: this.#cluster.spawn() };
    this.#succession = succession;
    void this.#succeed(succession, reason).then((pause) => {
      setTimeout(() => {
        this.#succession = undefined;
        if (pause > 0) this.#cluster.refill(); // the old one may have ended as well
      }, pause).unref();
    });
  }

  /** The old one goes on until the other serves. Resolves with the milliseconds until the next may be started. */
  async #succeed({ old, next }: Succession, reason: string): Promise<number> {
    const { log, grace } = this.#cluster;
    const ready = await next.ready;
    if (next.leaving && !next.doomed) return 0; // given up, or stopped with all the others
    if (!ready) {
      const { message, code } = await failureOf(next);
      log.error(`no successor for server process ${old.pid}: ${message}`, { code });
      return this.#backOff.after(0, false, await next.exited);
    }
    this.#backOff.after(0, true);
    if (!this.#serves(old)) return 0;
    log.info(`server process ${old.pid} ${reason}; ${next.pid} takes over`);
    await Promise.race([old.retire(grace()), delay(EXIT_GRACE, undefined, { ref: false })]);
    return 0;
  }

  #serves(server: ServerProcess): boolean {
    return this.#lives.has(server) && !server.leaving;
  }
}

async function failureOf(server: ServerProcess): Promise<SallyportError> {
  if (server.failure) return receivedError(server.failure);
  return new SallyportError("APP_IMPORT", `the new one ${describeExit(await server.exited)}`);
}

/** How long one server process lives: each of its embedded apps may limit that. */
class ServerLife {
  readonly #server: ServerProcess;
  readonly #limits: readonly RecyclingLimits[];
  readonly #lifespans: readonly (readonly [app: string, lifespan: Lifespan])[];

  constructor(server: ServerProcess, limits: ReadonlyMap<string, RecyclingLimits>) {
    this.#server = server;
    this.#limits = [...limits.values()];
    this.#lifespans = [...limits].map(([app, own]) => [app, new Lifespan(own)]);
  }

  /** Bytes; 0 where no limit asks for them. */
  memory(): number {
    return Math.max(...this.#limits.map((limits) => memoryOf(this.#server.pid, limits)));
  }

  whyEnd(memory: number): string | undefined {
    return first(this.#lifespans.map(([, lifespan]) => lifespan.whyEnd(memory)));
  }

  /** Requests are those of each app; age and memory are the same for all. */
  whyReplace(memory: number): string | undefined {
    const { requests, age } = this.#server;
    return first(
      this.#lifespans.map(([app, lifespan]) => lifespan.whyReplace(requests[app] ?? 0, age, memory)),
    );
  }
}

const first = (reasons: readonly (string | undefined)[]): string | undefined =>
  reasons.find((reason) => reason !== undefined);
