// One open WebSocket on its way through a worker: messages in against what the application asks for, messages out
// against what the client takes. The other end is python/sallyport/asgi/websocket.py.
import {
  type Acceptance,
  type Handshake,
  SallyportError,
  type WebSocketReceiver,
  type WebSocketSession,
} from "../exchange/index.ts";
import { FROM_WORKER, MESSAGE_COST, PIECE, TO_WORKER, WINDOW } from "./link.ts";
import type { LinkWriter } from "./upload.ts";

/** Bytes of one message that an application may send. Whoever sends more wants a response, not a message. */
export const MAX_MESSAGE = 134_217_728;

/** What the application says: a message, or that it closes. */
type Message = { readonly data: Uint8Array; readonly binary: boolean } | CloseFrame;

interface CloseFrame {
  readonly code: number;
  readonly reason: string;
}

export class WebSocketRelay implements WebSocketReceiver {
  readonly #stream: number;
  readonly #session: WebSocketSession;
  #link: LinkWriter | undefined;
  /** What the application may still be sent. */
  #allowed: number;
  #paused = false;
  /** The pieces so far of a message of the application's. */
  #pieces: Uint8Array[] = [];
  #size = 0;
  /** What the client is too slow for; never more than the credit that the worker has. */
  #waiting: Message[] = [];
  #stalled = false;
  /** Credit that the worker has not been given back. */
  #owed = 0;

  /** Accepts. Throws a SallyportError (APP_PROTOCOL) when that cannot be sent. */
  constructor(handshake: Handshake, choice: Acceptance, link: LinkWriter, stream: number, allowed: number) {
    this.#stream = stream;
    this.#link = link;
    this.#allowed = allowed;
    this.#session = handshake.accept(choice, this);
  }

  // What the client does.

  message(data: Uint8Array, binary: boolean): void {
    const link = this.#link;
    if (!link) return;
    let start = 0;
    for (; data.length - start > PIECE; start += PIECE)
      link.writer.frame(TO_WORKER.BODY, this.#stream, data.subarray(start, start + PIECE));
    link.writer.frame(binary ? TO_WORKER.BINARY : TO_WORKER.TEXT, this.#stream, data.subarray(start));
    link.flush();
    this.#allowed -= data.length + MESSAGE_COST;
    if (this.#allowed > 0 || this.#paused) return;
    this.#paused = true;
    this.#session.pause();
  }

  closed(code: number, reason: string): void {
    const link = this.#link;
    this.release();
    link?.writer.close(TO_WORKER.CLOSE, this.#stream, code, reason);
    link?.flush();
  }

  // What the application does.

  /** A frame of the worker's. Throws a SallyportError for a message that nobody should send. */
  receive(kind: number, payload: Buffer): void {
    if (kind === FROM_WORKER.CHUNK) this.#piece(payload);
    else if (kind === FROM_WORKER.CLOSE_OUT) this.close(payload.readUInt16LE(0), payload.toString("utf8", 2));
    else this.#message(payload, kind === FROM_WORKER.BINARY_OUT);
  }

  want(bytes: number): void {
    this.#allowed += bytes;
    if (!this.#paused || this.#allowed <= 0) return;
    this.#paused = false;
    this.#session.resume();
  }

  /** Begins the closing handshake, after all that the application has said. */
  close(code: number, reason: string): void {
    this.#sendFrame({ code, reason });
  }

  /** Begins it now: whatever waits for a slow client is not sent. */
  cut(code: number, reason: string): void {
    this.#waiting = [];
    this.#session.close(code, reason);
  }

  /** The worker has nothing more to do with it. */
  release(): void {
    this.#link = undefined;
    this.#pieces = [];
  }

  #piece(payload: Buffer): void {
    this.#size += payload.length;
    if (this.#size > MAX_MESSAGE)
      throw new SallyportError("APP_PROTOCOL", `a WebSocket message of more than ${MAX_MESSAGE} bytes`);
    this.#pieces.push(payload);
    this.#owed += payload.length;
    this.#grant();
  }

  #message(last: Buffer, binary: boolean): void {
    const data = this.#pieces.length > 0 ? Buffer.concat([...this.#pieces, last]) : last;
    this.#pieces = [];
    this.#size = 0;
    this.#owed += last.length + MESSAGE_COST;
    this.#sendFrame({ data, binary });
    this.#grant();
  }

  #sendFrame(message: Message): void {
    if (this.#stalled) this.#waiting.push(message);
    else this.#sendMessage(message);
  }

  #sendMessage(message: Message): void {
    if ("code" in message) return this.#session.close(message.code, message.reason);
    if (this.#session.send(message.data, message.binary)) return;
    this.#stalled = true;
    this.#session.whenDrained(() => this.#drained());
  }

  #drained(): void {
    this.#stalled = false;
    while (!this.#stalled && this.#waiting.length > 0) this.#sendMessage(this.#waiting.shift() as Message);
    this.#grant();
  }

  /** Not while the client is slow, and not for every message but in large steps. */
  #grant(): void {
    const link = this.#link;
    if (this.#stalled || this.#owed < WINDOW / 2 || !link) return;
    link.writer.count(TO_WORKER.CREDIT, this.#stream, this.#owed);
    link.flush();
    this.#owed = 0;
  }
}
