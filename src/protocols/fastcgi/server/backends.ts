// All addresses of one FastCGI application: which one gets the next request, how long requests wait for room, and which
// are tried again at another address.
// Tested by test/protocols/fastcgi/server/limits.test.ts.
import { type Log, SallyportError } from "../../../exchange/index.ts";
import type { Backend } from "./backend.ts";
import type { OutgoingRequest } from "./request.ts";

export interface BackendsOptions {
  readonly log: Log;
  /** Requests that may wait for room. */
  readonly queue: number;
  /** Milliseconds that a request may wait. */
  readonly queueTimeout: number;
  /** A backend that fails is soon replaced, as its process is ours: requests wait for the next one. */
  readonly replaced: boolean;
}

/** How often deadlines are checked, in milliseconds. */
const TICK = 100;
/** A request is sent this often to each address on the average, however its connections break. */
const MOST_ATTEMPTS = 3;

export class Backends {
  readonly #options: BackendsOptions;
  #all: readonly Backend[] = [];
  #queue: OutgoingRequest[] = [];
  readonly #timer: NodeJS.Timeout;
  #turn = 0;
  #closing = false;
  /** Called when a request waits and there is no address at all. */
  onNeed: (() => void) | undefined;

  constructor(options: BackendsOptions) {
    this.#options = options;
    this.#timer = setInterval(() => this.#tick(), TICK).unref();
  }

  get closing(): boolean {
    return this.#closing;
  }

  /** Milliseconds that the first of the requests has waited for room. */
  waitedFor(now: number): number {
    const [first] = this.#queue;
    return first ? now - first.since : 0;
  }

  /** Fails all that wait: there is no application for them. */
  failWaiting(error: SallyportError): void {
    for (const request of this.#queue.splice(0)) request.fail(error);
  }

  /** Requests that wait for room. */
  get waiting(): number {
    return this.#queue.length;
  }

  add(backend: Backend): void {
    this.#all = [...this.#all, backend];
    this.pump();
  }

  /** It gets no more requests. */
  remove(backend: Backend): void {
    this.#all = this.#all.filter((other) => other !== backend);
  }

  /** Sends the request to the least busy backend, or has it wait for room. */
  submit(request: OutgoingRequest): void {
    if (this.#closing)
      return request.fail(new SallyportError("STOPPING", "the application is being stopped"));
    const backend = this.#queue.every(waitsForAnother) ? this.#choose(request) : undefined;
    if (backend) return backend.run(request);
    this.#enqueue(request);
    if (this.#all.length === 0) this.onNeed?.();
  }

  async close(grace: number): Promise<void> {
    this.#closing = true;
    clearInterval(this.#timer);
    for (const request of this.#queue.splice(0))
      request.fail(new SallyportError("STOPPING", "the server stopped before there was room"));
    await Promise.all(this.#all.map((backend) => backend.drain(grace)));
  }

  // Calls of the backends.

  /** There is room for another request. */
  pump(): void {
    for (let at = 0; at < this.#queue.length; ) {
      const request = this.#queue[at] as OutgoingRequest;
      const backend = request.over ? undefined : this.#choose(request);
      if (backend || request.over) {
        this.#queue.splice(at, 1);
        backend?.run(request);
      } else if (waitsForAnother(request)) at++;
      else return;
    }
  }

  /** Takes the request that waits longest, if `backend` may have it and it may be lost once. */
  next(backend: Backend): OutgoingRequest | undefined {
    while (this.#queue[0]?.over) this.#queue.shift();
    const [request] = this.#queue;
    if (!request?.expendable || request.failedAt?.has(backend)) return undefined;
    return this.#queue.shift();
  }

  /** Sends `request` again, not to `failed` if it is given; fails it with `failure` when it was tried often enough. */
  retry(request: OutgoingRequest, failure: SallyportError, failed: Backend | undefined): void {
    if (request.over) return;
    request.endAttempt();
    if (failed) request.failedAt = (request.failedAt ?? new Set()).add(failed);
    const most = MOST_ATTEMPTS * Math.max(1, this.#all.length);
    const isExhausted = request.attempts >= most || !this.#mayTryElsewhere(request, most);
    if (isExhausted || this.#closing) return request.fail(failure);
    if (failed)
      this.#options.log.warn("a FastCGI application failed, the next is asked", { reason: failure.message });
    this.#queue.unshift(request);
    request.since ||= performance.now();
    request.exchange.trace?.queued();
    this.pump();
  }

  /** Where our processes are replaced it waits for the next one, but not if that fails it again and again. */
  #mayTryElsewhere({ failedAt }: OutgoingRequest, most: number): boolean {
    if (this.#options.replaced) return (failedAt?.size ?? 0) < most;
    return this.#all.some((backend) => !failedAt?.has(backend));
  }

  /** Of the backends with room that have not failed it: those not backing off first, then the least busy, equals in turn. */
  #choose(request: OutgoingRequest): Backend | undefined {
    const { failedAt } = request;
    let best: Backend | undefined;
    const count = this.#all.length;
    for (let i = 0; i < count; i++) {
      const backend = this.#all[(this.#turn + i) % count] as Backend;
      if (!backend.hasRoom || failedAt?.has(backend)) continue;
      if (!best || isBetter(backend, best)) best = backend;
    }
    this.#turn++;
    return count > 1 && best?.backingOff && this.#isBetterSoon(failedAt) ? undefined : best;
  }

  /** Whether one that does not back off has a connection that is free in a moment. */
  #isBetterSoon(failedAt: ReadonlySet<Backend> | undefined): boolean {
    return this.#all.some((backend) => backend.settling && !backend.backingOff && !failedAt?.has(backend));
  }

  #enqueue(request: OutgoingRequest): void {
    const { queue } = this.#options;
    if (this.#queue.length >= queue) this.#queue = this.#queue.filter((other) => !other.over);
    if (this.#queue.length >= queue)
      return request.fail(
        new SallyportError("QUEUE_FULL", `${queue} requests wait for the application already`),
      );
    request.since = performance.now();
    request.exchange.trace?.queued();
    this.#queue.push(request);
  }

  #tick(): void {
    const now = performance.now();
    for (const backend of this.#all) backend.tick(now);
    const { queueTimeout } = this.#options;
    const isLate = ({ since }: OutgoingRequest): boolean => now - since >= queueTimeout;
    const late = this.#queue.filter(isLate);
    if (late.length === 0) return;
    this.#queue = this.#queue.filter((request) => !isLate(request));
    const waited = `the application had no room within ${queueTimeout / 1000} s`;
    for (const request of late) request.fail(new SallyportError("QUEUE_TIMEOUT", waited));
  }
}

/** Those behind it may have room where it has failed. */
const waitsForAnother = ({ failedAt }: OutgoingRequest): boolean => failedAt !== undefined;

const isBetter = (one: Backend, other: Backend): boolean =>
  one.backingOff === other.backingOff ? one.busy < other.busy : other.backingOff;
