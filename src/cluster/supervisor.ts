// The parent of the server processes. It serves nothing: it starts them, restarts them when they end, replaces them by
// those of another configuration, and stops them. It owns the listening sockets, so that none closes while server processes
// come and go.

import { setTimeout as delay } from "node:timers/promises";
import { embeddedLimits, isEmbedded } from "../config/embedded.ts";
import { CpuTimes } from "../control/cpu.ts";
import type { Inspector } from "../control/inspection.ts";
import {
  type Attach,
  type Attached,
  type Operations,
  ownVersion,
  type ReloadStatus,
  type ServerState,
  type ServerStatus,
} from "../control/operations.ts";
import { receivedError } from "../control/sent-error.ts";
import { type ProcessBounds, type ProcessStacks, SallyportError } from "../exchange/index.ts";
import { Reloads } from "../exchange/reloads.ts";
import type { LogTail } from "../logs/tail.ts";
import type { Totals } from "../metrics/index.ts";
import { BackOff } from "../processes/back-off.ts";
import { describeExit, type Exit } from "../processes/exit.ts";
import { unknownApp } from "../server/app-operations.ts";
import { Change, type Reread } from "../server/change.ts";
import { type Notifier, notifierOf } from "../server/notify.ts";
import { logFailedReload, reloaded } from "../server/operations.ts";
import { announce, announceCut } from "../server/report.ts";
import { StopReport } from "../server/stop-report.ts";
import { summariesOf } from "../server/summary.ts";
import type { SwitchableLog } from "../server/switchable-log.ts";
import { AppChanges } from "./app-changes.ts";
import { inspectorOf, stacksIn, statusOf } from "./ask.ts";
import { hasEnded, isEnding, whatItCut } from "./ends.ts";
import { HEARTBEAT_CHECK, Heartbeats } from "./heartbeats.ts";
import { EXIT_GRACE } from "./messages.ts";
import { afterRefusal, type ClusterPlan, handedOf, isData, startTimeoutOf } from "./plan.ts";
import { ServerProcess } from "./process.ts";
import { Recycling, WATCH_INTERVAL } from "./recycling.ts";
import { Scoreboard } from "./scoreboard.ts";
import { SharedSockets } from "./shared-sockets.ts";

export interface ClusterOptions {
  readonly plan: ClusterPlan;
  /** The configuration as it is now. Rejects with CONFIG_INVALID, or with RESTART_NEEDED where a reload cannot bring it. */
  readonly reread: Reread;
  readonly log: SwitchableLog;
  /** Resolves when the lines so far have left, or their reader has taken too long. */
  readonly logged: () => Promise<void>;
  /** Called before the first server process starts, with what can be asked of the cluster. */
  readonly attach: Attach;
  /** Adds up what the server processes count, where there are metrics. It is current once `status` has been asked. */
  readonly totals?: Totals | undefined;
  /** Gets the last lines of the log of server processes that end, where something reads them. */
  readonly tail?: LogTail | undefined;
  /** Called once all serve. */
  readonly serving: () => void;
}

/**
 * Runs the server processes of this command line until a signal ends them all. Gives the exit code. Rejects with
 * ADDRESS_UNUSABLE or CONFIG_INVALID. All accept from the same sockets: a socket for each (SO_REUSEPORT) would lose the connections that
 * wait in it when its process ends, and passing each connection on would cost as much as a request.
 */
export async function supervise(options: ClusterOptions): Promise<number> {
  embeddedLimits(options.plan.settings); // throws for those that contradict each other
  const scoreboard = new Scoreboard();
  let supervisor: Supervisor | undefined;
  let attached: Attached | undefined;
  try {
    const sockets = await SharedSockets.open(options.plan.settings.listen);
    supervisor = new Supervisor(options, sockets, scoreboard);
    attached = await options.attach(supervisor);
    return await supervisor.run();
  } finally {
    await attached?.close();
    scoreboard.close();
    supervisor?.close();
  }
}

