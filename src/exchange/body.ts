// Request bodies: one that is complete, and one that a listener pushes and a gateway pulls.
import type { SallyportError } from "./errors.ts";
import type { RequestBody } from "./exchange.ts";
import type { Headers } from "./headers.ts";

const NO_TRAILERS: Headers = [];
const EMPTY = new Uint8Array(0);

/** A body that has arrived completely. */
export class WholeBody implements RequestBody {
  readonly length: number;
  readonly whole: Uint8Array;
  readonly trailers: Headers;
  #read = false;

  constructor(whole: Uint8Array, trailers: Headers = NO_TRAILERS) {
    this.length = whole.length;
    this.whole = whole;
    this.trailers = trailers;
  }

  async read(): Promise<Uint8Array | undefined> {
    if (this.#read || this.whole.length === 0) return undefined;
    this.#read = true;
    return this.whole;
  }

  discard(): void {
    this.#read = true;
  }
}

/** No body at all; shared by every request without one. */
export const NO_BODY: RequestBody = new WholeBody(EMPTY);

/** The listener behind a PushedBody. */
export interface BodySource {
  /** The first read: the moment to send 100 Continue. */
  wanted?(): void;
  /** More than `highWater` bytes wait unread: stop reading from the client. */
  pause(): void;
  /** Room again. */
  resume(): void;
}

interface Reader {
  resolve(chunk: Uint8Array | undefined): void;
  reject(error: SallyportError): void;
}

/** A body that is still arriving: the listener pushes, the gateway pulls; about `highWater` bytes may wait between them. */
export class PushedBody implements RequestBody {
  readonly length: number | undefined;
  readonly whole: undefined;
  trailers: Headers = NO_TRAILERS;
  readonly #source: BodySource;
  readonly #highWater: number;
  #queue: Uint8Array[] = [];
  #queued = 0;
  #paused = false;
  #asked = false;
  #discarded = false;
  #kept = false;
  #ended = false;
  #error: SallyportError | undefined;
  #waiting: Reader | undefined;

  constructor(length: number | undefined, source: BodySource, highWater = 65_536) {
    this.length = length;
    this.#source = source;
    this.#highWater = highWater;
  }

  /** True once `end` or `fail` was called: the listener has nothing more to push. */
  get finished(): boolean {
    return this.#ended || this.#error !== undefined;
  }

  get discarded(): boolean {
    return this.#discarded;
  }

  /** A reader may go on after the response. */
  get kept(): boolean {
    return this.#kept && !this.#discarded;
  }

  read(): Promise<Uint8Array | undefined> {
    if (this.#waiting) throw new TypeError("body.read() while another read is under way");
    this.#ask();
    const chunk = this.#queue.shift();
    if (chunk) return Promise.resolve(this.#taken(chunk));
    if (this.#error) return Promise.reject(this.#error);
    if (this.#ended || this.#discarded) return Promise.resolve(undefined);
    return new Promise((resolve, reject) => {
      this.#waiting = { resolve, reject };
    });
  }

  discard(): void {
    if (this.#discarded) return;
    this.#discarded = true;
    this.#queue = [];
    this.#queued = 0;
    this.#settle()?.resolve(undefined);
    this.#resume();
  }

  keep(): void {
    this.#kept = true;
  }

  // The listener's calls.

  push(chunk: Uint8Array): void {
    if (this.#discarded || this.finished || chunk.length === 0) return;
    const waiting = this.#settle();
    if (waiting) return waiting.resolve(chunk);
    this.#queue.push(chunk);
    this.#queued += chunk.length;
    if (this.#queued > this.#highWater && !this.#paused) {
      this.#paused = true;
      this.#source.pause();
    }
  }

  end(trailers?: Headers): void {
    if (this.finished) return;
    if (trailers) this.trailers = trailers;
    this.#ended = true;
    this.#settle()?.resolve(undefined);
  }

  fail(error: SallyportError): void {
    if (this.finished) return;
    this.#error = error;
    this.#settle()?.reject(error);
  }

  /** The response is over, and the listener reads no more: to a late reader, what is not complete must not look so. */
  close(error: SallyportError): void {
    this.fail(error);
    if (this.#ended) return;
    if (this.#kept) this.#resume();
    else this.discard();
  }

  #ask(): void {
    if (this.#asked || this.#discarded) return;
    this.#asked = true;
    if (!this.finished) this.#source.wanted?.();
  }

  #taken(chunk: Uint8Array): Uint8Array {
    this.#queued -= chunk.length;
    if (this.#queued <= this.#highWater / 2) this.#resume();
    return chunk;
  }

  #resume(): void {
    if (!this.#paused) return;
    this.#paused = false;
    this.#source.resume();
  }

  #settle(): Reader | undefined {
    const waiting = this.#waiting;
    this.#waiting = undefined;
    return waiting;
  }
}
