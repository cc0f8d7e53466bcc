// The workers of one application: which of them gets the next exchange, and what happens when a process dies, hangs, or is
// replaced by a new generation.
// Tested by test/protocols/wsgi/workers.test.ts.
import {
  type GatewayStatus,
  type Leaving,
  type ProcessBounds,
  type ProcessStacks,
  SallyportError,
} from "../exchange/index.ts";
import { type Agree, Reloads } from "../exchange/reloads.ts";
import { timerDelay, waitUntil } from "../exchange/wait.ts";
import { boundsOf, checkBounds, checkRecycling, idleTimeoutOf } from "../options/processes.ts";
import type { QueueOptions } from "../options/queue.ts";
import { BackOff, describeExit, needsWatch, SERVED } from "../processes/index.ts";
import { checkDeadlines, type Deadlines, holdBack } from "./deadlines.ts";
import type { Interface } from "./interface.ts";
import type { Resolved, WorkerOptions } from "./options.ts";
import { leastBusy, Pressure } from "./pressure.ts";
import { RequestQueue } from "./queue.ts";
import { type Scaled, Scaler } from "./scaler.ts";
import type { WorkerStream } from "./stream.ts";
import { Worker } from "./worker.ts";

/** What a runner says of itself: all but the interface, which may not be known yet. */
export type RunnerStatus = Omit<GatewayStatus, "interface">;

export interface PoolOptions extends WorkerOptions, Resolved<QueueOptions>, Deadlines {}

/** Milliseconds between two checks of the deadlines. */
const TICK = 250;
/** Checks of the deadlines for one look at age and memory: once a second. */
const TICKS_PER_WATCH = 4;
/** Milliseconds from giving up all streams of a worker to ending it by force. */
const LEAVING_GRACE = 2_000;

/** For the log: what becomes of a worker that hangs. */
const DOOMED = {
  end: "it is ended and replaced; its stack follows",
  retire: "it is replaced, and ended after its other requests; its stack follows then",
} as const;

export class Pool {
  readonly #options: PoolOptions;
  readonly #queue: RequestQueue;
  /** The present generation. */
  #workers: Set<Worker> = new Set();
  /** Counts those that were installed. */
  #generation = 0;
  /** Workers that get no requests: retired and doomed ones, which finish theirs, and those that are not ready yet. */
  readonly #others: Set<Worker> = new Set();
  /** Starts that wait for their back-off: all, and those of workers that are started again. */
  readonly #delayed: Set<NodeJS.Timeout> = new Set();
  readonly #awaited: Set<NodeJS.Timeout> = new Set();
  #interface: Interface | undefined;
  readonly #restarts = new BackOff();
  /** Workers that were started again because they ended. */
  #restarted = 0;
  /** Of starts that were to make them more. */
  readonly #growths = new BackOff();
  readonly #successions = new BackOff();
  /** Whose successor is being started, or will be: one at a time, as a start is expensive. */
  #succeeded: Worker | undefined;
  readonly #scaler: Scaler;
  #ticks = 0;
  readonly #reloads = new Reloads((agree) => this.#reload(agree));
  #closing = false;
  #timer: NodeJS.Timeout | undefined;

  constructor(options: PoolOptions) {
    checkRecycling(options);
    this.#options = options;
    this.#queue = new RequestQueue(options, "worker");
    this.#scaler = this.#newScaler();
  }

  /** The interface that the application is written for; undefined until it has started. */
  get interface(): Interface | undefined {
    return this.#interface ?? this.#options.interface;
  }

  get bodyGroup(): number | undefined {
    return this.#options.isolation.gid;
  }

  /** Starts all workers. Rejects with the first one's SallyportError, and leaves none behind. */
  async start(): Promise<void> {
    // Which interface it is turns out only when it is imported.
    this.#install(await this.#startGeneration(this.interface ? 0 : 1));
    this.#scaler.begin();
    this.#timer = setInterval(() => this.#tick(), TICK).unref();
  }