/** Milliseconds: a service manager may signal all of our processes, and this one last. */
const SIGNALLED = 100;

class Supervisor implements Operations {
  readonly #options: ClusterOptions;
  readonly #scoreboard: Scoreboard;
  readonly #processes = new Set<ServerProcess>();
  readonly #backOff = new BackOff();
  readonly #notifier: Promise<Notifier>;
  readonly #startedAt = new Date().toISOString();
  #plan: ClusterPlan;
  #sockets: SharedSockets;
  readonly #reloads = new Reloads(() => this.#inTurn(() => this.#reload()));
  /** Reloads and restarts, one at a time. */
  #turn: Promise<void> = Promise.resolve();
  /** Of these, those that are under way or wait. */
  #turns = 0;
  readonly #heartbeats: Heartbeats;
  readonly #recycling: Recycling;
  readonly #changes: AppChanges;
  readonly #cpu = new CpuTimes();
  /** Counts the reloads, from 1. */
  #generation = 1;
  /** Resolves when all have been started for the first time. */
  readonly #started: Promise<void>;
  #complete!: () => void;
  #state: ServerState = "starting";
  #lastReload: ReloadStatus | undefined;
  readonly #reloadCounts = { ok: 0, failed: 0 };
  #restarts = 0;
  #ended: ((code: number) => void) | undefined;
  /** They keep this process alive while there is no server process. */
  readonly #timers: NodeJS.Timeout[] = [];

