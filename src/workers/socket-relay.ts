// The socket of a WSGI application's WebSocket: bytes that the application's library reads and writes there, as much of them as it
// asks for, or as the client takes. The other end is python/sallyport/wsgi/upgrade.py.
// Tested by test/protocols/wsgi/websockets.test.ts.
import { type Leaving, SallyportError } from "../exchange/index.ts";
import { RawWebSocket } from "../websocket/index.ts";
import { FROM_WORKER, type FrameWriter, PIECE, TO_WORKER } from "./link.ts";
import { CLOSE, type Relay, type RelayEnds } from "./relay.ts";
import { MAX_MESSAGE } from "./websocket-relay.ts";

export class SocketRelay implements Relay {
  readonly #socket: RawWebSocket;
  readonly #ends: RelayEnds;
  readonly #taken: (size: number) => void;
  /** Undefined once the worker is done with the stream. */
  #writer: FrameWriter | undefined;
  /** Bytes that the application may still be sent; WebSocket frames are sent whole, so it may go below 0. */
  #allowed: number;

  /** `allowed`: bytes that the application may be sent. `taken` is called once there is room for as many of its bytes again. */
  constructor(ends: RelayEnds, allowed: number, taken: (size: number) => void) {
    const socket = new RawWebSocket(ends.exchange, MAX_MESSAGE);
    this.#socket = socket;
    this.#ends = ends;
    this.#taken = taken;
    this.#writer = ends.writer;
    this.#allowed = allowed;
    // The exchange knows what went wrong.
    socket.on("error", () => {});
    socket.once("close", () => this.#closed());
    socket.on("data", (bytes: Buffer) => this.#received(bytes));
    this.want(0);
  }

  // From the application.

  receive(kind: number, payload: Buffer): void {
    if (kind !== FROM_WORKER.CHUNK)
      throw new SallyportError("LINK_BROKEN", "a worker sent a message for a WebSocket whose socket it has");
    if (this.#socket.writable) this.#socket.write(payload, () => this.#taken(payload.length));
  }

  want(bytes: number): void {
    this.#allowed += bytes;
    if (this.#allowed > 0) this.#socket.resume();
    else this.#socket.pause();
  }

  /** A WebSocket that the application has not closed is cut (APP_ABORTED). */
  end(): void {
    this.#socket.end();
  }

  release(): void {
    this.#writer = undefined;
    this.#socket.resume();
  }

  // From the client, or the server.

  /** Closes the WebSocket, now or when the application accepts it: its library reads the close frame. */
  leave(why: Leaving): void {
    this.#socket.leave(CLOSE[why]);
  }

  fail(error: SallyportError): void {
    this.#ends.exchange.fail(error);
  }

  concluded(): void {
    this.want(Number.POSITIVE_INFINITY);
  }

  #received(bytes: Buffer): void {
    const writer = this.#writer;
    if (!writer) return;
    for (let start = 0; start < bytes.length; start += PIECE)
      writer.frame(TO_WORKER.BODY, this.#ends.stream, bytes.subarray(start, start + PIECE));
    writer.flush();
    this.want(-bytes.length);
  }

  #closed(): void {
    this.#writer?.frame(TO_WORKER.CANCEL, this.#ends.stream);
    this.#writer?.flush();
    this.#writer = undefined;
  }
}
