// The parent of fronts. It serves nothing: it starts them, starts them again when they end, replaces them one by
// one, and stops them. The listening sockets are its own, so none closes while fronts come and go.

import type { ListenAddress } from "../config/address.ts";
import { type Log, SallyportError } from "../exchange/index.ts";
import { Reloads } from "../exchange/reloads.ts";
import { BackOff } from "../processes/back-off.ts";
import { describeExit, type Exit } from "../processes/exit.ts";
import { type Notifier, notifierOf } from "../server/notify.ts";
import { announce, announceCut, type ReportStyle } from "../server/report.ts";
import { ServerProcess } from "./process.ts";
import { Scoreboard } from "./scoreboard.ts";
import { type Reserved, reserve } from "./sockets.ts";

export interface ClusterOptions {
  readonly count: number;
  readonly listen: readonly ListenAddress[];
  /** Milliseconds that requests under way have when a front stops. */
  readonly grace: number;
  /** Milliseconds for which a front's event loop may stand still; then it is replaced. 0 for no limit. */
  readonly timeout: number;
  /** Milliseconds for a front to start, applications included. */
  readonly startTimeout: number;
  readonly log: Log;
  /** How it is written. */
  readonly manner: ReportStyle;
}

/** How often silent fronts are looked for, in milliseconds. */
const TICK = 250;
const LATE = 4 * TICK;

/**
 * Runs the fronts of this command line until a signal ends them all. Gives the exit code. Rejects with ADDRESS_UNUSABLE.
 * All fronts accept from the same sockets: sockets of their own (SO_REUSEPORT) would take what waits in them along when
 * a front goes, and passing each connection on by hand would cost as much as a request.
 */
export async function supervise(options: ClusterOptions): Promise<number> {
  const sockets: Reserved[] = [];
  const board = new Scoreboard();
  try {
    for (const address of options.listen) sockets.push(await reserve(address));
    return await new Supervisor(options, sockets, board).run();
  } finally {
    board.close();
    for (const socket of sockets) socket.close();
  }
}

class Supervisor {
  readonly #options: ClusterOptions;
  readonly #sockets: readonly Reserved[];
  readonly #scoreboard: Scoreboard;
  readonly #processes = new Set<ServerProcess>();
  readonly #backOff = new BackOff();
  readonly #notifier: Promise<Notifier>;
  #watchedAt = performance.now();
  readonly #reloads = new Reloads(() => this.#roll());
  /** All that were to be started at first have been. */
  readonly #started: Promise<void>;
  #complete!: () => void;
  #stopping = false;
  #ended: ((code: number) => void) | undefined;

