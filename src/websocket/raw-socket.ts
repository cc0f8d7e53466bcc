// The socket that libraries expect which answer a WebSocket handshake themselves (ws and engine.io at node:http's "upgrade", simple-websocket
// under WSGI): they write a response head and frames of a server to it, and read frames of a client. Behind it is the WebSocket of any listener, which has its own limits, pings and
// compression: messages pass between the two, frames do not.
// Tested by test/apps/node-upgrade.test.ts.
import { Duplex } from "node:stream";
import {
  type Exchange,
  type Handshake,
  SallyportError,
  type WebSocketReceiver,
  type WebSocketSession,
} from "../exchange/index.ts";
import { type AnsweredHead, readAnswer } from "./answer.ts";
import { library, type Receiver } from "./library.ts";

/** Bytes of a head, and of the body of a response that refuses the WebSocket. */
const MOST_BYTES = 65_536;
/** Bytes of a message of an application in this process, which has them in memory already. */
const LARGEST_MESSAGE = 0x7fff_ffff;
const HEAD_END = "\r\n\r\n";

const TEXT = 1;
const BINARY = 2;
const CLOSE = 8;
const PONG = 10;
const NO_CODE = 1005;
const ABNORMAL = 1006;

const EMPTY = Buffer.alloc(0);

type Done = (error?: Error | null) => void;

/** An exchange whose client wants a WebSocket. */
export type OpeningExchange = Exchange & { readonly handshake: Handshake };

export const opensWebSocket = (exchange: Exchange): exchange is OpeningExchange =>
  exchange.handshake !== undefined;

export class RawWebSocket extends Duplex {
  /** As of net.Socket: libraries that share a server see by it whether another one has answered. */
  bytesWritten = 0;
  readonly #exchange: OpeningExchange;
  readonly #largestMessage: number;
  /** The head of the answer, and then the body of a refusal, as far as they are there. */
  #answer: Buffer = EMPTY;
  #refusal: AnsweredHead | undefined;
  #session: WebSocketSession | undefined;
  /** Reads what the application writes, once it has accepted. */
  #frames: Receiver | undefined;
  /** The application can read no more. */
  #ended = false;
  /** Either side has closed the WebSocket, or the application has answered otherwise. */
  #over = false;
  /** The client has taken enough of what was sent. */
  #hasRoom = true;
  /** What waits for room: a write of the application's. */
  #waiting: Done | undefined;
  /** The close code of `leave`, where there was nothing to close yet. */
  #leaveCode: number | undefined;

