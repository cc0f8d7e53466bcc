// One open WebSocket on its way through a worker: messages in against what the application asks for, messages out
// against what the client takes. The other end is python/sallyport/asgi/websocket.py.
import {
  type Acceptance,
  type Leaving,
  SallyportError,
  type WebSocketReceiver,
  type WebSocketSession,
} from "../exchange/index.ts";
import { FROM_WORKER, type FrameWriter, MESSAGE_COST, PIECE, TO_WORKER, WINDOW } from "./link.ts";
import { CLOSE, type Relay, type RelayEnds } from "./relay.ts";

/** The most bytes of one message of an application: the session needs each whole, in memory. */
export const MAX_MESSAGE = 134_217_728;

type OutgoingMessage = { readonly data: Uint8Array; readonly binary: boolean };

interface CloseFrame {
  readonly code: number;
  readonly reason: string;
}

export class WebSocketRelay implements WebSocketReceiver, Relay {
  readonly #ends: RelayEnds;
  readonly #session: WebSocketSession;
  /** Undefined once the worker is done with the stream. */
  #writer: FrameWriter | undefined;
  /** Bytes that the application may still be sent; messages are sent whole, so it may go below 0. */
  #allowed: number;
  #paused = false;
  /** The pieces of an incomplete message of the application's, and their size. */
  #pieces: Uint8Array[] | undefined;
  #size = 0;
  /** What a slow client has not taken yet; never more than the credit that the worker has. */
  #waiting: (OutgoingMessage | CloseFrame)[] | undefined;
  #stalled = false;
  /** Credit that the worker has used and not been given back. */
  #owed = 0;

  /** Accepts. `allowed`: bytes that the application may be sent. Throws a SallyportError (APP_PROTOCOL) when that cannot be sent. */
  constructor(ends: RelayEnds, choice: Acceptance, allowed: number) {
    this.#ends = ends;
    this.#writer = ends.writer;
    this.#allowed = allowed;
    this.#session = ends.exchange.handshake.accept(choice, this);
  }

  // From the client.

  message(data: Uint8Array, binary: boolean): void {
    const writer = this.#writer;
    if (!writer) return;
    let start = 0;
    for (; data.length - start > PIECE; start += PIECE)
      writer.frame(TO_WORKER.BODY, this.#ends.stream, data.subarray(start, start + PIECE));
    writer.frame(binary ? TO_WORKER.BINARY : TO_WORKER.TEXT, this.#ends.stream, data.subarray(start));
    writer.flush();
    this.#allowed -= data.length + MESSAGE_COST;
    if (this.#allowed > 0 || this.#paused) return;
    this.#paused = true;
    this.#session.pause();
  }

  /**
   * The client has left, or ended the session. Its last messages, not more than came in one read, and the close frame wait for an
   * application that has not asked for more: they go to the worker, for one that only sends would never learn of the end.
   */
  concluded(): void {
    this.#allowed = Number.POSITIVE_INFINITY;
    this.want(0);
  }

  closed(code: number, reason: string): void {
    const writer = this.#writer;
    this.release();
    writer?.close(TO_WORKER.CLOSE, this.#ends.stream, code, reason);
    writer?.flush();
  }

  // From the application.

  receive(kind: number, payload: Buffer): void {
    if (kind === FROM_WORKER.CHUNK) this.#piece(payload);
    else if (kind === FROM_WORKER.CLOSE_OUT)
      this.#close(payload.readUInt16LE(0), payload.toString("utf8", 2));
    else this.#message(payload, kind === FROM_WORKER.BINARY_OUT);
  }

  want(bytes: number): void {
    this.#allowed += bytes;
    if (!this.#paused || this.#allowed <= 0) return;
    this.#paused = false;
    this.#session.resume();
  }

  leave(why: Leaving): void {
    this.#writer?.frame(TO_WORKER.LEAVE, this.#ends.stream);
    this.#writer?.flush();
    this.#close(CLOSE[why], "");
  }

  /** Begins the closing handshake at once: messages that wait for a slow client are dropped. Of a worker that has died the log has told. */
  fail({ message, code, fault, detail, text }: SallyportError): void {
    const { exchange, log } = this.#ends;
    const { target } = exchange.request;
    if (this.#writer && !exchange.closed) log.error(message, { code, fault, target, detail });
    this.#waiting = undefined;
    this.#session.close(CLOSE.failed, text);
  }

  end(): void {
    this.#close(CLOSE.normal, "");
  }

  release(): void {
    this.#writer = undefined;
    this.#pieces = undefined;
  }

  /** Begins the closing handshake, after all messages of the application; one that it gave up in the middle is dropped. */
  #close(code: number, reason: string): void {
    this.#pieces = undefined;
    this.#size = 0;
    this.#sendInTurn({ code, reason });
  }

  #piece(payload: Buffer): void {
    this.#size += payload.length;
    if (this.#size > MAX_MESSAGE)
      throw new SallyportError("APP_PROTOCOL", `a WebSocket message of more than ${MAX_MESSAGE} bytes`);
    this.#pieces ??= [];
    this.#pieces.push(payload);
    this.#owed += payload.length;
    this.#grant();
  }

  #message(last: Buffer, binary: boolean): void {
    const data = this.#pieces ? Buffer.concat([...this.#pieces, last]) : last;
    this.#pieces = undefined;
    this.#size = 0;
    this.#owed += last.length + MESSAGE_COST;
    this.#sendInTurn({ data, binary });
    this.#grant();
  }

  #sendInTurn(message: OutgoingMessage | CloseFrame): void {
    if (!this.#stalled) return this.#send(message);
    this.#waiting ??= [];
    this.#waiting.push(message);
  }

  #send(message: OutgoingMessage | CloseFrame): void {
    if ("code" in message) return this.#session.close(message.code, message.reason);
    if (this.#session.send(message.data, message.binary)) return;
    this.#stalled = true;
    this.#session.whenDrained(() => this.#drained());
  }

  #drained(): void {
    this.#stalled = false;
    while (!this.#stalled) {
      const next = this.#waiting?.shift();
      if (!next) break;
      this.#send(next);
    }
    this.#grant();
  }

  /** Not while the client is slow; and in large steps, not for every message. */
  #grant(): void {
    const writer = this.#writer;
    if (this.#stalled || this.#owed < WINDOW / 2 || !writer) return;
    writer.count(TO_WORKER.CREDIT, this.#ends.stream, this.#owed);
    writer.flush();
    this.#owed = 0;
  }
}
