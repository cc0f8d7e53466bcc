// The server processes that there are: as many as there should be, started again when they end, replaced when they hang or have
// served enough.
// Tested by test/cluster/supervisor.test.ts.
import { setTimeout as delay } from "node:timers/promises";
import type { Log } from "../exchange/index.ts";
import type { LogTail } from "../logs/tail.ts";
import type { Totals } from "../metrics/index.ts";
import { BackOff } from "../processes/back-off.ts";
import { describeExit } from "../processes/exit.ts";
import { hasEnded, isEnding, whatItCut } from "./ends.ts";
import { HEARTBEAT_CHECK, Heartbeats } from "./heartbeats.ts";
import { type ClusterPlan, handedOf, isData, startTimeoutOf } from "./plan.ts";
import { ServerProcess } from "./process.ts";
import { Recycling, WATCH_INTERVAL } from "./recycling.ts";
import type { Scoreboard } from "./scoreboard.ts";
import type { SharedSockets } from "./shared-sockets.ts";

/** What server processes serve, from one reload or restart of all to the next. */
export interface Edition {
  readonly plan: ClusterPlan;
  readonly sockets: SharedSockets;
  /** Counts them, from 1. */
  readonly generation: number;
}

/** What the supervisor lets them see and do. */
export interface ServerProcessesOptions {
  readonly first: Edition;
  readonly scoreboard: Scoreboard;
  readonly log: Log;
  /** Resolves when the lines so far have left. */
  readonly logged: () => Promise<void>;
  readonly totals?: Totals | undefined;
  readonly tail?: LogTail | undefined;
  readonly isStopping: () => boolean;
  /** Whether the supervisor itself replaces none at the moment. */
  readonly isFree: () => boolean;
  /** Called with each that serves what the others serve. */
  readonly serves: (server: ServerProcess) => void;
  /** Called when the last has ended while all are stopped. */
  readonly allGone: () => void;
}

/** Milliseconds: a service manager may signal all of our processes, and the supervisor last. */
const SIGNALLED = 100;

export class ServerProcesses {
  /** Of those that are started from now on. */
  edition: Edition;
  /** How many were started because one had ended or hung. */
  restarts = 0;
  readonly #options: ServerProcessesOptions;
  readonly #all = new Set<ServerProcess>();
  readonly #backOff = new BackOff();
  readonly #heartbeats: Heartbeats;
  readonly #recycling: Recycling;
  /** They keep this process alive while there is no server process. */
  readonly #timers: readonly NodeJS.Timeout[];

  constructor(options: ServerProcessesOptions) {
    this.#options = options;
    this.edition = options.first;
    const { log, logged } = options;
    this.#heartbeats = new Heartbeats({
      log,
      logged,
      processes: this.#all,
      timeout: () => this.edition.plan.settings.serverProcessTimeout,
      replace: (server) => this.#replace(server),
    });
    this.#recycling = new Recycling({
      log,
      isFree: () => options.isFree() && this.#mayReplace,
      spawn: () => this.spawn(),
      grace: () => this.edition.plan.settings.grace,
      refill: () => this.refill(),
    });
    this.#timers = [
      setInterval(() => this.#heartbeats.check(), HEARTBEAT_CHECK),
      setInterval(() => this.#recycling.watch(), WATCH_INTERVAL),
    ];
  }

  close(): void {
    for (const timer of this.#timers) clearInterval(timer);
  }

  /** Those that leave, too. */
  get all(): readonly ServerProcess[] {
    return [...this.#all];
  }

  /** Those that serve or start. */
  get staying(): readonly ServerProcess[] {
    return this.all.filter(({ leaving }) => !leaving);
  }

  get serving(): readonly ServerProcess[] {
    return this.staying.filter(({ served }) => served);
  }

  /** Those that serve or have served, and leave: it is they that wait for slow requests. */
  get served(): readonly ServerProcess[] {
    return this.all.filter(({ served }) => served);
  }

  /** Those that leave must not become more than those that serve. */
  get #mayReplace(): boolean {
    const leaving = this.#all.size - this.staying.length;
    return leaving < this.edition.plan.settings.serverProcesses;
  }

  get #missing(): number {
    const staying = this.staying.filter((server) => !this.#recycling.isExtra(server));
    return this.edition.plan.settings.serverProcesses - staying.length;
  }

  spawn(edition: Edition = this.edition): ServerProcess {
    const { totals, tail, scoreboard } = this.#options;
    const { plan, sockets, generation } = edition;
    const server = new ServerProcess({
      generation,
      sockets,
      scoreboard,
      handed: isData(plan.settings) ? () => handedOf(plan) : undefined,
      startTimeout: startTimeoutOf(plan.settings),
      grace: plan.settings.grace,
      ending: () => void this.#ending(server),
      counted: totals && ((counts) => totals.report(server, counts)),
      logged: tail && ((lines) => tail.inherit(server.pid, lines)),
    });
    this.#all.add(server);
    this.#recycling.add(server, plan.settings);
    void server.exited.then(() => totals?.ended(server));
    void server.exited.then(() => this.#gone(server));
    void server.ready.then((serves) => {
      if (serves && plan === this.edition.plan) this.#options.serves(server);
    });
    return server;
  }

  /** Resolves when it serves; where it could not start, another is started after a pause, even if it was too slow to start. */
  async settled(server: ServerProcess): Promise<void> {
    if ((await server.ready) || this.#options.isStopping() || (server.leaving && !server.doomed)) return;
    const exit = await server.exited;
    this.#options.log.error(`a server process could not be started: it ${describeExit(exit)}`);
    setTimeout(() => this.#again(), this.#backOff.after(0, false, exit));
  }

  /** Starts those that are missing. */
  refill(): void {
    for (let missing = this.#missing; missing > 0; missing--) void this.#again();
  }

  /** A reload or a restart goes first: a successor that does not serve yet is given up. */
  giveUpRecycling(): void {
    this.#recycling.giveUp();
  }

  async #again(): Promise<void> {
    if (!this.#options.isStopping() && this.#missing > 0) await this.settled(this.spawn());
  }

  async #gone(server: ServerProcess): Promise<void> {
    this.#all.delete(server);
    const { log, isStopping, allGone } = this.#options;
    if (isStopping() && this.#all.size === 0) allGone();
    if (isStopping() || server.leaving || !server.served) return;
    this.restarts++;
    const exit = await server.exited;
    const pause = this.#backOff.after(server.age, server.hadConnections, exit);
    if (!server.isExplained) log.error(hasEnded(server, exit, this.serving.length, pause));
    setTimeout(() => this.#again(), pause);
  }

  /** After an uncaught error, or a signal of somebody else. Its requests may take as long as the grace; another starts before. */
  async #ending(server: ServerProcess): Promise<void> {
    await delay(SIGNALLED);
    const { log, isStopping } = this.#options;
    if (isStopping()) return;
    this.restarts++;
    const pause = this.#backOff.after(server.age, server.load.inFlight > 0);
    log.warn(isEnding(server, pause));
    setTimeout(() => this.#again(), pause);
    const cut = whatItCut(server, await server.exited);
    if (cut) log.error(cut);
  }

  /** One that is held, which may be leaving already. */
  #replace(server: ServerProcess): void {
    if (!server.leaving) this.restarts++;
    server.abort(this.#options.logged());
    void this.#again();
  }
}
