// The parent of the server processes (processes.ts). It serves nothing: it starts them, replaces them by those of another
// configuration, and stops them. It owns the listening sockets, so that none closes while server processes come and go.

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
import { describeExit, type Exit } from "../processes/exit.ts";
import { unknownApp } from "../server/app-operations.ts";
import { Change, type Reread } from "../server/change.ts";
import { type Notifier, notifierOf } from "../server/notify.ts";
import { logFailedReload, reloaded } from "../server/operations.ts";
import { NO_MEANING, STOPS } from "../server/program.ts";
import { announce, announceCut } from "../server/report.ts";
import { StopReport } from "../server/stop-report.ts";
import { summariesOf } from "../server/summary.ts";
import type { SwitchableLog } from "../server/switchable-log.ts";
import { AppChanges } from "./app-changes.ts";
import { inspectorOf, stacksIn, statusOf } from "./ask.ts";
import { EXIT_GRACE } from "./messages.ts";
import { afterRefusal, type ClusterPlan, startTimeoutOf } from "./plan.ts";
import type { ServerProcess } from "./process.ts";
import { type Edition, ServerProcesses } from "./processes.ts";
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
    const sockets = await SharedSockets.open(options.plan.settings.listen, options.plan.directory);
    supervisor = new Supervisor(options, sockets, scoreboard);
    attached = await options.attach(supervisor);
    return await supervisor.run();
  } finally {
    await attached?.close();
    scoreboard.close();
    supervisor?.close();
  }
}

class Supervisor implements Operations {
  readonly #options: ClusterOptions;
  readonly #processes: ServerProcesses;
  readonly #notifier: Promise<Notifier>;
  readonly #startedAt = new Date().toISOString();
  readonly #reloads = new Reloads(() => this.#inTurn(() => this.#reload()));
  /** Reloads and restarts, one at a time. */
  #turn: Promise<void> = Promise.resolve();
  /** Of these, those that are under way or wait. */
  #turns = 0;
  readonly #changes: AppChanges;
  readonly #cpu = new CpuTimes();
  /** Resolves when all have been started for the first time. */
  readonly #started: Promise<void>;
  #complete!: () => void;
  #state: ServerState = "starting";
  #lastReload: ReloadStatus | undefined;
  readonly #reloadCounts = { ok: 0, failed: 0 };
  #ended: ((code: number) => void) | undefined;

