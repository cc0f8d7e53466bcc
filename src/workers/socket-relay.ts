// The socket of a WSGI application's WebSocket: bytes that the application's library reads and writes there, as much of them as it
// asks for, or as the client takes. The other end is python/sallyport/wsgi/upgrade.py.
// Tested by test/protocols/wsgi/websockets.test.ts.
import { type OpeningExchange, RawWebSocket } from "../websocket/index.ts";
import { type FrameWriter, PIECE, TO_WORKER } from "./link.ts";
import { MAX_MESSAGE } from "./websocket-relay.ts";

export class SocketRelay {
  readonly #socket: RawWebSocket;
  readonly #stream: number;
  /** Undefined once the worker is done with the stream. */
  #writer: FrameWriter | undefined;
  /** Bytes that the application may still be sent; WebSocket frames are sent whole, so it may go below 0. */
  #allowed: number;

  constructor(exchange: OpeningExchange, writer: FrameWriter, stream: number, allowed: number) {
    const socket = new RawWebSocket(exchange, MAX_MESSAGE);
    this.#socket = socket;
    this.#stream = stream;
    this.#writer = writer;
    this.#allowed = allowed;
    // The exchange knows what went wrong.
    socket.on("error", () => {});
    socket.once("close", () => this.#closed());
    socket.on("data", (bytes: Buffer) => this.#received(bytes));
    this.want(0);
  }

  // From the application.

  want(bytes: number): void {
    this.#allowed += bytes;
    if (this.#allowed > 0) this.#socket.resume();
    else this.#socket.pause();
  }

  /** `taken` is called once there is room for as many bytes again. */
  write(bytes: Uint8Array, taken: (size: number) => void): void {
    if (this.#socket.writable) this.#socket.write(bytes, () => taken(bytes.length));
  }

  /** The application has come to its end. A WebSocket that it has not closed is cut (APP_ABORTED). */
  end(): void {
    this.#socket.end();
  }

  /** The worker is done with the stream. */
  release(): void {
    this.#writer = undefined;
    this.#socket.resume();
  }

  // From the client, or the server.

  /** Closes the WebSocket, now or when the application accepts it. */
  leave(code: number): void {
    this.#socket.leave(code);
  }

  /** The exchange is over: what there is still to read does not wait until it is asked for. */
  concluded(): void {
    this.want(Number.POSITIVE_INFINITY);
  }

  #received(bytes: Buffer): void {
    const writer = this.#writer;
    if (!writer) return;
    for (let start = 0; start < bytes.length; start += PIECE)
      writer.frame(TO_WORKER.BODY, this.#stream, bytes.subarray(start, start + PIECE));
    writer.flush();
    this.want(-bytes.length);
  }

  #closed(): void {
    this.#writer?.frame(TO_WORKER.CANCEL, this.#stream);
    this.#writer?.flush();
    this.#writer = undefined;
  }
}
