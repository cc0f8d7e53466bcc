// The workers of one application: which of them gets the next exchange, and what happens when a process dies, hangs, or is
// replaced by a new generation.
// Tested by test/protocols/wsgi/workers.test.ts.
import { SallyportError } from "../exchange/index.ts";
import { Reloads } from "../exchange/reloads.ts";
import type { QueueOptions } from "../options/queue.ts";
import { BackOff } from "../processes/index.ts";
import { checkDeadlines, type Deadlines } from "./deadlines.ts";
import type { Interface } from "./interface.ts";
import type { Resolved, WorkerOptions } from "./options.ts";
import { RequestQueue } from "./queue.ts";
import type { WorkerStream } from "./stream.ts";
import { Worker } from "./worker.ts";

export interface PoolOptions extends WorkerOptions, Resolved<QueueOptions>, Deadlines {}

/** Milliseconds between two checks of the deadlines. */
const TICK = 250;
/** Milliseconds from giving up all streams of a worker to ending it by force. */
const LEAVING_GRACE = 2_000;

export class Pool {
  readonly #options: PoolOptions;
  readonly #queue: RequestQueue;
  /** The present generation. */
  #workers: Set<Worker> = new Set();
  /** Workers that get no requests: retired and doomed ones, which finish theirs, and those that are not ready yet. */
  readonly #others: Set<Worker> = new Set();
  /** Those whose successor is being started. */
  readonly #succeeded: WeakSet<Worker> = new WeakSet();
  /** Starts that wait for their back-off. */
  readonly #delayed: Set<NodeJS.Timeout> = new Set();
  #interface: Interface | undefined;
  readonly #restarts = new BackOff();
  readonly #successions = new BackOff();
  readonly #reloads = new Reloads(() => this.#reload());
  #closing = false;
  #timer: NodeJS.Timeout | undefined;

  constructor(options: PoolOptions) {
    this.#options = options;
    this.#queue = new RequestQueue(options, "worker");
  }

  /** The interface that the application is written for; undefined until it has started. */
  get interface(): Interface | undefined {
    return this.#interface;
  }

  get bodyGroup(): number | undefined {
    return this.#options.isolation.gid;
  }

  /** Starts all workers. Rejects with the first one's SallyportError, and leaves none behind. */
  async start(): Promise<void> {
    this.#install(await this.#startGeneration());
    this.#timer = setInterval(() => this.#tick(), TICK).unref();
  }

  /** Hands the stream to a worker, or has it wait for one. */
  submit(stream: WorkerStream): void {
    if (this.#closing) return stream.fail(new SallyportError("STOPPING", "the application is being stopped"));
    const worker = this.#queue.waiting.length === 0 ? this.#idlest() : undefined;
    if (worker) this.#dispatch(worker, stream);
    else this.#queue.add(stream);
  }

  /** A new generation takes over when it is ready. Rejects, and changes nothing, if it cannot be started. */
  reload(): Promise<void> {
    return this.#reloads.ask();
  }

  async #reload(): Promise<void> {
    const next = await this.#startGeneration();
    const previous = this.#workers;
    this.#cancelDelayed(); // the new generation replaces workers that have died
    this.#install(next);
    for (const worker of previous) this.#retire(worker);
    for (const worker of next) this.#onRoom(worker);
  }