  constructor(options: ClusterOptions, sockets: SharedSockets, scoreboard: Scoreboard) {
    this.#options = options;
    this.#notifier = notifierOf(process.env, options.log);
    this.#started = new Promise((resolve) => {
      this.#complete = resolve;
    });
    const { plan, log, logged, totals, tail } = options;
    this.#changes = new AppChanges(log, () => this.#processes.staying);
    this.#processes = new ServerProcesses({
      first: { plan, sockets, generation: 1 },
      scoreboard,
      log,
      logged,
      totals,
      tail,
      isStopping: () => this.#stopping,
      isFree: () => this.#state === "serving" && this.#turns === 0,
      serves: (server) => this.#changes.scaleAsOthers(server),
      allGone: () => this.#ended?.(0),
    });
  }

  async run(): Promise<number> {
    const { serverProcesses: count, log: style } = this.#plan.settings;
    const ended = new Promise<number>((resolve) => {
      this.#ended = resolve;
    });
    this.#obeySignals();
    // One at first, so that an application's error is reported once.
    const first = this.#processes.spawn();
    const serves = await first.ready;
    if (this.#stopping) return ended;
    if (!serves) return this.#failed(await first.exited);
    const others = Array.from({ length: count - 1 }, () => this.#processes.spawn());
    await Promise.all(others.map((server) => this.#processes.settled(server)));
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
    const { length } = this.#processes.serving;
    if (length < wanted) log.warn(`only ${length} of ${wanted} server processes serve so far`);
    else log.info(`${wanted} server processes serve`);
  }

  close(): void {
    this.#processes.close();
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
      serverProcesses: await Promise.all(this.#processes.all.map((server) => statusOf(server))),
      ...(this.#lastReload ? { lastReload: this.#lastReload } : {}),
      reloads: { ...this.#reloadCounts },
      restarts: this.#processes.restarts,
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

  async stacks(app: string): Promise<readonly ProcessStacks[]> {
    this.#appNamed(app);
    const stacks = this.#processes.served.map((server) => stacksIn(server, app));
    return (await Promise.all(stacks)).flat();
  }

  /** Of those that leave, too: their requests and their log matter most then. */
  get inspectors(): readonly Inspector[] {
    return this.#processes.served.map(inspectorOf);
  }

  #appNamed(name: string): ClusterPlan["settings"]["apps"][string] {
    const { apps } = this.#plan.settings;
    const app = Object.hasOwn(apps, name) ? apps[name] : undefined;
    if (!app) throw unknownApp(name, Object.keys(apps));
    return app;
  }

  get #plan(): ClusterPlan {
    return this.#processes.edition.plan;
  }

  get #sockets(): SharedSockets {
    return this.#processes.edition.sockets;
  }

  get #stopping(): boolean {
    return this.#state === "stopping";
  }

  #inTurn(act: () => Promise<void>): Promise<void> {
    this.#turns++;
    this.#processes.giveUpRecycling();
    const acted = this.#turn.then(() => {
      this.#throwIfStopping(); // a stop came while this waited for its turn
      return act();
    });
    const turn = acted.finally(() => {
      this.#turns--;
      // Successors, some of them given up since, stood in for those that ended meanwhile.
      this.#processes.refill();
    });
    this.#turn = turn.catch(() => {});
    return turn;
  }

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

  #obeySignals(): void {
    for (const signal of STOPS) process.on(signal, () => (this.#stopping ? this.#force() : this.#stop()));
    // The log has the reason of a failure.
    process.on("SIGHUP", () => void this.reload().catch(() => {}));
    process.on("SIGUSR1", () => {
      for (const server of this.#processes.all) server.send({ do: "reopen" });
    });
    process.on("SIGUSR2", () => this.#options.log.warn(NO_MEANING));
  }

  #stop(): void {
    this.#state = "stopping";
    void this.#notifier.then((notifier) => notifier.stopping());
    this.#complete();
    const stopped = this.#processes.all;
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
    for (const server of stopped) server.stop(this.#plan.settings.grace);
    if (stopped.length === 0) this.#ended?.(0);
  }

  #force(): void {
    announceCut(this.#plan.settings.log);
    for (const server of this.#processes.all) server.kill();
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
    }
  }

  async #roll(plan: ClusterPlan): Promise<void> {
    const sockets = await SharedSockets.open(plan.settings.listen, plan.directory, this.#sockets);
    const edition = { plan, sockets, generation: this.#processes.edition.generation + 1 };
    const successors: ServerProcess[] = [];
    try {
      await this.#startAll(edition, successors);
    } catch (error) {
      for (const server of successors) void server.retire(plan.settings.grace);
      sockets.close(this.#sockets);
      throw error;
    }
    await this.#become(edition, successors);
  }

  /** One at first, so that a failure costs no more than one. */
  async #startAll(edition: Edition, started: ServerProcess[]): Promise<void> {
    const start = async (): Promise<void> => {
      this.#throwIfStopping();
      const server = this.#processes.spawn(edition);
      started.push(server);
      if (!(await server.ready)) await this.#throwFailure(server);
      this.#throwIfStopping();
    };
    await start();
    const others = Array.from({ length: edition.plan.settings.serverProcesses - 1 }, start);
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
   * From now on this is served. The old server processes leave one by one, so that not all of their clients come back at once;
   * so do those that took the place of old ones meanwhile.
   */
  async #become(edition: Edition, successors: ServerProcess[]): Promise<void> {
    const { plan, sockets } = edition;
    const old = this.#sockets;
    if (plan !== this.#plan) this.#changes.reset();
    this.#processes.edition = edition;
    const { log } = this.#options;
    log.use(plan.settings.log);
    for (const line of plan.settings.renamed ?? []) log.warn(line);
    for (const url of sockets.urlsBeside(old)) log.info(`listening on ${url}, too`);
    for (const url of old.urlsBeside(sockets)) log.info(`no longer listening on ${url}`);
    // The old server processes have them still, and accept the connections that wait.
    const isSmaller = old.urlsBeside(sockets).length > 0;
    old.close(sockets);
    const { grace } = plan.settings;
    const leaving = this.#processes.staying.filter((server) => !successors.includes(server));
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