  /** `largestMessage`: bytes of one message of the application's; a larger one is its fault (APP_PROTOCOL). */
  constructor(exchange: OpeningExchange, largestMessage = LARGEST_MESSAGE) {
    super({ allowHalfOpen: false });
    this.#exchange = exchange;
    this.#largestMessage = largestMessage;
    exchange.whenClosed(() => this.#exchangeClosed());
  }

  /** Closes the WebSocket, now or when the application accepts it: both sides get a close frame. */
  leave(code: number): void {
    this.#leaveCode = code;
    this.#session?.close(code, "");
  }

  // The application's side.

  override _write(chunk: Buffer, _encoding: string, done: Done): void {
    this.bytesWritten += chunk.length;
    if (this.#frames) return this.#take(chunk, done);
    this.#answer = Buffer.concat([this.#answer, chunk]);
    if (!this.#refusal) this.#readHead();
    if (this.#frames) return this.#takeRest(done);
    if (this.#answer.length > MOST_BYTES)
      this.#fail("APP_PROTOCOL", "the answer to a WebSocket handshake is too long");
    done();
  }

  override _read(): void {
    this.#session?.resume();
  }

  override _final(done: Done): void {
    if (this.#refusal) this.#refuse(this.#refusal);
    else this.#fail("APP_ABORTED", "the application ended its WebSocket without an answer or a close frame");
    done();
  }

  override _destroy(error: Error | null, done: Done): void {
    const why = error ? `: ${error.message}` : "";
    this.#fail("APP_ABORTED", `the application destroyed its WebSocket${why}`, error);
    this.#goOn();
    done(error);
  }

  #readHead(): void {
    const end = this.#answer.indexOf(HEAD_END);
    if (end < 0) return;
    try {
      const head = readAnswer(this.#answer.toString("latin1", 0, end));
      this.#answer = this.#answer.subarray(end + HEAD_END.length);
      if (head.status === 101) this.#accept(head);
      else this.#refusal = head;
    } catch (error) {
      this.#over = true;
      this.#exchange.fail(SallyportError.from(error));
    }
  }

  #accept({ headers, subprotocol }: AnsweredHead): void {
    const receiver: WebSocketReceiver = {
      message: (data, binary) => this.#received(data, binary),
      closed: (code, reason) => this.#clientClosed(code, reason),
    };
    const session = this.#exchange.handshake.accept({ subprotocol, headers }, receiver);
    const frames = new (library().Receiver)({
      isServer: false,
      extensions: {},
      maxPayload: this.#largestMessage,
      maxFragments: 0,
      maxBufferedChunks: 0,
    });
    frames.on("message", (data: Buffer, binary: boolean) => {
      this.#hasRoom = session.send(data, binary);
    });
    frames.on("ping", (data: Buffer) => this.#frame(PONG, data));
    frames.on("conclude", (code: number, reason: Buffer) => this.#close(session, code, `${reason}`));
    frames.on("error", (error: Error) =>
      this.#fail("APP_PROTOCOL", `what the application wrote is no frame: ${error.message}`),
    );
    this.#session = session;
    this.#frames = frames;
    if (this.#leaveCode !== undefined) session.close(this.#leaveCode, "");
  }

  /** What came behind the head. */
  #takeRest(done: Done): void {
    const rest = this.#answer;
    this.#answer = EMPTY;
    this.#take(rest, done);
  }

  /** Frames of the application's. */
  #take(chunk: Buffer, done: Done): void {
    const session = this.#session;
    this.#frames?.write(chunk, () => {
      if (this.#over || this.#hasRoom) return done();
      this.#waiting = done;
      session?.whenDrained(() => this.#goOn());
    });
  }

  #goOn(): void {
    this.#hasRoom = true;
    const done = this.#waiting;
    this.#waiting = undefined;
    done?.();
  }

  #close(session: WebSocketSession, code: number, reason: string): void {
    try {
      session.close(code === NO_CODE ? undefined : code, reason);
      this.#over = true;
    } catch (error) {
      this.#fail("APP_PROTOCOL", (error as Error).message);
    }
  }

  #refuse({ status, headers }: AnsweredHead): void {
    if (this.#over) return;
    this.#over = true;
    this.#exchange.respond({ status, reason: "", headers }, this.#answer);
  }

  #fail(code: "APP_ABORTED" | "APP_PROTOCOL", why: string, cause?: Error | null): void {
    if (this.#over) return;
    this.#over = true;
    this.#exchange.fail(new SallyportError(code, why, { cause }));
  }

  // The client's side.

  #received(data: Uint8Array, binary: boolean): void {
    if (!this.#frame(binary ? BINARY : TEXT, data)) this.#session?.pause();
  }

  /** What has come before is read first. */
  #clientClosed(code: number, reason: string): void {
    this.#over = true;
    this.#goOn();
    if (code !== ABNORMAL) this.#frame(CLOSE, code === NO_CODE ? EMPTY : closePayload(code, reason));
    this.#ended = true;
    this.push(null);
  }

  /** Without an accepted WebSocket nothing else tells that the client is gone. */
  #exchangeClosed(): void {
    this.#over = true;
    if (!this.#session) this.destroy();
  }

  /** To be read by the application. False when it is slower than the client. */
  #frame(opcode: number, data: Uint8Array): boolean {
    if (this.destroyed || this.#ended) return true;
    const options = { fin: true, opcode, mask: true, readOnly: true, rsv1: false, generateMask: noMask };
    return this.push(Buffer.concat(library().Sender.frame(data, options)));
  }
}

function closePayload(code: number, reason: string): Buffer {
  const payload = Buffer.from(`\0\0${reason}`);
  payload.writeUInt16BE(code);
  return payload;
}

/** It is there, and changes nothing: these frames cross no network. */
const noMask = (mask: Buffer): Buffer => mask.fill(0);
