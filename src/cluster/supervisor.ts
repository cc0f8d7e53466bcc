// The parent of the server processes. It serves nothing: it starts them, restarts them when they end, replaces them one
// by one, and stops them. It owns the listening sockets, so that none closes while server processes come and go.

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
  /** Milliseconds that requests under way have when a server process stops. */
  readonly grace: number;
  /** Milliseconds for which the event loop of a server process may be blocked; then it is replaced. 0 for no limit. */
  readonly timeout: number;
  /** Milliseconds for a server process to start, applications included. */
  readonly startTimeout: number;
  /** Called once all serve. */
  readonly serving: () => void;
  readonly log: Log;
  /** How the log is written. */
  readonly style: ReportStyle;
}

/** Milliseconds between two checks of the heartbeats. */
const TICK = 250;
const LATE = 4 * TICK;

/**
 * Runs the server processes of this command line until a signal ends them all. Gives the exit code. Rejects with
 * ADDRESS_UNUSABLE. All accept from the same sockets: a socket for each (SO_REUSEPORT) would lose the connections that
 * wait in it when its process ends, and passing each connection on would cost as much as a request.
 */
export async function supervise(options: ClusterOptions): Promise<number> {
  const sockets: Reserved[] = [];
  const scoreboard = new Scoreboard();
  try {
    for (const address of options.listen) sockets.push(await reserve(address));
    return await new Supervisor(options, sockets, scoreboard).run();
  } finally {
    scoreboard.close();
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
  /** Resolves when all of `count` have been started for the first time. */
  readonly #started: Promise<void>;
  #complete!: () => void;
  #stopping = false;
  #ended: ((code: number) => void) | undefined;

  constructor(options: ClusterOptions, sockets: readonly Reserved[], scoreboard: Scoreboard) {
    this.#options = options;
    this.#sockets = sockets;
    this.#scoreboard = scoreboard;
    this.#notifier = notifierOf(process.env, options.log);
    this.#started = new Promise((resolve) => {
      this.#complete = resolve;
    });
  }

  async run(): Promise<number> {
    const { count, log, style } = this.#options;
    const ended = new Promise<number>((resolve) => {
      this.#ended = resolve;
    });
    this.#obeySignals();
    setInterval(() => this.#watch(), TICK).unref();
    // One at first, so that an application's error is reported once.
    const first = this.#spawn();
    if (!(await first.ready)) return this.#stopping ? ended : this.#failed(await first.exited);
    const others = Array.from({ length: count - 1 }, () => this.#spawn());
    await Promise.all(others.map((server) => this.#settled(server)));
    announce(this.#urls, style);
    this.#options.serving();
    (await this.#notifier).ready(this.#urls);
    if (count > 1) log.info(`${count} server processes serve`);
    this.#complete();
    return ended;
  }

  get #urls(): string[] {
    return this.#sockets.map(({ url }) => url);
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

  #spawn(): ServerProcess {
    const server = new ServerProcess(this.#sockets, this.#scoreboard);
    this.#processes.add(server);
    void server.exited.then(() => this.#gone(server));
    return server;
  }

  async #gone(server: ServerProcess): Promise<void> {
    this.#processes.delete(server);
    if (this.#stopping && this.#processes.size === 0) this.#ended?.(0);
    if (this.#stopping || server.leaving || !server.served) return;
    const { log } = this.#options;
    const pause = this.#backOff.after(server.age);
    log.error(
      `server process ${server.pid} ${describeExit(await server.exited)}: the requests inside it were cut, the others serve on; ` +
        `another starts${pause > 0 ? ` in ${pause} ms` : ""}`,
    );
    setTimeout(() => this.#again(), pause);
  }

  /** Retries a server process that could not start, with growing pauses. */
  async #again(): Promise<void> {
    if (!this.#stopping && this.#missing > 0) await this.#settled(this.#spawn());
  }

  get #missing(): number {
    return this.#options.count - [...this.#processes].filter(({ leaving }) => !leaving).length;
  }

  async #settled(server: ServerProcess): Promise<void> {
    if ((await server.ready) || this.#stopping || server.leaving) return;
    const { log } = this.#options;
    log.error(`a server process could not be started: it ${describeExit(await server.exited)}`);
    setTimeout(() => this.#again(), this.#backOff.after(0));
  }

  #watch(): void {
    const now = performance.now();
    // We were stopped ourselves (SIGSTOP, a frozen container): the heartbeats of that time have not been read yet.
    if (now - this.#watchedAt > LATE) for (const each of this.#processes) each.resetSilence();
    this.#watchedAt = now;
    for (const each of this.#processes) if (!each.doomed) this.#checkHeartbeat(each);
  }

  #checkHeartbeat(server: ServerProcess): void {
    const { timeout, startTimeout, log } = this.#options;
    if (!server.served && !server.leaving && server.age > startTimeout) {
      log.error(
        `server process ${server.pid} did not start within ${startTimeout / 1000} s: it is ended; its stack follows`,
      );
      return server.abort();
    }
    const held = server.served && timeout > 0 && server.silence >= timeout;
    if (!held && !server.overdue) return;
    log.error(
      `server process ${server.pid} has been held by an application for ${Math.round(server.silence / 1000)} s: ` +
        `it is ended${server.leaving ? "" : " and replaced"}; its stack follows`,
    );
    server.abort();
    void this.#again();
  }

  #obeySignals(): void {
    for (const signal of ["SIGTERM", "SIGINT"])
      process.on(signal, () => (this.#stopping ? this.#force() : this.#stop()));
    process.on("SIGHUP", () => void this.#reloads.ask());
    process.on("SIGUSR1", () => {
      for (const server of this.#processes) server.send({ do: "reopen" });
    });
  }

  #stop(): void {
    this.#stopping = true;
    void this.#notifier.then((notifier) => notifier.stopping());
    this.#complete();
    // Left open, ours would go on taking connections that no process accepts. The server processes accept those that wait.
    for (const socket of this.#sockets) socket.close();
    for (const server of this.#processes) server.stop(this.#options.grace);
    if (this.#processes.size === 0) this.#ended?.(0);
  }

  #force(): void {
    announceCut(this.#options.style);
    for (const server of this.#processes) server.kill();
    process.exit(1);
  }

  /** Replaces the server processes one by one, each once its successor serves. If one cannot start, the rest stay. */
  async #roll(): Promise<void> {
    await this.#started;
    const notifier = await this.#notifier;
    if (!this.#stopping) notifier.reloading();
    const { log } = this.#options;
    try {
      for (const old of [...this.#processes]) await this.#replace(old);
      if (!this.#stopping) log.info("all server processes were replaced");
    } catch (error) {
      log.error(SallyportError.from(error).message);
    }
    if (!this.#stopping) notifier.ready(this.#urls);
    // Successors stood in for those that ended meanwhile, some of them only for a time.
    for (let missing = this.#missing; missing > 0; missing--) void this.#again();
  }

  async #replace(old: ServerProcess): Promise<void> {
    // One that has ended was restarted after the reload was asked for, and so has the new code.
    if (this.#stopping || !this.#processes.has(old) || old.leaving) return;
    const next = this.#spawn();
    if (!(await next.ready)) {
      if (this.#stopping) return;
      const how = describeExit(await next.exited);
      throw new SallyportError(
        "APP_IMPORT",
        `the reload failed and the old server processes go on: the new one ${how}`,
      );
    }
    if (!this.#stopping) await old.retire(this.#options.grace);
  }
}