  /** Hands the stream to a worker, or has it wait for one. */
  submit(stream: WorkerStream): void {
    if (this.#closing) return stream.fail(new SallyportError("STOPPING", "the application is being stopped"));
    const worker = this.#queue.waiting.length === 0 ? this.#idlest() : undefined;
    if (worker) this.#dispatch(worker, stream);
    else this.#enqueue(stream);
  }

  #enqueue(stream: WorkerStream): void {
    this.#queue.add(stream);
    if (this.#workers.size === 0) this.#scaler.check();
  }

  /** Changes how many workers there may be, at once. Throws CONFIG_INVALID, or STOPPING when nobody would stop those that it started. */
  scale(bounds: ProcessBounds): void {
    checkBounds(bounds);
    this.#throwIfClosing();
    // Written before another one is started.
    if (this.#scaler.bounds.max === 1 && bounds.max > 1 && this.interface !== "asgi")
      for (const worker of this.#all()) worker.becomeMultiprocess();
    this.#scaler.setBounds(bounds);
  }

  /** A new generation takes over when it is ready. Rejects, and changes nothing, if it cannot be started. */
  reload(agree?: Agree): Promise<void> {
    return this.#reloads.ask(agree);
  }

  async #reload(agree: Agree): Promise<void> {
    const next = await this.#startGeneration(this.#workers.size);
    await this.#untilAgreed(next, agree);
    const previous = this.#workers;
    this.#cancelDelayed(); // the new generation replaces workers that have died
    this.#succeeded = undefined;
    this.#install(next);
    for (const worker of previous) this.#retire(worker);
    for (const worker of next) this.#onRoom(worker);
    this.#scaler.check(); // the bounds may have changed meanwhile
  }

  status(): RunnerStatus {
    const all = this.#all();
    return {
      ...all.find(({ runtime }) => runtime)?.runtime,
      waiting: all.reduce((sum, { capacity }) => sum + capacity.ahead, this.#queue.waiting.length),
      processes: all.map(({ status }) => status),
      bounds: this.#scaler.bounds,
      restarts: this.#restarted,
    };
  }

  /** Of the workers that have requests. Never rejects. */
  stacks(): Promise<ProcessStacks[]> {
    const busy = this.#all().filter(({ streams }) => streams.size > 0);
    return Promise.all(busy.map((worker) => worker.stacks()));
  }

  /** Has streams that would never end by themselves come to an end. */
  leave(why: Leaving = "stop"): void {
    for (const worker of this.#all()) worker.leave(why);
  }

  /** Lets what is under way finish for `grace` milliseconds, then ends all processes. */
  async close(grace: number): Promise<void> {
    const deadline = performance.now() + grace;
    this.leave();
    await waitUntil(() => this.#queue.idle, grace);
    this.#closing = true;
    clearInterval(this.#timer);
    this.#scaler.end();
    this.#cancelDelayed();
    this.#queue.close();
    this.leave();
    const left = Math.max(0, deadline - performance.now());
    await Promise.all(this.#all().map((worker) => worker.stop(left)));
  }

  #all(): Worker[] {
    return [...this.#workers, ...this.#others];
  }

  readonly #onRoom = (worker: Worker): void => {
    while (this.#queue.waiting.length > 0 && worker.room > 0) {
      const stream = this.#queue.next();
      if (stream) this.#dispatch(worker, stream);
    }
  };

  readonly #onReturned = (stream: WorkerStream): void => {
    this.#queue.putBack([stream]);
    if (this.#closing) return this.#queue.close();
    for (const worker of this.#workers) this.#onRoom(worker);
  };

  /** It may take long to exit: its place and its requests do not wait for that. */
  readonly #onLeaving = (worker: Worker, unbegun: WorkerStream[]): void => {
    this.#queue.putBack(unbegun);
    if (this.#closing) return this.#queue.close();
    if (this.#workers.delete(worker)) {
      this.#others.add(worker);
      this.#replace(worker);
    }
    for (const other of this.#workers) this.#onRoom(other);
  };

  readonly #onGone = (worker: Worker, unbegun: WorkerStream[]): void => {
    this.#others.delete(worker);
    this.#queue.putBack(unbegun);
    if (this.#closing) return this.#queue.close();
    if (this.#workers.delete(worker)) this.#replace(worker);
    for (const other of this.#workers) this.#onRoom(other);
  };

  /** `count` workers, or the nearest number within the bounds. */
  async #startGeneration(count: number): Promise<Set<Worker>> {
    this.#throwIfClosing();
    const { min, max } = this.#scaler.bounds;
    const length = Math.min(max, Math.max(min, count));
    const workers = Array.from({ length }, () => this.#spawn(this.#generation + 1));
    for (const worker of workers) this.#others.add(worker); // so that `close` stops them, too
    const starts = await Promise.allSettled(workers.map((worker) => worker.start()));
    const failed = starts.find((start) => start.status === "rejected");
    if (failed) await Promise.all(workers.map((worker) => worker.stop(0)));
    for (const worker of workers) this.#others.delete(worker);
    this.#throwIfClosing();
    if (failed) throw failed.reason;
    for (const start of starts) if (start.status === "fulfilled") this.#interface ??= start.value;
    return new Set(workers);
  }

  /** Rejects, and ends `generation`, if it must not take over. */
  async #untilAgreed(generation: ReadonlySet<Worker>, agree: Agree): Promise<void> {
    const waiting = [...generation].filter(({ state }) => state !== "gone");
    for (const worker of waiting) this.#others.add(worker); // so that `close` stops them, too
    try {
      await agree();
      this.#throwIfClosing();
    } catch (error) {
      await Promise.all(waiting.map((worker) => worker.stop(0)));
      throw error;
    }
    for (const worker of waiting) this.#others.delete(worker);
  }

  #throwIfClosing(): void {
    if (this.#closing) throw new SallyportError("STOPPING", "the application is being stopped");
  }

  /** Makes it the present generation. A worker that died while others were not ready yet is replaced like any other. */
  #install(generation: Set<Worker>): void {
    this.#workers = generation;
    this.#generation++;
    for (const worker of generation) if (worker.state === "gone") this.#onGone(worker, []);
  }

  #spawn(generation = this.#generation): Worker {
    const onServed = (served: Worker): void => this.#succeed(served, SERVED);
    const worker = new Worker(
      { ...this.#options, processes: this.#scaler.bounds },
      {
        onRoom: this.#onRoom,
        onServed,
        onReturned: this.#onReturned,
        onLeaving: this.#onLeaving,
        onGone: this.#onGone,
      },
      this.#interface,
    );
    worker.generation = generation;
    return worker;
  }

  /** The ready worker with the fewest streams, if any has room; one that is blocked only if all are. */
  #idlest(): Worker | undefined {
    let best: Worker | undefined;
    for (const worker of this.#workers) {
      if (worker.room > 0 && (!best || isBetter(worker, best))) best = worker;
    }
    return best;
  }

  #dispatch(worker: Worker, stream: WorkerStream): void {
    try {
      worker.dispatch(stream);
    } catch (error) {
      stream.fail(SallyportError.from(error));
    }
  }

  /** A worker that is to be replaced goes on until another one is ready. Others that are wait for their turn. */
  #succeed(worker: Worker, reason: string): void {
    if (this.#succeeded || this.#closing || !this.#workers.has(worker)) return;
    this.#succeeded = worker;
    void this.#startSuccessor(worker, reason);
  }

  async #startSuccessor(worker: Worker, reason: string): Promise<void> {
    const next = this.#spawn();
    this.#others.add(next); // so that `close` stops it, too
    try {
      await next.start();
    } catch (error) {
      const { message, code, detail } = SallyportError.from(error);
      if (!this.#closing)
        this.#options.log.error(`no successor for worker ${worker.pid}: ${message}`, { code, detail });
      void next.stop(0);
      return this.#startSuccessorLater(worker, reason, next);
    }
    this.#successions.after(0, true);
    this.#others.delete(next);
    if (this.#succeeded === worker) this.#succeeded = undefined;
    if (this.#closing || !this.#makeRoomFor(next, worker)) return this.#retire(next);
    this.#options.log.info(`worker ${worker.pid} ${reason}; ${next.pid} takes over`);
    this.#workers.add(next);
    this.#onRoom(next);
  }

  /** Its predecessor goes; where that has ended meanwhile, what was to take its place is not needed. False: there is no room. */
  #makeRoomFor(next: Worker, worker: Worker): boolean {
    if (next.generation !== this.#generation) return false;
    const [awaited] = this.#awaited;
    if (this.#workers.has(worker)) this.#withdraw(worker);
    else if (awaited) this.#cancel(awaited);
    else return this.#withdrawStarting() || this.#workers.size < this.#scaler.bounds.min;
    return true;
  }

  #withdrawStarting(): boolean {
    const starting = [...this.#workers].find(({ state }) => state === "starting");
    if (starting) this.#withdraw(starting);
    return starting !== undefined;
  }

  /** The worker goes on meanwhile: its successor may have failed for a passing reason, or for a lasting one. */
  #startSuccessorLater(worker: Worker, reason: string, failed: Worker): void {
    if (this.#succeeded !== worker || this.#closing) return;
    this.#later(this.#successions.after(0, false, failed.exit), () => {
      if (this.#succeeded === worker) this.#succeeded = undefined;
      this.#succeed(worker, reason);
    });
  }

  #tick(): void {
    const now = performance.now();
    this.#queue.expire();
    for (const worker of this.#all()) {
      worker.streams.mark(Math.trunc(now));
      holdBack(worker, now, this.#options.timeout.wsgi);
      const verdict = checkDeadlines(worker, now, TICK, this.#options);
      if (verdict === "succeed") this.#succeed(worker, "has a thread that does not come back");
      else if (verdict) this.#doom(worker, verdict);
    }
    if (++this.#ticks % TICKS_PER_WATCH === 0 && needsWatch(this.#options)) this.#watch();
  }

  /** Ends workers that hold far too much memory, and has others take the place of those that are old or large. */
  #watch(): void {
    for (const worker of this.#all()) {
      if (!worker.wasReady) continue;
      const { memory } = worker;
      if (worker.endIfAbove(memory) || this.#succeeded) continue;
      const reason = worker.whyReplace(memory);
      if (reason !== undefined) this.#succeed(worker, reason);
    }
  }

  /** A worker that hangs gets no more requests and is replaced at once. What it still answers may take as long as after a reload. */
  #doom(worker: Worker, verdict: "end" | "retire"): void {
    const grace = verdict === "end" ? 0 : this.#options.drainTimeout + LEAVING_GRACE;
    if (!worker.abortAfter(grace)) return;
    this.#options.log.warn(`worker ${worker.pid} hangs: ${DOOMED[verdict]}`);
    const present = this.#workers.delete(worker);
    this.#retire(worker);
    if (verdict === "retire") this.#giveUpLater(worker);
    if (!present) return;
    this.#restarted++;
    this.#startReplacement();
  }

  /** It finishes what it has, and ends. */
  #retire(worker: Worker): void {
    this.#others.add(worker);
    worker.leave("restart");
    worker.drain();
    if (worker.capacity.mode === "loop") this.#limitDrain(worker);
  }

  /** An event loop may hold downloads that stand still and tasks that never end. */
  #limitDrain(worker: Worker): void {
    this.#giveUpLater(worker);
    const grace = timerDelay(this.#options.drainTimeout + LEAVING_GRACE);
    const end = setTimeout(() => void worker.stop(0), grace);
    void worker.gone.then(() => clearTimeout(end));
  }

  #giveUpLater(worker: Worker): void {
    const { drainTimeout } = this.#options;
    const late = new SallyportError("STOPPING", `the application was replaced ${drainTimeout / 1000} s ago`);
    const giveUp = setTimeout(() => worker.giveUp(late), timerDelay(drainTimeout));
    void worker.gone.then(() => clearTimeout(giveUp));
  }

  #replace(worker: Worker): void {
    const isWanted = this.#workers.size + this.#awaited.size < this.#scaler.bounds.min;
    if (!worker.wasReady && !isWanted) return this.#scaler.pause(this.#growths.after(0, false, worker.exit));
    const age = performance.now() - worker.startedAt;
    const pause = this.#restarts.after(age, worker.servedOnce, worker.exit);
    this.#options.log.warn(`${endOf(worker)}; another starts${pause > 0 ? ` in ${pause} ms` : ""}`);
    this.#restarted++;
    const start = (): void => {
      if (this.#workers.size < this.#scaler.bounds.max) this.#startReplacement();
    };
    this.#awaited.add(this.#later(pause, start));
  }

  #later(pause: number, act: () => void): NodeJS.Timeout {
    const timer = setTimeout(() => {
      this.#cancel(timer);
      act();
    }, pause);
    this.#delayed.add(timer);
    return timer;
  }

  #cancel(timer: NodeJS.Timeout): void {
    clearTimeout(timer);
    this.#delayed.delete(timer);
    this.#awaited.delete(timer);
  }

  #cancelDelayed(): void {
    for (const timer of this.#delayed) this.#cancel(timer);
  }

  /** Adds a worker to the present generation. `onGone` handles one that cannot start like any other. */
  #startReplacement(): void {
    const worker = this.#spawn();
    this.#workers.add(worker);
    worker.start().then(
      (found) => {
        this.#interface ??= found;
        this.#growths.after(0, true);
        this.#onRoom(worker);
      },
      (error: SallyportError) => this.#startFailed(worker, error),
    );
  }

  #startFailed(worker: Worker, error: SallyportError): void {
    const { message, code, detail } = error;
    if (this.#workers.has(worker)) this.#options.log.error(message, { code, detail });
    // Where others serve, or must be there, requests wait for those.
    const alone = [...this.#workers].every((other) => other === worker);
    if (alone && this.#scaler.bounds.min === 0) this.#queue.fail(error);
    void worker.stop(0);
  }

  #newScaler(): Scaler {
    const { processes, app, log } = this.#options;
    const pressure = new Pressure();
    const scaled: Scaled = {
      measure: (now, late) => {
        const measured = pressure.measure(this.#workers, this.#queue.waiting, now, late);
        return { ...measured, starting: measured.starting + this.#awaited.size };
      },
      start: (count) => {
        for (let i = 0; i < count; i++) this.#startReplacement();
      },
      retire: (count) => {
        // Those that wait for their pause are not started beyond the bounds.
        const running = Math.max(0, count - this.#awaited.size);
        for (const worker of leastBusy(this.#workers, running)) this.#withdraw(worker);
      },
    };
    const options = { bounds: boundsOf(processes), idleTimeout: idleTimeoutOf(processes), name: app, log };
    return new Scaler(scaled, options);
  }

  /** The application does with one less. */
  #withdraw(worker: Worker): void {
    this.#workers.delete(worker);
    this.#retire(worker);
  }
}

const isBetter = (worker: Worker, best: Worker): boolean =>
  worker.heartbeat.blocked === best.heartbeat.blocked
    ? worker.streams.size < best.streams.size
    : best.heartbeat.blocked;

/** "worker 321 was killed by SIGKILL before it was ready". */
function endOf({ pid, exit, wasReady }: Worker): string {
  if (pid === undefined) return "a worker did not start";
  return `worker ${pid} ${exit ? describeExit(exit) : "ends"}${wasReady ? "" : " before it was ready"}`;
}
