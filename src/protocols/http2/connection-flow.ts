// Whether a client takes what a connection sends. nghttp2 serves streams in turn, or one after the other: a stream that waits
// need not have a client that has stopped reading.
// Tested by test/protocols/http2/deadlines.test.ts.
import type { ServerHttp2Session } from "node:http2";
import type { Socket } from "node:net";
import { bytesHeld, bytesLeft } from "../../sockets/bytes-left.ts";

/** Bytes that a client must take within `sendTimeout`, on all its streams together. */
const LEAST = 65_536;

export class ConnectionFlow {
  readonly #session: ServerHttp2Session;
  readonly #socket: Socket;
  readonly #sendTimeout: number;
  /** Bytes that the kernel had taken when the client had last taken enough. */
  #taken = 0;
  /** Until when that is good, on the listener's clock. */
  #movesUntil = 0;

  constructor(session: ServerHttp2Session, socket: Socket, sendTimeout: number) {
    this.#session = session;
    this.#socket = socket;
    this.#sendTimeout = sendTimeout;
  }

  /** Looks how far the connection has come; to be called regularly while streams may wait for each other. */
  look(now: number): void {
    const taken = bytesLeft(this.#socket);
    if (taken - this.#taken < LEAST) return;
    this.#taken = taken;
    this.#movesUntil = now + this.#sendTimeout;
  }

  /** Whether the client has taken enough within `sendTimeout`, as of the last look. */
  moves(now: number): boolean {
    return this.#movesUntil > now;
  }

  /** Whether the connection can take no more at the moment. If it can, what still waits is held back by its stream's own window. */
  get isFull(): boolean {
    return bytesHeld(this.#socket) > 0 || this.#session.state.remoteWindowSize === 0;
  }
}
