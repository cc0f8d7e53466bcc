// Requests that too many open responses hold up: a bound for what the application holds in this process, and for those
// that wait for it. In daemon mode the pool has the same.
import { type ErrorName, SallyportError } from "../exchange/index.ts";
import type { WorkerStream } from "../workers/stream.ts";

/** Requests that may wait. */
const LENGTH = 1024;
/** Milliseconds for which one may wait. */
const TIMEOUT = 30_000;

export class Queue {
  #waiting: WorkerStream[] = [];

  get length(): number {
    return this.#waiting.length;
  }

  /** A stream that finds no place is answered with 503. */
  add(stream: WorkerStream): void {
    if (this.#waiting.length >= LENGTH) this.expire();
    if (this.#waiting.length >= LENGTH)
      return refuse(stream, "QUEUE_FULL", `${LENGTH} requests wait already until a response has ended`);
    stream.since = performance.now();
    this.#waiting.push(stream);
  }

  /** Who has waited longest and is still wanted. */
  next(): WorkerStream | undefined {
    for (;;) {
      const stream = this.#waiting.shift();
      if (!stream?.exchange.closed) return stream;
    }
  }

  /** Those whose clients have left, and those that have waited for too long, wait no longer. */
  expire(): void {
    const now = performance.now();
    const present = this.#waiting.filter(({ exchange }) => !exchange.closed);
    const late = present.filter(({ since }) => now - since >= TIMEOUT);
    this.#waiting = present.filter(({ since }) => now - since < TIMEOUT);
    for (const stream of late)
      refuse(stream, "QUEUE_TIMEOUT", `no response ended within ${TIMEOUT / 1000} s`);
  }

  clear(): WorkerStream[] {
    return this.#waiting.splice(0);
  }
}

const refuse = (stream: WorkerStream, name: ErrorName, message: string): void =>
  stream.fail(new SallyportError(name, message));
