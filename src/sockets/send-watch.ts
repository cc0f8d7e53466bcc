// Tells that a peer has stopped reading, by the bytes that leave. The timeout of a socket does not: it is renewed by all that
// the peer sends as well.
import type { Socket } from "node:net";
import { bytesLeft } from "./bytes-left.ts";

/** Tells that a peer has stopped reading. Times are those of the caller's clock, in milliseconds. */
export interface StallWatching {
  /** Bytes wait from now on; without effect while it watches already. */
  start(now: number): void;
  stop(): void;
  /** Whether bytes wait and none has left for the timeout. */
  stalled(now: number): boolean;
}

export class SendWatch implements StallWatching {
  readonly #socket: Socket;
  /** Milliseconds. */
  readonly #timeout: number;
  #due = Number.POSITIVE_INFINITY;
  #left = 0;

  /** 0 and Infinity mean none. */
  constructor(socket: Socket, timeout: number) {
    this.#socket = socket;
    this.#timeout = timeout || Number.POSITIVE_INFINITY;
  }

  start(now: number): void {
    if (this.#due !== Number.POSITIVE_INFINITY) return;
    this.#left = bytesLeft(this.#socket);
    this.#due = now + this.#timeout;
  }

  stop(): void {
    this.#due = Number.POSITIVE_INFINITY;
  }

  stalled(now: number): boolean {
    if (this.#due === Number.POSITIVE_INFINITY) return false;
    if (this.#socket.writableLength === 0) {
      this.stop();
      return false;
    }
    const left = bytesLeft(this.#socket);
    if (left === this.#left) return this.#due <= now;
    this.#left = left;
    this.#due = now + this.#timeout;
    return false;
  }
}
