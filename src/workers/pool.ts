// The workers of one application: who gets the next exchange, who waits and for how long, what happens when a process
// dies, hangs, or is replaced by a new generation.
import { type Log, SallyportError } from "../exchange/index.ts";
import { Reloads } from "../exchange/reloads.ts";
import { BackOff } from "../processes/index.ts";
import { checkDeadlines, type Deadlines } from "./deadlines.ts";
import type { Interface } from "./interface.ts";
import type { WorkerOptions } from "./options.ts";
import type { WorkerStream } from "./stream.ts";
import { Worker, type WorkerOwner } from "./worker.ts";

export interface PoolOptions extends WorkerOptions, Deadlines {
  /** Exchanges that may wait for a worker. */
  readonly queue: number;
  /** Milliseconds that an exchange may wait for a worker. */
  readonly queueTimeout: number;
  /** Milliseconds that an ASGI worker of an earlier generation may take for what it has. */
  readonly drainTimeout: number;
}

/** How often deadlines are looked at, in milliseconds. */
const TICK = 250;
/** From the moment that all streams of a worker were given up to its end by force, milliseconds. */
const LEAVING_GRACE = 2_000;

export class Pool implements WorkerOwner {
  readonly #options: PoolOptions;
  readonly #log: Log;
  readonly #waiting: WorkerStream[] = [];
  /** The present generation. */
  #workers: Set<Worker> = new Set();
  /** Earlier generations and condemned ones, finishing what they have. */
  readonly #leaving: Set<Worker> = new Set();
  readonly #doomed: WeakSet<Worker> = new WeakSet();
  /** Those whose successor is being started. */
  readonly #retiring: WeakSet<Worker> = new WeakSet();
  readonly #births: WeakMap<Worker, number> = new WeakMap();
  readonly #backOff: Set<NodeJS.Timeout> = new Set();
  #interface: Interface | undefined;
  readonly #restarts = new BackOff();
  readonly #successions = new BackOff();
  readonly #reloads = new Reloads(() => this.#reload());
  #closing = false;
  #timer: NodeJS.Timeout | undefined;

  constructor(options: PoolOptions) {
    this.#options = options;
    this.#log = options.log;
  }

  /** What the application is written for; undefined until it has started. */
  get interface(): Interface | undefined {
    return this.#interface;
  }

  /** Starts all workers. Rejects with the first one's SallyportError, and leaves none behind. */
  async start(): Promise<void> {
    const first = await this.#generation();
    for (const worker of first) this.#interface = worker.interface;
    this.#install(first);
    this.#timer = setInterval(() => this.#tick(), TICK).unref();
  }

  /** Hands the stream to a worker, or has it wait for one. */
  submit(stream: WorkerStream): void {
    if (this.#closing) return stream.fail(new SallyportError("STOPPING", "the application is being stopped"));
    const worker = this.#waiting.length === 0 ? this.#idlest() : undefined;
    if (worker) this.#dispatch(worker, stream);
    else this.#enqueue(stream);
  }

  /** A new generation takes over when it is ready; rejects, and changes nothing, when it does not get so far. */
  reload(): Promise<void> {
    return this.#reloads.ask();
  }

  async #reload(): Promise<void> {
    const next = await this.#generation();
    const previous = this.#workers;
    this.#resetBackOff(); // those who died before have their successors in it
    this.#install(next);
    for (const worker of previous) this.#markRetiring(worker);
    for (const worker of next) this.onRoom(worker);
  }

