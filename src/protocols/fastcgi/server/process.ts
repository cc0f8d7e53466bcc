// The processes of a FastCGI application that we start ourselves: each gets a listening socket as descriptor 0
// (specification, 2.2), is a backend while it runs, is replaced when it ends, and is stopped in phases.
// Tested by test/protocols/fastcgi/server/reloads.test.ts.
import { type Log, type ProcessBounds, type ProcessStatus, SallyportError } from "../../../exchange/index.ts";
import type { RecyclingOptions } from "../../../options/processes.ts";
import {
  ApplicationOutput,
  BackOff,
  type Child,
  describeExit,
  type Exit,
  type Isolation,
  inheritedEnvironment,
  isolated,
  Lifespan,
  LONGEST_BACK_OFF,
  memoryOf,
  needsWatch,
  startChild,
  wasKilledByOthers,
} from "../../../processes/index.ts";
import { type Measurement, type Resolved, type Scaled, Scaler } from "../../../workers/index.ts";
import type { Backend } from "./backend.ts";
import type { Backends } from "./backends.ts";
import { type ChildSocket, ChildSockets } from "./child-socket.ts";
import { EndedEarly, PATIENCE, PATIENCE_IN_NEED, untilReady } from "./readiness.ts";

export interface SpawnedApplicationOptions {
  /** The program and its arguments. */
  readonly command: readonly string[];
  /** How many processes, each with a socket of its own. */
  readonly bounds: ProcessBounds;
  /** Milliseconds for which one must be to spare before it ends. */
  readonly idleTimeout: number;
  readonly recycling: Resolved<RecyclingOptions>;
  readonly env: Readonly<Record<string, string>>;
  readonly cwd: string | undefined;
  readonly isolation: Isolation;
  /** Variables of our environment that they get. */
  readonly inheritEnv: readonly string[];
  /** What it listens on. With TCP, FCGI_WEB_SERVER_ADDRS keeps other machines out. */
  readonly transport: "unix" | "tcp";
  readonly log: Log;
}

interface SpawnedProcess {
  readonly child: Child;
  /** What it printed last. */
  readonly lastLines: string[];
  readonly backend: Backend;
  readonly lifespan: Lifespan;
  /** Of the last measurement. */
  measured: number;
  /** It was ended because it hung. */
  hung: boolean;
  /** Milliseconds, `performance.now`. */
  readonly startedAt: number;
}

/** Otherwise php-cgi ends after 500 requests without a word, and loses those that wait to be accepted. `maxRequests` loses none. */
const USUAL_ENV = { PHP_FCGI_MAX_REQUESTS: "0" };
const LAST_LINES = 20;
/** Milliseconds between two looks at age and memory. */
const WATCH_INTERVAL = 1_000;
/** For the requests inside a process that is not needed any more, or too old, milliseconds. */
const DRAIN_GRACE = 600_000;
/** For such a process between TERM and KILL. */
const STOP_GRACE = 1_000;
/** Milliseconds after which a process that cannot be connected to is not just about to exit. */
const EXIT_GRACE = 1_000;

export class SpawnedApplication {
  readonly #options: SpawnedApplicationOptions;
  readonly #backends: Backends;
  /** Makes the backend of a process that listens at `address`. */
  readonly #backendAt: (address: string) => Backend;
  /** Those that get requests. */
  readonly #processes = new Set<SpawnedProcess>();
  /** Those that finish what they have. */
  readonly #draining = new Set<SpawnedProcess>();
  /** Starts under way. */
  #starting = 0;
  /** Those that get no requests yet. */
  readonly #unready = new Set<Child>();
  /** Whose successor is being started, or will be: one at a time. */
  #succeeded: SpawnedProcess | undefined;
  readonly #scaler: Scaler;
  readonly #successions = new BackOff();
  readonly #growths = new BackOff();
  #watch: NodeJS.Timeout | undefined;
  readonly #backOff = new BackOff();
  /** Timers of processes that are started again after a pause. */
  readonly #pauses = new Set<NodeJS.Timeout>();
  readonly #sockets = new ChildSockets();
  /** Processes that were started again because they ended. */
  restarts = 0;
  /** No process is started any more. */
  #retired = false;

  constructor(
    options: SpawnedApplicationOptions,
    backends: Backends,
    backendAt: (address: string) => Backend,
  ) {
    this.#options = options;
    this.#backends = backends;
    this.#backendAt = backendAt;
    this.#scaler = this.#newScaler();
  }

  /** How many there are. */
  get count(): number {
    return this.#processes.size;
  }

