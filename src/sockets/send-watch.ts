// Tells that a peer has stopped reading, by the bytes that leave. The timeout of a socket does not: it is renewed by all that
// the peer sends as well.
import type { Socket } from "node:net";

/** Internals of node:net that its types do not have; a test watches over the names. */
interface Internals {
  readonly _handle: { readonly bytesWritten?: number; readonly writeQueueSize?: number } | null;
}

export class SendWatch {
  readonly #socket: Socket;
  /** Milliseconds. */
  readonly #timeout: number;
  #due = Number.POSITIVE_INFINITY;
  #left = 0;

  constructor(socket: Socket, timeout: number) {
    this.#socket = socket;
    this.#timeout = timeout;
  }

  /** Bytes wait from now on; without effect while it watches already. */
  start(now: number): void {
    if (this.#due !== Number.POSITIVE_INFINITY) return;
    this.#left = bytesLeft(this.#socket);
    this.#due = now + this.#timeout;
  }

  stop(): void {
    this.#due = Number.POSITIVE_INFINITY;
  }

  /** Whether not a byte has left for the timeout. */
  stalled(now: number): boolean {
    if (this.#due === Number.POSITIVE_INFINITY) return false;
    const left = bytesLeft(this.#socket);
    if (left === this.#left) return this.#due <= now;
    this.#left = left;
    this.#due = now + this.#timeout;
    return false;
  }
}

/** Bytes that the system has taken, also of a write that is not done. */
function bytesLeft(socket: Socket): number {
  const handle = (socket as unknown as Internals)._handle;
  return (handle?.bytesWritten ?? 0) - (handle?.writeQueueSize ?? 0);
}