  constructor(options: ClusterOptions, sockets: SharedSockets, scoreboard: Scoreboard) {
    this.#options = options;
    this.#plan = options.plan;
    this.#sockets = sockets;
    this.#scoreboard = scoreboard;
    this.#notifier = notifierOf(process.env, options.log);
    this.#started = new Promise((resolve) => {
      this.#complete = resolve;
    });
    this.#changes = new AppChanges(options.log, () => this.#staying);
    this.#heartbeats = new Heartbeats({
      log: options.log,
      logged: options.logged,
      processes: this.#processes,
      timeout: () => this.#plan.settings.serverProcessTimeout,
      replace: (server) => this.#replace(server),
    });
    this.#recycling = new Recycling({
      log: options.log,
      isFree: () => this.#isFree,
      spawn: () => this.#spawn(),
      grace: () => this.#plan.settings.grace,
      refill: () => this.#refill(),
    });
  }

  async run(): Promise<number> {
    const { serverProcesses: count, log: style } = this.#plan.settings;
    const ended = new Promise<number>((resolve) => {
      this.#ended = resolve;
    });
    this.#obeySignals();
    this.#timers.push(
      setInterval(() => this.#heartbeats.check(), HEARTBEAT_CHECK),
      setInterval(() => this.#recycling.watch(), WATCH_INTERVAL),
    );
    // One at first, so that an application's error is reported once.
    const first = this.#spawn();
    const serves = await first.ready;
    if (this.#stopping) return ended;
    if (!serves) return this.#failed(await first.exited);
    const others = Array.from({ length: count - 1 }, () => this.#spawn());
    await Promise.all(others.map((server) => this.#settled(server)));
    const [{ apps }, notifier] = await Promise.all([statusOf(first), this.#notifier]);
    if (this.#stopping) return ended;
    this.#state = "serving";
    announce(summariesOf(this.#plan, apps), this.#sockets.urls, style);
    this.#options.serving();
    notifier.ready(this.#sockets.urls);
    if (count > 1) this.#sayHowMany(count);
    this.#complete();
    return ended;
  }

  #sayHowMany(wanted: number): void {
    const { log } = this.#options;
    const { length } = this.#serving;
    if (length < wanted) log.warn(`only ${length} of ${wanted} server processes serve so far`);
    else log.info(`${wanted} server processes serve`);
  }

  close(): void {
    for (const timer of this.#timers) clearInterval(timer);
    this.#sockets.close();
  }

  // Operations.

  async status(): Promise<ServerStatus> {
    return this.#cpu.measured({
      version: ownVersion(),
      pid: process.pid,
      startedAt: this.#startedAt,
      urls: this.#sockets.urls,
      state: this.#state,
      serverProcesses: await Promise.all([...this.#processes].map((server) => statusOf(server))),
      ...(this.#lastReload ? { lastReload: this.#lastReload } : {}),
      reloads: { ...this.#reloadCounts },
      restarts: this.#restarts,
    });
  }

  reload(): Promise<void> {
    return this.#reloads.ask();
  }

  stop(): void {
    if (!this.#stopping) this.#stop();
  }

  async restart(name: string): Promise<void> {
    const app = this.#appNamed(name);
    await this.#started;
    return this.#inTurn(async () => {
      if (isEmbedded(app)) return this.#roll(this.#plan);
      return this.#changes.restart(name, startTimeoutOf(this.#plan.settings));
    });
  }

  async scale(app: string, bounds: ProcessBounds): Promise<void> {
    this.#appNamed(app);
    await this.#started;
    return this.#inTurn(() => this.#changes.scale(app, bounds));
  }

  /** Of those that leave, too: it is they that wait for slow requests. */
  async stacks(app: string): Promise<readonly ProcessStacks[]> {
    this.#appNamed(app);
    const serving = [...this.#processes].filter(({ served }) => served);
    return (await Promise.all(serving.map((server) => stacksIn(server, app)))).flat();
  }

  /** Of those that leave, too: their requests and their log matter most then. */
  get inspectors(): readonly Inspector[] {
    return [...this.#processes].filter(({ served }) => served).map(inspectorOf);
  }

  #appNamed(name: string): ClusterPlan["settings"]["apps"][string] {
    const { apps } = this.#plan.settings;
    const app = Object.hasOwn(apps, name) ? apps[name] : undefined;
    if (!app) throw unknownApp(name, Object.keys(apps));
    return app;
  }

  get #stopping(): boolean {
    return this.#state === "stopping";
  }

  get #staying(): ServerProcess[] {
    return [...this.#processes].filter(({ leaving }) => !leaving);
  }

  get #serving(): ServerProcess[] {
    return this.#staying.filter(({ served }) => served);
  }

  /** Whether server processes may be recycled: those that leave must not become more than those that serve. */
  get #isFree(): boolean {
    const leaving = [...this.#processes].filter((server) => server.leaving);
    return (
      this.#state === "serving" && this.#turns === 0 && leaving.length < this.#plan.settings.serverProcesses
    );
  }

  #inTurn(act: () => Promise<void>): Promise<void> {
    this.#turns++;
    this.#recycling.giveUp();
    const acted = this.#turn.then(() => {
      this.#throwIfStopping(); // a stop came while this waited for its turn
      return act();
    });
    const turn = acted.finally(() => this.#turns--);
    this.#turn = turn.catch(() => {});
    return turn;
  }

  // Server processes come and go.

  /** The exit code when the first could not start. Exit code 1 means that the process has reported its own error. */
  #failed(exit: Exit): number {
    if (exit.code !== 1)
      this.#options.log.error(
        `a server process could not be started: it ${describeExit(exit)} while the app was loaded`,
        {
          code: "ERR_SALLYPORT_APP_IMPORT",
        },
      );
    return 1;
  }

  #spawn(plan = this.#plan, sockets = this.#sockets, generation = this.#generation): ServerProcess {
    const { totals, tail } = this.#options;
    const server = new ServerProcess({
      generation,
      sockets,
      scoreboard: this.#scoreboard,
      handed: isData(plan.settings) ? () => handedOf(plan) : undefined,
      startTimeout: startTimeoutOf(plan.settings),
      grace: plan.settings.grace,
      ending: () => void this.#ending(server),
      counted: totals && ((counts) => totals.report(server, counts)),
      logged: tail && ((lines) => tail.inherit(server.pid, lines)),
    });
    this.#processes.add(server);
    this.#recycling.add(server, plan.settings);
    void server.exited.then(() => totals?.ended(server));
    void server.exited.then(() => this.#gone(server));
    void server.ready.then((serves) => serves && plan === this.#plan && this.#changes.scaleAsOthers(server));
    return server;
  }

  async #gone(server: ServerProcess): Promise<void> {
    this.#processes.delete(server);
    if (this.#stopping && this.#processes.size === 0) this.#ended?.(0);
    if (this.#stopping || server.leaving || !server.served) return;
    this.#restarts++;
    const exit = await server.exited;
    const pause = this.#backOff.after(server.age, server.hadConnections, exit);
    const { log } = this.#options;
    if (!server.isExplained) log.error(hasEnded(server, exit, this.#serving.length, pause));
    setTimeout(() => this.#again(), pause);
  }

  /** After an uncaught error, or a signal of somebody else. Its requests may take as long as the grace; another starts before. */
  async #ending(server: ServerProcess): Promise<void> {
    await delay(SIGNALLED);
    if (this.#stopping) return;
    const { log } = this.#options;
    this.#restarts++;
    const pause = this.#backOff.after(server.age, server.load.inFlight > 0);
    log.warn(isEnding(server, pause));
    setTimeout(() => this.#again(), pause);
    const cut = whatItCut(server, await server.exited);
    if (cut) log.error(cut);
  }

  /** Retries a server process that could not start, with growing pauses. */
  async #again(): Promise<void> {
    if (!this.#stopping && this.#missing > 0) await this.#settled(this.#spawn());
  }

  #refill(): void {
    for (let missing = this.#missing; missing > 0; missing--) void this.#again();
  }

  get #missing(): number {
    const staying = this.#staying.filter((server) => !this.#recycling.isExtra(server));
    return this.#plan.settings.serverProcesses - staying.length;
  }

  /** One that was ended because it started too slowly is tried again, too. */
  async #settled(server: ServerProcess): Promise<void> {
    if ((await server.ready) || this.#stopping || (server.leaving && !server.doomed)) return;
    const { log } = this.#options;
    const exit = await server.exited;
    log.error(`a server process could not be started: it ${describeExit(exit)}`);
    setTimeout(() => this.#again(), this.#backOff.after(0, false, exit));
  }

  /** One that is held, which may be leaving already. */
  #replace(server: ServerProcess): void {
    if (!server.leaving) this.#restarts++;
    server.abort(this.#options.logged());
    void this.#again();
  }

  #obeySignals(): void {
    for (const signal of ["SIGTERM", "SIGINT"])
      process.on(signal, () => (this.#stopping ? this.#force() : this.#stop()));
    // The log has the reason of a failure.
    process.on("SIGHUP", () => void this.reload().catch(() => {}));
    process.on("SIGUSR1", () => {
      for (const server of this.#processes) server.send({ do: "reopen" });
    });
  }

  #stop(): void {
    this.#state = "stopping";
    void this.#notifier.then((notifier) => notifier.stopping());
    this.#complete();
    const stopped = [...this.#processes];
    const sum = (part: "inFlight" | "cut"): number =>
      stopped.reduce((total, { load }) => total + load[part], 0);
    const report = new StopReport({ style: this.#plan.settings.log, inFlight: () => sum("inFlight") });
    const ended = this.#ended;
    this.#ended = (code) => {
      // A process that was killed has not said that it was done with its requests.
      report.end(sum("cut") + sum("inFlight"));
      ended?.(code);
    };
    // Left open, ours would go on taking connections that no process accepts. The server processes accept those that wait.
    this.#sockets.close();
    for (const server of this.#processes) server.stop(this.#plan.settings.grace);
    if (this.#processes.size === 0) this.#ended?.(0);
  }

  #force(): void {
    announceCut(this.#plan.settings.log);
    for (const server of this.#processes) server.kill();
    process.exit(1);
  }

  // Reload: all successors serve before the first of the old server processes leaves.

  async #reload(): Promise<void> {
    await this.#started;
    this.#throwIfStopping();
    const notifier = await this.#notifier;
    const { log } = this.#options;
    notifier.reloading();
    this.#state = "reloading";
    const change = new Change();
    try {
      const settings = await this.#options.reread(change.made);
      embeddedLimits(settings);
      await this.#roll({ ...this.#plan, settings });
      this.#lastReload = reloaded();
      this.#reloadCounts.ok++;
      log.info("all server processes were replaced");
    } catch (reason) {
      await change.undo();
      const error = SallyportError.from(reason);
      if (!this.#stopping) logFailedReload(log, afterRefusal(this.#plan.settings), error);
      this.#lastReload = reloaded(error);
      this.#reloadCounts.failed++;
      throw error;
    } finally {
      if (!this.#stopping) {
        this.#state = "serving";
        notifier.ready(this.#sockets.urls);
      }
      // Successors stood in for those that ended meanwhile, some of them only for a time.
      this.#refill();
    }
  }

  async #roll(plan: ClusterPlan): Promise<void> {
    const sockets = await SharedSockets.open(plan.settings.listen, this.#sockets);
    const successors: ServerProcess[] = [];
    try {
      await this.#startAll(plan, sockets, successors);
    } catch (error) {
      for (const server of successors) void server.retire(plan.settings.grace);
      sockets.close(this.#sockets);
      throw error;
    }
    await this.#become(plan, sockets, successors);
  }

  /** One at first, so that a failure costs no more than one. */
  async #startAll(plan: ClusterPlan, sockets: SharedSockets, started: ServerProcess[]): Promise<void> {
    const start = async (): Promise<void> => {
      this.#throwIfStopping();
      const server = this.#spawn(plan, sockets, this.#generation + 1);
      started.push(server);
      if (!(await server.ready)) await this.#throwFailure(server);
      this.#throwIfStopping();
    };
    await start();
    const others = Array.from({ length: plan.settings.serverProcesses - 1 }, start);
    await Promise.allSettled(others);
    await Promise.all(others);
  }

  async #throwFailure(server: ServerProcess): Promise<never> {
    this.#throwIfStopping();
    if (server.failure) throw receivedError(server.failure);
    const how = describeExit(await server.exited);
    throw new SallyportError("APP_IMPORT", `the new server process ${how}`);
  }

  /**
   * From now on this is the plan. The old server processes leave one by one, so that not all of their clients come back at once;
   * so do those that took the place of old ones meanwhile.
   */
  async #become(plan: ClusterPlan, sockets: SharedSockets, successors: ServerProcess[]): Promise<void> {
    const old = this.#sockets;
    if (plan !== this.#plan) this.#changes.reset();
    this.#plan = plan;
    this.#sockets = sockets;
    this.#generation++;
    const { log } = this.#options;
    log.use(plan.settings.log);
    for (const line of plan.settings.renamed ?? []) log.warn(line);
    for (const url of sockets.urlsBeside(old)) log.info(`listening on ${url}, too`);
    for (const url of old.urlsBeside(sockets)) log.info(`no longer listening on ${url}`);
    // The old server processes have them still, and accept the connections that wait.
    const isSmaller = old.urlsBeside(sockets).length > 0;
    old.close(sockets);
    const { grace } = plan.settings;
    const leaving = [...this.#processes].filter((server) => !successors.includes(server) && !server.leaving);
    for (const server of leaving) {
      if (this.#stopping || server.leaving) continue;
      const gone = server.retire(grace, isSmaller ? grace / 2 : 0);
      await Promise.race([gone, delay(EXIT_GRACE, undefined, { ref: false })]);
    }
  }

  #throwIfStopping(): void {
    if (this.#stopping) throw new SallyportError("STOPPING", "the server is being stopped");
  }
}