  /** Has streams that would never end by themselves come to an end. */
  leave(): void {
    for (const worker of this.#all()) worker.leave();
  }

  /** Lets what is under way finish for `grace` milliseconds, then ends all processes. */
  async close(grace: number): Promise<void> {
    this.#closing = true;
    clearInterval(this.#timer);
    this.#cancelDelayed();
    this.#queue.close();
    this.leave();
    await Promise.all(this.#all().map((worker) => worker.stop(grace)));
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

  readonly #onGone = (worker: Worker, unbegun: WorkerStream[]): void => {
    this.#others.delete(worker);
    this.#queue.putBack(unbegun);
    if (this.#closing) return this.#queue.close();
    if (this.#workers.delete(worker)) this.#replace(worker);
    for (const other of this.#workers) this.#onRoom(other);
  };

  async #startGeneration(): Promise<Set<Worker>> {
    this.#throwIfClosing();
    const workers = Array.from({ length: this.#options.processes }, () => this.#spawn());
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

  #throwIfClosing(): void {
    if (this.#closing) throw new SallyportError("STOPPING", "the application is being stopped");
  }

  /** Makes it the present generation. A worker that died while others were not ready yet is replaced like any other. */
  #install(generation: Set<Worker>): void {
    this.#workers = generation;
    for (const worker of generation) if (worker.state === "gone") this.#onGone(worker, []);
  }

  #spawn(): Worker {
    const events = { onRoom: this.#onRoom, onGone: this.#onGone };
    return new Worker(this.#options, events, this.#interface);
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
    if (worker.retiring) void this.#startSuccessor(worker);
  }

  /** A worker that has taken its share of requests goes on until another one is ready. */
  async #startSuccessor(worker: Worker): Promise<void> {
    if (this.#succeeded.has(worker)) return;
    this.#succeeded.add(worker);
    const next = this.#spawn();
    this.#others.add(next); // so that `close` stops it, too
    try {
      await next.start();
    } catch (error) {
      const { message, code, detail } = SallyportError.from(error);
      if (!this.#closing)
        this.#options.log.error(`no successor for worker ${worker.pid}: ${message}`, { code, detail });
      void next.stop(0);
      return this.#startSuccessorLater(worker);
    }
    this.#successions.after(0, true);
    this.#others.delete(next);
    if (this.#closing || !this.#workers.delete(worker)) return this.#retire(next);
    this.#options.log.info(`worker ${worker.pid} has served its share of requests; ${next.pid} takes over`);
    this.#workers.add(next);
    this.#retire(worker);
    this.#onRoom(next);
  }

  /** The worker goes on meanwhile: its successor may have failed for a passing reason, or for a lasting one. */
  #startSuccessorLater(worker: Worker): void {
    this.#later(this.#successions.after(0), () => {
      this.#succeeded.delete(worker);
      if (this.#workers.has(worker)) void this.#startSuccessor(worker);
    });
  }

  #tick(): void {
    const now = performance.now();
    this.#queue.expire();
    for (const worker of this.#all()) {
      const grace = checkDeadlines(worker, now, TICK, this.#options);
      if (grace !== undefined) this.#doom(worker, grace);
    }
  }

  /** A worker that hangs gets no more requests, is replaced at once, and ends after `grace` milliseconds. */
  #doom(worker: Worker, grace: number): void {
    if (!worker.abortAfter(grace)) return;
    this.#options.log.warn(`worker ${worker.pid} hangs: it is ended and replaced; its stack follows`);
    const present = this.#workers.delete(worker);
    this.#retire(worker);
    if (present) this.#startReplacement();
  }

  /** It finishes what it has, and ends. */
  #retire(worker: Worker): void {
    this.#others.add(worker);
    worker.leave();
    worker.drain();
    if (worker.concurrencyMode === "loop") this.#limitDrain(worker);
  }

  /** An event loop may hold downloads that stand still and tasks that never end. */
  #limitDrain(worker: Worker): void {
    const { drainTimeout } = this.#options;
    const late = new SallyportError("STOPPING", `the application was replaced ${drainTimeout / 1000} s ago`);
    const giveUp = setTimeout(() => worker.giveUp(late), drainTimeout);
    const end = setTimeout(() => void worker.stop(0), drainTimeout + LEAVING_GRACE);
    void worker.gone.then(() => {
      clearTimeout(giveUp);
      clearTimeout(end);
    });
  }

  #replace(worker: Worker): void {
    const pause = this.#restarts.after(performance.now() - worker.startedAt, worker.servedOnce);
    const ended = worker.pid === undefined ? "a worker did not start" : `worker ${worker.pid} ended`;
    this.#options.log.warn(`${ended}; another starts${pause > 0 ? ` in ${pause} ms` : ""}`);
    this.#later(pause, () => this.#startReplacement());
  }

  #later(pause: number, act: () => void): void {
    if (this.#closing) return;
    const timer = setTimeout(() => {
      this.#delayed.delete(timer);
      act();
    }, pause);
    this.#delayed.add(timer);
  }

  #cancelDelayed(): void {
    for (const timer of this.#delayed) clearTimeout(timer);
    this.#delayed.clear();
  }

  /** Adds a worker to the present generation. `onGone` handles one that cannot start like any other. */
  #startReplacement(): void {
    const worker = this.#spawn();
    this.#workers.add(worker);
    worker.start().then(
      () => this.#onRoom(worker),
      (error: SallyportError) => {
        const wanted = this.#workers.has(worker);
        if (wanted) this.#options.log.error(error.message, { code: error.code, detail: error.detail });
        void worker.stop(0);
      },
    );
  }
}

const isBetter = (worker: Worker, best: Worker): boolean =>
  worker.heartbeat.blocked === best.heartbeat.blocked
    ? worker.streams.size < best.streams.size
    : best.heartbeat.blocked;
