// Requests that wait until the application takes one more: a limited number, for a limited time. Beyond either: 503.
import { type ErrorName, SallyportError } from "../exchange/index.ts";
import type { QueueOptions } from "../options/queue.ts";
import type { Resolved } from "./options.ts";
import type { WorkerStream } from "./stream.ts";

export class RequestQueue {
  readonly waiting: WorkerStream[] = [];
  readonly #limits: Resolved<QueueOptions>;
  readonly #resource: string;

  /** `resource`: what they wait for, such as "worker". */
  constructor(limits: Resolved<QueueOptions>, resource: string) {
    this.#limits = limits;
    this.#resource = resource;
  }

  /** Fails the stream if the queue is full. */
  add(stream: WorkerStream): void {
    const { queue } = this.#limits;
    if (this.waiting.length >= queue) this.#remove(({ exchange }) => exchange.closed);
    if (this.waiting.length >= queue)
      return fail(stream, "QUEUE_FULL", `${queue} requests are waiting for a ${this.#resource} already`);
    stream.since = performance.now();
    stream.exchange.trace?.queued();
    this.waiting.push(stream);
  }

  /** Whether no client waits any more. */
  get idle(): boolean {
    return this.waiting.every(({ exchange }) => exchange.closed);
  }

  /** Takes out the first one whose client has not left. */
  next(): WorkerStream | undefined {
    for (;;) {
      const stream = this.waiting.shift();
      if (!stream?.exchange.closed) return stream;
    }
  }

  /** Puts them before all others. */
  putBack(streams: readonly WorkerStream[]): void {
    for (const { exchange } of streams) if (exchange.trace?.waits === false) exchange.trace.queued();
    this.waiting.unshift(...streams.filter(({ exchange }) => !exchange.closed));
  }

  /** Fails those that have waited for too long. */
  expire(): void {
    if (this.waiting.length === 0) return;
    const { queueTimeout } = this.#limits;
    const now = performance.now();
    this.#remove(({ exchange }) => exchange.closed);
    for (const stream of this.#remove(({ since }) => now - since >= queueTimeout))
      fail(stream, "QUEUE_TIMEOUT", `no ${this.#resource} was free within ${queueTimeout / 1000} s`);
  }

  /** Fails all: there is no process for them, nor will there be one soon. */
  fail(error: SallyportError): void {
    for (const stream of this.waiting.splice(0)) stream.fail(error);
  }

  /** Fails all: the application stops. */
  close(): void {
    for (const stream of this.waiting.splice(0))
      fail(stream, "STOPPING", `the server stopped before a ${this.#resource} was free`);
  }

  /** Takes out those that `fits`. In place: a queue may be too long for its streams to be the arguments of a call. */
  #remove(fits: (stream: WorkerStream) => boolean): WorkerStream[] {
    const removed: WorkerStream[] = [];
    let kept = 0;
    for (const stream of this.waiting) {
      if (fits(stream)) removed.push(stream);
      else this.waiting[kept++] = stream;
    }
    this.waiting.length = kept;
    return removed;
  }
}

const fail = (stream: WorkerStream, name: ErrorName, message: string): void =>
  stream.fail(new SallyportError(name, message));
