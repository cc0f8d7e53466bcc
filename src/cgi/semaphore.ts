// How many programs run, or connections are open, at a time. Further requests wait in order: a limited number, for a
// limited time, and only while their clients are there.
// Tested by test/protocols/cgi/endings.test.ts.
import { type Exchange, SallyportError } from "../exchange/index.ts";

interface Waiter {
  resolve(): void;
  reject(error: SallyportError): void;
}

export class Semaphore {
  readonly #queueLimit: number;
  readonly #timeout: number;
  /** In order. Most leave at its head. */
  readonly #waiting: Waiter[] = [];
  #free: number;

  /** `limit` permits; `queueLimit` requests that may wait, each for `timeout` milliseconds. */
  constructor(limit: number, queueLimit: number, timeout: number) {
    this.#free = limit;
    this.#queueLimit = queueLimit;
    this.#timeout = timeout;
  }

  /** Requests that wait. */
  get waiting(): number {
    return this.#waiting.length;
  }

  /** Resolves with a permit, to be given back by `give`. Rejects with QUEUE_FULL, QUEUE_TIMEOUT, or CLIENT_LEFT. */
  async take(exchange: Exchange): Promise<void> {
    if (this.#free > 0) {
      this.#free--;
      return;
    }
    if (this.#waiting.length >= this.#queueLimit)
      throw new SallyportError("QUEUE_FULL", `${this.#queueLimit} requests wait for the application already`);
    await this.#wait(exchange);
  }

  give(): void {
    const next = this.#waiting.shift();
    if (next) next.resolve();
    else this.#free++;
  }

  #wait(exchange: Exchange): Promise<void> {
    const { promise, waiter } = newWaiter();
    exchange.trace?.queued();
    // Out of the queue at once: a permit must not go to a request that has ended.
    const giveUp = (error: SallyportError): void => {
      const place = this.#waiting.indexOf(waiter);
      if (place < 0) return;
      this.#waiting.splice(place, 1);
      waiter.reject(error);
    };
    const timer = setTimeout(() => giveUp(waitedTooLong(this.#timeout)), this.#timeout);
    this.#waiting.push(waiter);
    exchange.whenClosed(() => giveUp(clientLeft()));
    return promise.finally(() => clearTimeout(timer));
  }
}

function newWaiter(): { promise: Promise<void>; waiter: Waiter } {
  let waiter!: Waiter;
  const promise = new Promise<void>((resolve, reject) => {
    waiter = { resolve, reject };
  });
  return { promise, waiter };
}

const clientLeft = (): SallyportError => new SallyportError("CLIENT_LEFT", "the client left the queue");

const waitedTooLong = (timeout: number): SallyportError =>
  new SallyportError("QUEUE_TIMEOUT", `the application had no room within ${timeout / 1000} s`);
