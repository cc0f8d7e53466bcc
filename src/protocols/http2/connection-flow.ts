// Whether a client takes what a connection sends. nghttp2 serves streams in turn, or one after the other: a stream that waits
// need not have a client that has stopped reading.
// Tested by test/protocols/http2/deadlines.test.ts.
import type { ServerHttp2Session } from "node:http2";
import type { Socket } from "node:net";
import { bytesHeld, bytesLeft } from "../../sockets/bytes-left.ts";
import type { Http2Limits } from "./limits.ts";

/** Bytes that a client must take within `sendTimeout`, on all its streams together. */
const LEAST = 65_536;
/** Bytes at the most, TLS included, of what answers a control frame, or of two WINDOW_UPDATE frames. */
const ANSWER = 128;

export class ConnectionFlow {
  readonly #session: ServerHttp2Session;
  readonly #socket: Socket;
  /** Milliseconds. */
  readonly #sendTimeout: number;
  /** Bytes of request bodies for which nghttp2 opens both windows anew. */
  readonly #perUpdate: number;
  /** Bytes that the kernel had taken when the client had last taken enough. */
  #taken = 0;
  /** Until when that is good, on the listener's clock. */
  #movesUntil = 0;
  /** As of the last look that found progress: bytes that the kernel had taken, and bytes that had come. */
  #left = 0;
  #received = 0;
  /** Control frames since then that we answer. */
  #controls = 0;

  constructor(session: ServerHttp2Session, socket: Socket, { sendTimeout, window }: Http2Limits) {
    this.#session = session;
    this.#socket = socket;
    this.#sendTimeout = sendTimeout;
    this.#perUpdate = Math.max(window, 1) / 2;
  }

  /** The client has sent PING or SETTINGS: the answer is not progress. */
  control(): void {
    this.#controls++;
  }

  /**
   * Looks how far the connection has come; to be called at every tick while streams are open. True when something of a
   * response has left. `alone`: only one stream was open since the last look; with several it cannot be told whose it was.
   */
  look(now: number, alone: boolean): boolean {
    const left = bytesLeft(this.#socket);
    this.#lookAtAll(left, now);
    const progress = alone && left - this.#left > this.#answers;
    if (alone && !progress) return false;
    this.#left = left;
    this.#received = this.#socket.bytesRead;
    this.#controls = 0;
    return progress;
  }

  /** Bytes that may have left without the client reading anything: what it sends is answered. */
  get #answers(): number {
    return ANSWER * (this.#controls + (this.#socket.bytesRead - this.#received) / this.#perUpdate);
  }

  #lookAtAll(taken: number, now: number): void {
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
