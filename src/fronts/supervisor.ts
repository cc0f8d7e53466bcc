// The parent of fronts. It serves nothing: it starts them, starts them again when they end, replaces them one by
// one, and stops them. The listening sockets are its own, so none closes while fronts come and go.
import { type Log, SallyportError } from "../exchange/index.ts";
import { describeExit, type Exit } from "../processes/exit.ts";
import { Pauses } from "../processes/pauses.ts";
import type { ListenAddress } from "../server/address.ts";
import { Board } from "./board.ts";
import { Front } from "./process.ts";
import { type Reserved, reserve } from "./sockets.ts";

export interface FrontsOptions {
  readonly count: number;
  readonly listen: readonly ListenAddress[];
  /** Milliseconds that requests under way have when a front stops. */
  readonly grace: number;
  /** Milliseconds for which a front's event loop may stand still; then it is replaced. 0 for no limit. */
  readonly timeout: number;
  /** Milliseconds for a front to start, applications included. */
  readonly startTimeout: number;
  readonly log: Log;
}

/** How often silent fronts are looked for, in milliseconds. */
const TICK = 250;
const LATE = 4 * TICK;

/**
 * Runs the fronts of this command line until a signal ends them all. Gives the exit code. Rejects with ADDRESS_UNUSABLE.
 * All fronts accept from the same sockets: sockets of their own (SO_REUSEPORT) would take what waits in them along when
 * a front goes, and passing each connection on by hand would cost as much as a request.
 */
export async function supervise(options: FrontsOptions): Promise<number> {
  const sockets: Reserved[] = [];
  const board = new Board();
  try {
    for (const address of options.listen) sockets.push(await reserve(address));
    return await new Supervisor(options, sockets, board).run();
  } finally {
    board.close();
    for (const socket of sockets) socket.close();
  }
}

class Supervisor {
  readonly #options: FrontsOptions;
  readonly #sockets: readonly Reserved[];
  readonly #board: Board;
  readonly #fronts = new Set<Front>();
  readonly #pauses = new Pauses();
  #watchedAt = performance.now();
  #stopping = false;
  #rolling = false;
  #ended: ((code: number) => void) | undefined;

  constructor(options: FrontsOptions, sockets: readonly Reserved[], board: Board) {
    this.#options = options;
    this.#sockets = sockets;
    this.#board = board;
  }

  async run(): Promise<number> {
    const { count, log } = this.#options;
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
    for (const { url } of this.#sockets) process.stderr.write(`listening on ${url}\n`);
    if (count > 1) log.info(`${count} fronts serve`);
    return ended;
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

  #spawn(): Front {
    const front = new Front(this.#sockets, this.#board);
    this.#fronts.add(front);
    void front.exited.then(() => this.#gone(front));
    return front;
  }

  async #gone(front: Front): Promise<void> {
    this.#fronts.delete(front);
    if (this.#stopping && this.#fronts.size === 0) this.#ended?.(0);
    if (this.#stopping || front.leaving || !front.served) return;
    const { log } = this.#options;
    const pause = this.#pauses.after(front.age);
    log.error(
      `front ${front.pid} ${describeExit(await front.exited)}: the requests inside it were cut, the others serve on; ` +
        `another starts${pause > 0 ? ` in ${pause} ms` : ""}`,
    );
    setTimeout(() => this.#again(), pause);
  }

  /** A front that cannot start any more is tried again, ever more slowly. */
  async #again(): Promise<void> {
    const present = [...this.#fronts].filter(({ leaving }) => !leaving).length;
    if (this.#stopping || present >= this.#options.count) return;
    await this.#settled(this.#spawn());
  }

  async #settled(front: Front): Promise<void> {
    if ((await front.ready) || this.#stopping) return;
    const { log } = this.#options;
    log.error(`a front could not be started: it ${describeExit(await front.exited)}`);
    setTimeout(() => this.#again(), this.#pauses.after(0));
  }

  #watch(): void {
    const now = performance.now();
    // We stood still ourselves (SIGSTOP, a frozen container): what the fronts said meanwhile has not been heard yet.
    if (now - this.#watchedAt > LATE) for (const front of this.#fronts) front.excuse();
    this.#watchedAt = now;
    for (const front of this.#fronts) if (!front.condemned) this.#look(front);
  }

  #look(front: Front): void {
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
    process.on("SIGHUP", () => void this.#roll());
    process.on("SIGUSR1", () => {
      for (const front of this.#fronts) front.tell({ do: "reopen" });
    });
  }

  #stop(): void {
    this.#stopping = true;
    for (const front of this.#fronts) front.stop(this.#options.grace);
    if (this.#fronts.size === 0) this.#ended?.(0);
  }

  #force(): void {
    process.stderr.write("sallyport: stopped at once by a second signal; requests under way were cut\n");
    for (const front of this.#fronts) front.kill();
    process.exit(1);
  }

  /** New fronts, one after the other, each before an old one goes. The first that cannot start ends it: the old ones stay. */
  async #roll(): Promise<void> {
    if (this.#rolling) return;
    this.#rolling = true;
    const { log, grace } = this.#options;
    try {
      for (const old of [...this.#fronts]) await this.#replace(old, grace);
      log.info("all fronts were replaced");
    } catch (error) {
      log.error(SallyportError.from(error).message);
    }
    this.#rolling = false;
  }

  async #replace(old: Front, grace: number): Promise<void> {
    const next = this.#spawn();
    if (!(await next.ready)) {
      const how = describeExit(await next.exited);
      throw new SallyportError(
        "APP_IMPORT",
        `the reload failed and the old fronts go on: the new one ${how}`,
      );
    }
    await old.retire(grace);
  }
}