  /** Tells what would never end by itself to end. */
  leave(): void {
    for (const worker of [...this.#workers, ...this.#leaving]) worker.leave();
  }

  /** Lets what is under way finish for `grace` milliseconds, then ends all processes. */
  async close(grace: number): Promise<void> {
    this.#closing = true;
    clearInterval(this.#timer);
    this.#resetBackOff();
    this.#refuseWaiting();
    this.leave();
    await Promise.all([...this.#workers, ...this.#leaving].map((worker) => worker.stop(grace)));
  }

  // What workers tell.

  onRoom(worker: Worker): void {
    while (this.#waiting.length > 0 && worker.room > 0) {
      const stream = this.#waiting.shift() as WorkerStream;
      if (!stream.exchange.closed) this.#dispatch(worker, stream);
    }
  }

  onGone(worker: Worker, unbegun: WorkerStream[]): void {
    this.#leaving.delete(worker);
    this.#waiting.unshift(...unbegun.filter((stream) => !stream.exchange.closed));
    if (this.#closing) return this.#refuseWaiting();
    if (this.#workers.delete(worker)) this.#replace(worker);
    for (const other of this.#workers) this.onRoom(other);
  }

  async #generation(): Promise<Set<Worker>> {
    this.#throwIfClosing();
    const workers = Array.from({ length: this.#options.processes }, () => this.#spawn());
    for (const worker of workers) this.#leaving.add(worker); // not to be forgotten, should the pool close meanwhile
    const starts = await Promise.allSettled(workers.map((worker) => worker.start()));
    const failed = starts.find((start) => start.status === "rejected");
    if (failed) await Promise.all(workers.map((worker) => worker.stop(0)));
    for (const worker of workers) this.#leaving.delete(worker);
    this.#throwIfClosing();
    if (failed) throw failed.reason;
    return new Set(workers);
  }

  #throwIfClosing(): void {
    if (this.#closing) throw new SallyportError("STOPPING", "the application is being stopped");
  }

  /** From now on the present generation. Who died while others were not ready yet is replaced like any other. */
  #install(generation: Set<Worker>): void {
    this.#workers = generation;
    for (const worker of generation) if (worker.state === "gone") this.onGone(worker, []);
  }

  #spawn(): Worker {
    const worker = new Worker(this.#options, this, this.#interface);
    this.#births.set(worker, performance.now());
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
    if (worker.retiring) void this.#succeed(worker);
  }

  /** A worker that has taken its share of requests goes on until another is ready. */
  async #succeed(worker: Worker): Promise<void> {
    if (this.#retiring.has(worker)) return;
    this.#retiring.add(worker);
    const next = this.#spawn();
    this.#leaving.add(next); // not to be forgotten, should the pool close meanwhile
    try {
      await next.start();
    } catch (error) {
      const { message, code, detail } = SallyportError.from(error);
      if (!this.#closing)
        this.#log.error(`no successor for worker ${worker.pid}: ${message}`, { code, detail });
      void next.stop(0);
      return this.#succeedLater(worker);
    }
    this.#successions.after(0, true);
    this.#leaving.delete(next);
    if (this.#closing || !this.#workers.delete(worker)) return this.#markRetiring(next);
    this.#log.info(`worker ${worker.pid} has served its share of requests; ${next.pid} takes over`);
    this.#workers.add(next);
    this.#markRetiring(worker);
    this.onRoom(next);
  }

  /** It goes on meanwhile: what keeps others from starting may be over soon, or last. */
  #succeedLater(worker: Worker): void {
    this.#later(this.#successions.after(0), () => {
      this.#retiring.delete(worker);
      if (this.#workers.has(worker)) void this.#succeed(worker);
    });
  }

  #enqueue(stream: WorkerStream): void {
    const { queue } = this.#options;
    if (this.#waiting.length >= queue) this.#forgetLeft();
    if (this.#waiting.length >= queue)
      return stream.fail(
        new SallyportError("QUEUE_FULL", `${queue} requests are waiting for a worker already`),
      );
    stream.since = performance.now();
    this.#waiting.push(stream);
  }

  /** Those whose clients have left need no worker. */
  #forgetLeft(): void {
    const wanted = this.#waiting.filter((stream) => !stream.exchange.closed);
    this.#waiting.splice(0, this.#waiting.length, ...wanted);
  }

  #refuseWaiting(): void {
    for (const stream of this.#waiting.splice(0))
      stream.fail(new SallyportError("STOPPING", "the server stopped before a worker was free"));
  }

  #tick(): void {
    const now = performance.now();
    this.#expire(now);
    for (const worker of [...this.#workers, ...this.#leaving]) {
      const grace = checkDeadlines(worker, now, TICK, this.#options);
      if (grace !== undefined) this.#doom(worker, grace);
    }
  }

  /** The queue is in order of arrival, so only its head can be too old. */
  #expire(now: number): void {
    const { queueTimeout } = this.#options;
    for (;;) {
      const stream = this.#waiting[0];
      if (!stream || (now - stream.since < queueTimeout && !stream.exchange.closed)) return;
      this.#waiting.shift();
      stream.fail(new SallyportError("QUEUE_TIMEOUT", `no worker was free within ${queueTimeout / 1000} s`));
    }
  }

  /** A worker that hangs gets no more to do, is replaced at once, and ends after `grace` milliseconds. */
  #doom(worker: Worker, grace: number): void {
    if (this.#doomed.has(worker)) return;
    this.#doomed.add(worker);
    this.#log.warn(`worker ${worker.pid} hangs: it is ended and replaced; its stack follows`);
    const present = this.#workers.delete(worker);
    this.#markRetiring(worker);
    const timer = setTimeout(() => worker.abort(), grace);
    void worker.gone.then(() => clearTimeout(timer));
    if (present) this.#born();
  }

  #markRetiring(worker: Worker): void {
    this.#leaving.add(worker);
    worker.leave();
    worker.drain();
    if (worker.concurrencyMode === "loop") this.#hurry(worker);
  }

  /** Event loops hold what nobody waits for: downloads that stand still, tasks that never end. */
  #hurry(worker: Worker): void {
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
    const age = performance.now() - (this.#births.get(worker) ?? 0);
    const pause = this.#restarts.after(age, worker.servedOnce);
    const ended = worker.pid === undefined ? "a worker did not start" : `worker ${worker.pid} ended`;
    this.#log.warn(`${ended}; another starts${pause > 0 ? ` in ${pause} ms` : ""}`);
    this.#later(pause, () => this.#born());
  }

  #later(pause: number, act: () => void): void {
    if (this.#closing) return;
    const timer = setTimeout(() => {
      this.#backOff.delete(timer);
      act();
    }, pause);
    this.#backOff.add(timer);
  }

  #resetBackOff(): void {
    for (const pause of this.#backOff) clearTimeout(pause);
    this.#backOff.clear();
  }

  /** A new worker joins the present generation. One that cannot start goes through `onGone` like any other. */
  #born(): void {
    const worker = this.#spawn();
    this.#workers.add(worker);
    worker.start().then(
      () => this.onRoom(worker),
      (error: SallyportError) => {
        const wanted = this.#workers.has(worker);
        if (wanted) this.#log.error(error.message, { code: error.code, detail: error.detail });
        void worker.stop(0);
      },
    );
  }
}

const isBetter = (worker: Worker, best: Worker): boolean =>
  worker.blocked === best.blocked ? worker.streams.size < best.streams.size : best.blocked;
