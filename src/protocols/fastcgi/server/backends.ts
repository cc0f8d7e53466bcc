// All places where one FastCGI application is reached: who gets the next request, who waits and for how long, and what is
// tried again elsewhere.
import { type Log, SallyportError } from "../../../exchange/index.ts";
import type { Backend, BackendOwner } from "./backend.ts";
import type { OutgoingRequest } from "./request.ts";

export interface BackendsOptions {
  readonly log: Log;
  /** Requests that may wait for room. */
  readonly queue: number;
  /** Milliseconds that a request may wait. */
  readonly queueTimeout: number;
}

/** How often deadlines are looked at, in milliseconds. */
const TICK = 100;
/** A request is tried this often at each place on the average, however its connections break. */
const MOST_ATTEMPTS = 3;

export class Backends implements BackendOwner {
  readonly #options: BackendsOptions;
  #all: Backend[] = [];
  #waiting: OutgoingRequest[] = [];
  /** Where each has failed. */
  readonly #tried = new WeakMap<OutgoingRequest, Set<Backend>>();
  readonly #timer: NodeJS.Timeout;
  #turn = 0;
  #closing = false;

  constructor(options: BackendsOptions) {
    this.#options = options;
    this.#timer = setInterval(() => this.#tick(), TICK).unref();
  }

  get all(): readonly Backend[] {
    return this.#all;
  }

  add(backend: Backend): void {
    this.#all = [...this.#all, backend];
    this.onRoom();
  }

  /** It gets no more requests. */
  remove(backend: Backend): void {
    this.#all = this.#all.filter((other) => other !== backend);
  }

  /** Hands the request to the least busy place, or has it wait for room. */
  submit(outbound: OutgoingRequest): void {
    if (this.#closing)
      return outbound.fail(new SallyportError("STOPPING", "the application is being stopped"));
    const backend = this.#waiting.length === 0 ? this.#choose(outbound) : undefined;
    if (backend) backend.run(outbound);
    else this.#enqueue(outbound);
  }

  async close(grace: number): Promise<void> {
    this.#closing = true;
    clearInterval(this.#timer);
    for (const outbound of this.#waiting.splice(0))
      outbound.fail(new SallyportError("STOPPING", "the server stopped before there was room"));
    await Promise.all(this.#all.map((backend) => backend.drain(grace)));
  }

  // What backends tell.

  onRoom(): void {
    while (this.#waiting.length > 0) {
      const outbound = this.#waiting[0] as OutgoingRequest;
      const backend = outbound.over ? undefined : this.#choose(outbound);
      if (!backend && !outbound.over) return;
      this.#waiting.shift();
      backend?.run(outbound);
    }
  }

  next(backend: Backend): OutgoingRequest | undefined {
    while (this.#waiting[0]?.over) this.#waiting.shift();
    const [outbound] = this.#waiting;
    if (!outbound?.expendable || this.#tried.get(outbound)?.has(backend)) return undefined;
    return this.#waiting.shift();
  }

  again(outbound: OutgoingRequest, failure: SallyportError, backend: Backend | undefined): void {
    if (outbound.over) return;
    outbound.reclaim();
    const tried = this.#triedBy(outbound);
    if (backend) tried.add(backend);
    const left = this.#all.some((other) => !tried.has(other));
    if (!left || this.#closing || outbound.attempts >= MOST_ATTEMPTS * this.#all.length)
      return outbound.fail(failure);
    if (backend)
      this.#options.log.warn("a FastCGI application failed, the next is asked", { reason: failure.message });
    this.#waiting.unshift(outbound);
    outbound.since ||= performance.now();
    this.onRoom();
  }

  #triedBy(outbound: OutgoingRequest): Set<Backend> {
    const tried = this.#tried.get(outbound) ?? new Set();
    this.#tried.set(outbound, tried);
    return tried;
  }

  /** Of the places with room that have not failed it: rested ones first, then the least busy, equals in turn. */
  #choose(outbound: OutgoingRequest): Backend | undefined {
    const tried = this.#tried.get(outbound);
    let best: Backend | undefined;
    const count = this.#all.length;
    for (let i = 0; i < count; i++) {
      const backend = this.#all[(this.#turn + i) % count] as Backend;
      if (!backend.hasRoom || tried?.has(backend)) continue;
      if (!best || isBetter(backend, best)) best = backend;
    }
    this.#turn++;
    return best;
  }

  #enqueue(outbound: OutgoingRequest): void {
    const { queue } = this.#options;
    if (this.#waiting.length >= queue) this.#waiting = this.#waiting.filter((other) => !other.over);
    if (this.#waiting.length >= queue)
      return outbound.fail(
        new SallyportError("QUEUE_FULL", `${queue} requests wait for the application already`),
      );
    outbound.since = performance.now();
    this.#waiting.push(outbound);
  }

  #tick(): void {
    const now = performance.now();
    for (const backend of this.#all) backend.tick(now);
    const { queueTimeout } = this.#options;
    const late = this.#waiting.filter((outbound) => now - outbound.since >= queueTimeout);
    if (late.length === 0) return;
    this.#waiting = this.#waiting.filter((outbound) => now - outbound.since < queueTimeout);
    const waited = `the application had no room within ${queueTimeout / 1000} s`;
    for (const outbound of late) outbound.fail(new SallyportError("QUEUE_TIMEOUT", waited));
  }
}

const isBetter = (one: Backend, other: Backend): boolean =>
  one.backingOff === other.backingOff ? one.busy < other.busy : other.backingOff;
