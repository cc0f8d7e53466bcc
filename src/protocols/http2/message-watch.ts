// Whether the client of a WebSocket takes the messages that wait for it (RFC 8441). The timeout of a stream does not tell: it is
// renewed by all that the client sends as well.
// Tested by test/protocols/http2/websocket.test.ts.
import type { ServerHttp2Stream } from "node:http2";
import type { StallWatching } from "../../sockets/send-watch.ts";
import type { ConnectionFlow } from "./connection-flow.ts";

/**
 * How often messages may wait on because their connection moves, while none of them is seen to leave: node:http2 tells only when it
 * has sent all that was written together, and the connection may move for other streams.
 */
const MOST_EXTENSIONS = 32;

export class MessageWatch implements StallWatching {
  readonly #stream: ServerHttp2Stream;
  readonly #flow: ConnectionFlow;
  /** Milliseconds. */
  readonly #timeout: number;
  #due = Number.POSITIVE_INFINITY;
  /** Bytes that waited at the last look. */
  #waiting = 0;
  #extensions = 0;
  /** The connection has taken something, and has no other stream. */
  #moved = false;

  /** 0 and Infinity mean none. */
  constructor(stream: ServerHttp2Stream, flow: ConnectionFlow, timeout: number) {
    this.#stream = stream;
    this.#flow = flow;
    this.#timeout = timeout || Number.POSITIVE_INFINITY;
  }

  start(now: number): void {
    if (this.#due !== Number.POSITIVE_INFINITY) return;
    this.#waiting = this.#stream.writableLength;
    this.#restart(now);
  }

  stop(): void {
    this.#due = Number.POSITIVE_INFINITY;
  }

  /** The client has taken a part of what waits: the stream is the only one that sends. */
  taken(): void {
    this.#moved = true;
  }

  stalled(now: number): boolean {
    if (this.#due === Number.POSITIVE_INFINITY) return false;
    const waiting = this.#stream.writableLength;
    const progress = this.#moved || waiting < this.#waiting;
    this.#waiting = waiting;
    if (waiting === 0) this.stop();
    else if (progress) this.#restart(now);
    return this.#due <= now && !this.#extend(now);
  }

  #restart(now: number): void {
    this.#moved = false;
    this.#extensions = 0;
    this.#due = now + this.#timeout;
  }

  #extend(now: number): boolean {
    if (!this.#flow.moves(now) || ++this.#extensions > MOST_EXTENSIONS) return false;
    this.#due = now + this.#timeout;
    return true;
  }
}