  /**
   * Starts `count` processes, or the nearest number within the bounds, and resolves when they are ready: none gets a request
   * before all are. Rejects with SPAWN_FAILED or STOPPING, and leaves none behind.
   */
  async start(count: number): Promise<void> {
    const { min, max } = this.#options.bounds;
    const wanted = Math.min(max, Math.max(min, count));
    const processes = await this.#launchAll(wanted);
    if (this.#retired) return;
    for (const process of processes) this.#serve(process);
    this.#scaler.begin();
    const { recycling } = this.#options;
    if (recycling.maxRequests > 0 || needsWatch(recycling))
      this.#watch = setInterval(() => this.#recycle(), WATCH_INTERVAL).unref();
  }

  async #launchAll(count: number): Promise<SpawnedProcess[]> {
    try {
      return await Promise.all(Array.from({ length: count }, () => this.#launch(PATIENCE)));
    } catch (error) {
      await this.stop(0);
      throw error;
    }
  }

  scale(bounds: ProcessBounds): void {
    if (!this.#retired) this.#scaler.setBounds(bounds);
  }

  /** A request waits, and there may be no process. */
  need(): void {
    if (!this.#retired) this.#scaler.check();
  }

  get processes(): ProcessStatus[] {
    return [...this.#processes, ...this.#draining].map((process) => this.#statusOf(process));
  }

  #statusOf(process: SpawnedProcess): ProcessStatus {
    const { child, backend, startedAt } = process;
    const { busy, requests } = backend;
    const working = busy > 0 ? "busy" : "idle";
    const state = this.#retired || this.#draining.has(process) ? "draining" : working;
    return { pid: child.pid, state, age: performance.now() - startedAt, requests, inFlight: busy };
  }

  /** Takes no more requests. Resolves when those inside have ended, or after `grace` milliseconds. */
  async drain(grace: number): Promise<void> {
    this.#retire();
    const backends = [...this.#processes, ...this.#draining].map(({ backend }) => backend);
    for (const backend of backends) this.#backends.remove(backend);
    await Promise.all(backends.map((backend) => backend.drain(grace)));
  }

  /** TERM, and KILL after `grace` milliseconds. Never rejects. */
  async stop(grace: number): Promise<void> {
    this.#retire();
    const ready = [...this.#processes, ...this.#draining].map(({ child }) => child);
    await Promise.all([...ready, ...this.#unready].map((child) => child.stop(grace)));
    await this.#sockets.remove();
  }

  // As many as the requests need.

  #newScaler(): Scaler {
    const { bounds, idleTimeout, log, command } = this.#options;
    const scaled: Scaled = {
      measure: (now) => this.#measure(now),
      start: (count) => {
        for (let i = 0; i < count; i++) void this.#startAnother();
      },
      retire: (count) => {
        const all = [...this.#processes].reverse().sort((a, b) => a.backend.busy - b.backend.busy);
        // Those that wait for their pause are not started beyond the bounds.
        const running = Math.max(0, count - this.#pauses.size);
        for (const process of all.slice(0, running)) this.#withdraw(process);
      },
    };
    return new Scaler(scaled, { bounds, idleTimeout, name: command[0] ?? "", log });
  }

  #measure(now: number): Measurement {
    const unused = [...this.#processes].filter((process) => isUnused(process));
    return {
      ready: this.#processes.size,
      starting: this.#starting + this.#pauses.size,
      waiting: this.#backends.waiting,
      oldest: this.#backends.waitedFor(now),
      lag: 0,
      isSpare: unused.length > 0,
    };
  }

  /** Where there is none at all, requests wait for this one only. */
  async #startAnother(): Promise<void> {
    try {
      await this.#startOne();
      this.#growths.after(0, true);
    } catch (reason) {
      const error = SallyportError.from(reason);
      if (this.#retired) return;
      this.#options.log.error(error.message, { code: error.code, detail: error.detail });
      this.#scaler.pause(this.#growths.after(0));
      if (this.#processes.size + this.#starting === 0) this.#backends.failWaiting(error);
    }
  }

  /** It finishes what it has, and ends. */
  #withdraw(process: SpawnedProcess): void {
    const { backend, child } = process;
    if (!this.#processes.delete(process)) return;
    this.#draining.add(process);
    this.#backends.remove(backend);
    void backend.drain(DRAIN_GRACE).then(() => child.stop(STOP_GRACE));
  }

  // Another in the place of one that is old or large.

  #recycle(): void {
    for (const process of [...this.#processes, ...this.#draining]) {
      const memory = memoryOf(process.child.pid, this.#options.recycling);
      if (this.#endIfAbove(process, memory) || this.#succeeded || this.#draining.has(process)) continue;
      const age = performance.now() - process.startedAt;
      const reason = process.lifespan.whyReplace(process.backend.requests, age, memory);
      if (reason === undefined) continue;
      this.#succeeded = process;
      void this.#succeed(process, reason);
    }
  }

  #endIfAbove({ lifespan, backend, child }: SpawnedProcess, memory: number): boolean {
    const why = lifespan.whyEnd(memory);
    if (why === undefined || backend.endedFor) return false;
    const [program] = this.#options.command;
    backend.endedFor = new SallyportError("MEMORY_LIMIT", `${program} (${child.pid}) was ended: ${why}`);
    child.signal("SIGKILL");
    return true;
  }

  async #succeed(process: SpawnedProcess, reason: string): Promise<void> {
    const { log, command } = this.#options;
    const name = `${command[0]} (${process.child.pid})`;
    let pause = 0;
    try {
      await this.#startOne(PATIENCE);
      this.#successions.after(0, true);
      log.info(`${name} ${reason}; another takes over`);
      this.#withdraw(process);
    } catch (error) {
      const { message, code, detail } = SallyportError.from(error);
      if (!this.#retired) log.error(`no successor for ${name}: ${message}`, { code, detail });
      pause = this.#successions.after(0);
    }
    const again = setTimeout(() => {
      this.#succeeded = undefined;
    }, pause);
    again.unref();
  }

  async #startOne(patience = PATIENCE_IN_NEED): Promise<void> {
    this.#starting++;
    try {
      this.#serve(await this.#launch(patience));
    } finally {
      this.#starting--;
    }
    this.#withdrawSurplus();
  }

  /** One that died while its successor started was replaced twice. */
  #withdrawSurplus(): void {
    const leaves = this.#succeeded !== undefined && this.#processes.has(this.#succeeded);
    const most = this.#scaler.bounds.max + (leaves ? 1 : 0);
    for (const process of [...this.#processes].slice(most)) this.#withdraw(process);
  }

  /** Resolves with a process that is ready, for `#serve`. */
  async #launch(patience: number): Promise<SpawnedProcess> {
    const socket = await this.#sockets.listen(this.#options.transport);
    const lastLines: string[] = [];
    const child = this.#spawn(socket, lastLines);
    this.#unready.add(child);
    if (this.#retired) child.signal("SIGTERM");
    try {
      await socket.handOver();
      void child.exited.then(socket.remove);
      if (child.pid === undefined) throw (await child.exited).failure;
      const backend = this.#backendAt(socket.address);
      const lifespan = new Lifespan(this.#options.recycling);
      const startedAt = performance.now();
      const process = { child, lastLines, backend, lifespan, measured: -1, hung: false, startedAt };
      await this.#becomesReady(process, patience);
      return process;
    } catch (error) {
      this.#unready.delete(child);
      void child.stop(STOP_GRACE);
      throw error;
    }
  }

  async #becomesReady({ child, backend, lastLines }: SpawnedProcess, patience: number): Promise<void> {
    const exit = await untilReady(child, backend, patience);
    if (this.#retired) throw new SallyportError("STOPPING", "the application is being stopped");
    if (!exit) return;
    await child.printed;
    const [program = ""] = this.#options.command;
    throw new EndedEarly(program, exit, lastLines);
  }

  #serve(process: SpawnedProcess): void {
    const { child, backend } = process;
    this.#unready.delete(child);
    this.#processes.add(process);
    backend.onHang = () => this.#endHung(process);
    backend.onUnreachable = (error) => this.#unreachable(process, error);
    void child.exited.then((exit) => this.#ended(process, exit));
    this.#backends.add(backend);
  }

  #spawn(socket: ChildSocket, lastLines: string[]): Child {
    const { command, cwd, env, transport, isolation, inheritEnv, log } = this.#options;
    const [program = "", ...args] = command;
    const only = transport === "tcp" ? { FCGI_WEB_SERVER_ADDRS: "127.0.0.1" } : {};
    const output = new ApplicationOutput(log, () => ({ program, pid: child.pid }));
    const child = startChild({
      ...isolated(program, args, isolation),
      env: { ...USUAL_ENV, ...inheritedEnvironment(inheritEnv), ...isolation.env, ...env, ...only },
      ...(cwd === undefined ? {} : { cwd }),
      stdio: [socket.descriptor, "lines", "lines"],
      onLine: (line, descriptor) => {
        lastLines.push(line);
        if (lastLines.length > LAST_LINES) lastLines.shift();
        output.line(line, descriptor);
      },
    });
    void child.printed.then(() => output.end());
    return child;
  }

  #ended(process: SpawnedProcess, exit: Exit): void {
    const { backend, startedAt, lastLines } = process;
    const wasServing = this.#processes.delete(process);
    this.#draining.delete(process);
    this.#backends.remove(backend);
    // Processes that it has started may keep its connections open.
    void backend.drain(0, this.#retired ? undefined : this.#lossOf(process, exit));
    if (this.#retired || !wasServing) return;
    const pause = this.#backOff.after(performance.now() - startedAt, backend.servedOnce, exit);
    if (!backend.servedOnce && !this.#isWanted) return this.#failedToGrow(exit, pause, lastLines);
    this.restarts++;
    this.#startLater(pause);
    if (process.hung) return;
    const [program] = this.#options.command;
    const ended = backend.endedFor?.message ?? `${program} ${describeExit(exit)}`;
    const message = `${ended}; another starts${pause > 0 ? ` in ${pause} ms` : ""}`;
    const code = backend.endedFor?.code ?? "ERR_SALLYPORT_WORKER_DIED";
    this.#options.log.error(message, { code, detail: lastLines.join("\n") });
  }

  /** Why the requests inside a process that has ended are lost. */
  #lossOf({ backend }: SpawnedProcess, exit: Exit): SallyportError {
    const message = `${this.#options.command[0]} ${describeExit(exit)}`;
    return backend.endedFor ?? new SallyportError("UPSTREAM_BROKEN", message);
  }

  /** What is inside it hangs, too: nothing has come from it. */
  #endHung(process: SpawnedProcess): void {
    const { child, backend } = process;
    const then = this.#processes.has(process) ? "; it is ended and replaced" : "; it is ended";
    const name = `${this.#options.command[0]} (${child.pid})`;
    const message = `${name} hangs: a request that was aborted has not ended, and nothing else is answered${then}`;
    this.#options.log.error(message, { code: "ERR_SALLYPORT_APP_TIMEOUT" });
    process.hung = true;
    this.#backends.remove(backend);
    void child.stop(STOP_GRACE);
  }

  /** Its socket is closed, or was removed by something that cleans directories. One that is about to exit says so itself. */
  #unreachable(process: SpawnedProcess, { message }: SallyportError): void {
    process.backend.onUnreachable = undefined;
    const timer = setTimeout(() => {
      if (!this.#processes.has(process) || this.#retired) return;
      const { backend, child, startedAt } = process;
      const pause = this.#backOff.after(performance.now() - startedAt, backend.servedOnce);
      const text = `${this.#options.command[0]} (${child.pid}) is replaced: ${message}`;
      this.#options.log.error(text, { code: "ERR_SALLYPORT_UPSTREAM_UNREACHABLE" });
      this.#withdraw(process);
      this.restarts++;
      this.#startLater(pause);
    }, EXIT_GRACE);
    timer.unref();
  }

  /** Whether there are fewer than there must be. */
  get #isWanted(): boolean {
    return this.#processes.size + this.#starting + this.#pauses.size < this.#scaler.bounds.min;
  }

  /** It was to help with the requests, and ended before it could. */
  #failedToGrow(exit: Exit, pause: number, lastLines: string[]): void {
    const [program] = this.#options.command;
    const message = `${program} ${describeExit(exit)} before it served a request`;
    const error = new SallyportError("SPAWN_FAILED", message, { detail: lastLines.join("\n") });
    this.#options.log.error(message, { code: error.code, detail: error.detail });
    this.#scaler.pause(pause);
    if (this.#processes.size + this.#starting === 0) this.#backends.failWaiting(error);
  }

  #startLater(pause: number): void {
    const timer = setTimeout(() => {
      this.#pauses.delete(timer);
      if (this.#processes.size >= this.#scaler.bounds.max) return;
      const began = performance.now();
      this.#startOne().catch((error: unknown) => {
        if (!this.#retired) this.#startFailed(SallyportError.from(error), performance.now() - began);
      });
    }, pause);
    this.#pauses.add(timer);
  }

  /** Where there is no other process, the requests that wait have nothing to wait for. */
  #startFailed(error: SallyportError, age: number): void {
    const exit = error instanceof EndedEarly ? error.exit : undefined;
    const pause = exit ? this.#backOff.after(age, false, exit) : LONGEST_BACK_OFF;
    this.#options.log.error(error.message, { code: error.code, detail: error.detail });
    if (this.#processes.size + this.#starting === 0 && !(exit && wasKilledByOthers(exit)))
      this.#backends.failWaiting(error);
    if (this.#isWanted) this.#startLater(pause);
    else this.#scaler.pause(pause);
  }

  #retire(): void {
    this.#retired = true;
    this.#scaler.end();
    clearInterval(this.#watch);
    for (const timer of this.#pauses) clearTimeout(timer);
    this.#pauses.clear();
    for (const child of this.#unready) child.signal("SIGTERM");
  }
}

/** Whether it has nothing to do and has had nothing since the last time. */
function isUnused(process: SpawnedProcess): boolean {
  const { requests, busy } = process.backend;
  const unused = requests === process.measured && busy === 0;
  process.measured = requests;
  return unused;
}