  constructor(options: ClusterOptions, sockets: readonly Reserved[], board: Scoreboard) {
    this.#options = options;
    this.#sockets = sockets;
    this.#scoreboard = board;
    this.#notifier = notifierOf(process.env, options.log);
    this.#started = new Promise((resolve) => {
      this.#complete = resolve;
    });
  }

  async run(): Promise<number> {
    const { count, log, manner } = this.#options;
    const ended = new Promise<number>((resolve) => {
      this.#ended = resolve;
    });
    this.#obeySignals();
    setInterval(() => this.#watch(), TICK).unref();
    // One at first: what is wrong with the application is then told once.
    const first = this.#spawn();
    if (!(await first.ready)) return this.#stopping ? ended : this.#failed(await first.exited);
    const others = Array.from({ length: count - 1 }, () => this.#spawn());
    await Promise.all(others.map((front) => this.#settled(front)));
    announce(this.#urls, manner);
    (await this.#notifier).ready(this.#urls);
    if (count > 1) log.info(`${count} fronts serve`);
    this.#complete();
    return ended;
  }

  get #urls(): string[] {
    return this.#sockets.map(({ url }) => url);
  }

  /** The exit code when nothing could be started. A front that could still speak has said why, and ended with 1. */
  #failed(exit: Exit): number {
    if (exit.code !== 1)
      this.#options.log.error(
        `a front could not be started: it ${describeExit(exit)} while the app was loaded`,
        {
          code: "ERR_SALLYPORT_APP_IMPORT",
        },
      );
    return 1;
  }

  #spawn(): ServerProcess {
    const front = new ServerProcess(this.#sockets, this.#scoreboard);
    this.#processes.add(front);
    void front.exited.then(() => this.#gone(front));
    return front;
  }

  async #gone(front: ServerProcess): Promise<void> {
    this.#processes.delete(front);
    if (this.#stopping && this.#processes.size === 0) this.#ended?.(0);
    if (this.#stopping || front.leaving || !front.served) return;
    const { log } = this.#options;
    const pause = this.#backOff.after(front.age);
    log.error(
      `front ${front.pid} ${describeExit(await front.exited)}: the requests inside it were cut, the others serve on; ` +
        `another starts${pause > 0 ? ` in ${pause} ms` : ""}`,
    );
    setTimeout(() => this.#again(), pause);
  }

  /** A front that cannot start any more is tried again, ever more slowly. */
  async #again(): Promise<void> {
    if (!this.#stopping && this.#missing > 0) await this.#settled(this.#spawn());
  }

  get #missing(): number {
    return this.#options.count - [...this.#processes].filter(({ leaving }) => !leaving).length;
  }

  async #settled(front: ServerProcess): Promise<void> {
    if ((await front.ready) || this.#stopping || front.leaving) return;
    const { log } = this.#options;
    log.error(`a front could not be started: it ${describeExit(await front.exited)}`);
    setTimeout(() => this.#again(), this.#backOff.after(0));
  }

  #watch(): void {
    const now = performance.now();
    // We stood still ourselves (SIGSTOP, a frozen container): what the fronts said meanwhile has not been heard yet.
    if (now - this.#watchedAt > LATE) for (const front of this.#processes) front.excuse();
    this.#watchedAt = now;
    for (const front of this.#processes) if (!front.doomed) this.#checkHeartbeats(front);
  }

  #checkHeartbeats(front: ServerProcess): void {
    const { timeout, startTimeout, log } = this.#options;
    if (!front.served && !front.leaving && front.age > startTimeout) {
      log.error(
        `front ${front.pid} did not start within ${startTimeout / 1000} s: it is ended; its stack follows`,
      );
      return front.abort();
    }
    const held = front.served && timeout > 0 && front.silence >= timeout;
    if (!held && !front.overdue) return;
    log.error(
      `front ${front.pid} has been held by an application for ${Math.round(front.silence / 1000)} s: ` +
        `it is ended${front.leaving ? "" : " and replaced"}; its stack follows`,
    );
    front.abort();
    void this.#again();
  }

  #obeySignals(): void {
    for (const signal of ["SIGTERM", "SIGINT"])
      process.on(signal, () => (this.#stopping ? this.#force() : this.#stop()));
    process.on("SIGHUP", () => void this.#reloads.ask());
    process.on("SIGUSR1", () => {
      for (const front of this.#processes) front.tell({ do: "reopen" });
    });
  }

  #stop(): void {
    this.#stopping = true;
    void this.#notifier.then((notifier) => notifier.stopping());
    this.#complete();
    // With ours open the system would go on taking connections that nobody accepts. Each front takes those that wait.
    for (const socket of this.#sockets) socket.close();
    for (const front of this.#processes) front.stop(this.#options.grace);
    if (this.#processes.size === 0) this.#ended?.(0);
  }

  #force(): void {
    announceCut(this.#options.manner);
    for (const front of this.#processes) front.kill();
    process.exit(1);
  }

  /** New fronts, one after the other, each before an old one goes. The first that cannot start ends it: the old ones stay. */
  async #roll(): Promise<void> {
    await this.#started;
    const notifier = await this.#notifier;
    if (!this.#stopping) notifier.reloading();
    const { log } = this.#options;
    try {
      for (const old of [...this.#processes]) await this.#replace(old);
      if (!this.#stopping) log.info("all fronts were replaced");
    } catch (error) {
      log.error(SallyportError.from(error).message);
    }
    if (!this.#stopping) notifier.ready(this.#urls);
    // A new one took the place of those that ended meanwhile, for a time or for good.
    for (let missing = this.#missing; missing > 0; missing--) void this.#again();
  }

  async #replace(old: ServerProcess): Promise<void> {
    // Its successor, if it has one already, was started after the reload was asked for.
    if (this.#stopping || !this.#processes.has(old) || old.leaving) return;
    const next = this.#spawn();
    if (!(await next.ready)) {
      if (this.#stopping) return;
      const how = describeExit(await next.exited);
      throw new SallyportError(
        "APP_IMPORT",
        `the reload failed and the old fronts go on: the new one ${how}`,
      );
    }
    if (!this.#stopping) await old.retire(this.#options.grace);
  }
}
