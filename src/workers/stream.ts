// One exchange on its way through a worker: request out against what the worker asks for, response in against what the
// client takes. The other end is Stream in python/sallyport/stream.py.

import {
  EVENT_STREAM_GRACE,
  type Exchange,
  type Headers,
  isEventStream,
  Latin1,
  type Log,
  SallyportError,
} from "../exchange/index.ts";
import { ResponseBuffer, type ResponseBufferLimits } from "../exchange/response-buffer.ts";
import type { CommonParts } from "./common-parts.ts";
import { writeFile } from "./file.ts";
import { decodeResponseHead } from "./head.ts";
import { FROM_WORKER, type Payload, TO_WORKER, WINDOW } from "./link.ts";
import { type LinkWriter, StreamUpload } from "./upload.ts";
import { WebSocketRelay } from "./websocket-relay.ts";

/** What a stream needs of the worker that runs it. */
export interface StreamTransport extends LinkWriter {
  readonly log: Log;
  /** What the worker has been told of requests that repeat. */
  readonly commonParts: CommonParts;
  /** The worker is about to end by itself. */
  leaving(): void;
  /** The worker has nothing more to do for this stream. */
  done(stream: WorkerStream): void;
}

/** What a worker says when its application failed. */
interface Failure {
  readonly error: "APP_RAISED" | "APP_PROTOCOL" | "INTERNAL";
  readonly message: string;
  readonly detail: string;
  /** The process ends now, as the application asked it to: nothing that was sent after this request is begun. */
  readonly leaving: boolean;
}

/** Writes REQUEST, or COMMON and REPEAT. Throws a SallyportError for what cannot be said, with nothing written. */
export type EncodeRequest = (transport: StreamTransport, id: number) => void;

/** Of a whole response the length of the head comes first. */
const HEAD_AT = 4;

/** RFC 6455, 7.4.1 and the IANA registry: how we close a WebSocket. */
const CLOSE = { normal: 1000, failed: 1011, restart: 1012 } as const;

export class WorkerStream {
  readonly exchange: Exchange;
  id = 0;
  /** When the worker took it up, or when it began to wait in the queue (milliseconds, `performance.now`). */
  since = 0;
  /** Where the request ends in the stream of all bytes that its worker was sent. */
  sentTo = 0;
  readonly #encode: EncodeRequest;
  readonly #limits: ResponseBufferLimits;
  #transport: StreamTransport | undefined;
  #buffer: ResponseBuffer | undefined;
  #upload: StreamUpload | undefined;
  /** Present once a WebSocket is open. */
  #relay: WebSocketRelay | undefined;
  /** What the application asked for of a WebSocket, before it is open and beyond the first window. */
  #asked = 0;
  /** Settles when the file that is the body has been written. */
  #file: Promise<void> | undefined;
  #streaming = false;
  #isEvents = false;
  #leaves = false;
  #ended = false;
  #accepted = 0;
  #released: (() => void) | undefined;

  /**
   * `released` is told once that nobody needs what the request refers to any more: its exchange is over, and no worker
   * has it, or may still begin it.
   */
  constructor(
    exchange: Exchange,
    encode: EncodeRequest,
    limits: ResponseBufferLimits,
    released?: () => void,
  ) {
    this.exchange = exchange;
    this.#encode = encode;
    this.#limits = limits;
    this.#released = released;
    if (released) exchange.whenClosed(() => this.#release());
  }

  /** Between the head and the end of a response in pieces, or an open WebSocket: it may take as long as it likes. */
  get streaming(): boolean {
    return this.#streaming && !this.#ended;
  }

  /** It is for the client to go on, and for its listener to see how long that takes. */
  get waitsForClient(): boolean {
    return this.#upload?.waits === true;
  }

  /** Hands the request to a worker. Throws what `encode` throws, with nothing written. */
  send(transport: StreamTransport, id: number): void {
    this.#encode(transport, id);
    this.sentTo = transport.writer.total;
    this.id = id;
    this.#transport = transport;
    transport.flush();
    this.exchange.whenClosed(({ error }) => this.#cancel(error));
  }

  /**
   * A frame of the worker's for this exchange. Throws a SallyportError (LINK_BROKEN) when it makes no sense; what else goes
   * wrong with it is this exchange's alone.
   */
  receive(kind: number, payload: Payload): void {
    try {
      this.#take(kind, payload);
    } catch (error) {
      if (isBroken(error)) throw error;
      this.giveUp(SallyportError.from(error));
    }
  }

  #take(kind: number, payload: Payload): void {
    switch (kind) {
      case FROM_WORKER.RESPONSE:
        try {
          return this.#respond(payload);
        } finally {
          this.#done();
        }
      case FROM_WORKER.ANSWER:
        return this.#respond(payload);
      case FROM_WORKER.INFORM:
        return this.exchange.inform(decodeResponseHead(payload, 0, payload.length));
      case FROM_WORKER.HEAD:
        return this.#start(payload);
      case FROM_WORKER.CHUNK:
        return this.#relay ? this.#sendWebSocket(kind, payload.bytes) : this.#chunk(payload.bytes);
      case FROM_WORKER.FILE:
        return this.#sendFile(payload.bytes);
      case FROM_WORKER.END:
        return this.#end(payload);
      case FROM_WORKER.WANT:
        return this.#want(payload.uint32(0));
      case FROM_WORKER.ACCEPT:
        return this.#accept(payload);
      case FROM_WORKER.TEXT_OUT:
      case FROM_WORKER.BINARY_OUT:
      case FROM_WORKER.CLOSE_OUT:
        return this.#sendWebSocket(kind, payload.bytes);
      case FROM_WORKER.ABORT:
        return this.#abort(payload.bytes);
      case FROM_WORKER.DONE:
        return this.#finish();
      default:
        throw new SallyportError("LINK_BROKEN", `a worker sent a frame of unknown kind ${kind}`);
    }
  }

  /** The exchange cannot be answered (further), whoever finds out. */
  fail(error: SallyportError): void {
    this.#upload?.stop();
    this.#ended = true;
    this.giveUp(error);
  }

  /** The same while the application may go on: it is told that the exchange is over. */
  giveUp(error: SallyportError): void {
    if (this.#relay) this.#failRelay(this.#relay, error);
    else this.exchange.fail(error);
  }

  /** Its worker is gone, and it was begun there. */
  lose(error: SallyportError): void {
    this.#transport = undefined;
    this.fail(error);
    this.#release();
  }

  /** Nothing of it was begun: it may be sent to another worker. */
  reclaim(): void {
    this.#transport = undefined;
    this.since = performance.now();
    this.#leaves = false;
    this.#release();
  }

  /** The application goes: what would never end by itself is told to. */
  leave(): void {
    if (this.#leaves) return;
    this.#leaves = true;
    if (this.#relay) this.#closeRelay(this.#relay);
    else if (this.#isEvents) this.#endEvents();
  }

  // Responses.

  #respond(payload: Payload): void {
    const body = HEAD_AT + payload.uint32(0);
    if (body > payload.length) throw new SallyportError("LINK_BROKEN", "a response is shorter than its head");
    this.#ended = true;
    this.exchange.respond(
      decodeResponseHead(payload, HEAD_AT, body),
      new Latin1(payload.text(body, payload.length)),
    );
  }

  #start(payload: Payload): void {
    const head = decodeResponseHead(payload, 0, payload.length);
    this.#streaming = true;
    this.#isEvents = isEventStream(head);
    this.exchange.start(head);
    if (this.#leaves && this.#isEvents) this.#endEvents();
  }

  #chunk(chunk: Buffer): void {
    this.#buffer ??= new ResponseBuffer(this.exchange, (data) => this.#credit(data), this.#limits);
    this.#buffer.push(chunk);
  }

  #sendFile(payload: Buffer): void {
    if (this.#buffer || this.#file)
      throw new SallyportError("LINK_BROKEN", "a worker sent a file after other bytes");
    this.#file = writeFile(this.exchange, payload.toString(), () => this.#opened());
    this.#file.catch((error: unknown) => this.giveUp(SallyportError.from(error)));
  }

  /** The application may delete the file now. */
  #opened(): void {
    const transport = this.#transport;
    if (!transport || this.exchange.closed) return;
    transport.writer.count(TO_WORKER.CREDIT, this.id, WINDOW);
    transport.flush();
  }

  #end(payload: Payload): void {
    const trailers = payload.length > 0 ? payload.text(0, payload.length).split("\n") : undefined;
    this.#ended = true;
    this.#restart(); // what it does now is tidying up
    if (this.#buffer) this.#buffer.end(trailers);
    else if (this.#file) this.#endFile(this.#file, trailers);
    else this.exchange.end(trailers);
  }

  #endFile(file: Promise<void>, trailers: Headers | undefined): void {
    const ended = (): void => this.exchange.end(trailers);
    file.then(ended).catch(() => {}); // its failure was told where it began
  }

  /** Grants the worker as much again, not for every piece but in large steps. */
  #credit(data: number): void {
    this.#accepted += data;
    const transport = this.#transport;
    if (this.#accepted < WINDOW / 2 || !transport) return;
    transport.writer.count(TO_WORKER.CREDIT, this.id, this.#accepted);
    transport.flush();
    this.#accepted = 0;
  }

  // Request bodies.

  #want(data: number): void {
    if (this.#relay) return this.#relay.want(data);
    const transport = this.#transport;
    if (this.exchange.handshake) this.#asked += data;
    else if (transport) this.#pump(transport, data);
  }

  #pump(transport: StreamTransport, data: number): void {
    this.#upload ??= new StreamUpload(this.exchange.body, transport, this.id, () => this.#restart());
    this.#upload.want(data).catch((error: unknown) => this.giveUp(SallyportError.from(error)));
  }

  /** What the application does from now on has its own time. */
  #restart(): void {
    this.since = performance.now();
  }

  // WebSockets.

  #accept(payload: Payload): void {
    const { handshake } = this.exchange;
    const transport = this.#transport;
    if (!handshake || !transport)
      throw new SallyportError("LINK_BROKEN", "a worker accepted a request that opens no WebSocket");
    if (this.exchange.closed) return; // CANCEL is on its way
    const [subprotocol = "", ...headers] = payload.text(0, payload.length).split("\n");
    const choice = { subprotocol: subprotocol || undefined, headers };
    try {
      this.#relay = new WebSocketRelay(handshake, choice, transport, this.id, WINDOW + this.#asked);
    } catch (error) {
      return this.giveUp(SallyportError.from(error));
    }
    this.#streaming = true;
    if (this.#leaves) this.#closeRelay(this.#relay);
  }

  /** Frames of a WebSocket that was never opened, because its client left meanwhile, go nowhere. */
  #sendWebSocket(kind: number, payload: Buffer): void {
    try {
      this.#relay?.receive(kind, payload);
    } catch (error) {
      this.giveUp(SallyportError.from(error));
    }
  }

  #failRelay(relay: WebSocketRelay, error: SallyportError): void {
    const { code, fault, detail } = error;
    const { target } = this.exchange.request;
    if (!this.exchange.closed) this.#transport?.log.error(error.message, { code, fault, target, detail });
    relay.cut(CLOSE.failed, error.text);
  }

  // Ends.

  /** The application raised; after its response was complete that is news for the log only. */
  #abort(payload: Buffer): void {
    const { leaving, ...failure } = parseFailure(payload);
    const error = new SallyportError(failure.error, failure.message, { detail: failure.detail });
    const { code, fault, detail } = error;
    const { target } = this.exchange.request;
    if (this.exchange.closed)
      this.#transport?.log.error(`after the response: ${error.message}`, { code, fault, target, detail });
    this.fail(error);
    if (leaving) this.#transport?.leaving();
    this.#done();
  }

  /** The application has returned. */
  #finish(): void {
    if (this.#relay) this.#relay.close(CLOSE.normal, "");
    else if (!this.#ended) this.#giveUpOn();
    this.#done();
  }

  /** Whoever was told that the server leaves need not bring its events to an end. */
  #giveUpOn(): void {
    const left = this.#leaves && this.#isEvents;
    if (left) this.exchange.leave();
    if (this.exchange.closed) return;
    if (left) this.fail(new SallyportError("STOPPING", "an event stream was left in the middle of an event"));
    else this.fail(new SallyportError("APP_RAISED", "the application gave up on the request"));
  }

  /** The exchange is over, and the worker may not know. Of an open WebSocket the relay tells it. */
  #cancel(reason: SallyportError | undefined): void {
    const transport = this.#transport;
    if (!transport || this.#ended || this.#relay) return;
    this.#ended = true;
    this.#upload?.stop();
    transport.writer.frame(TO_WORKER.CANCEL, this.id, reason && Buffer.from(reason.message));
    transport.flush();
  }

  /** The application is told, and may still say something; then its stream ends, whether it has understood or not. */
  #endEvents(): void {
    this.#tellLeave();
    setTimeout(() => this.exchange.leave(), EVENT_STREAM_GRACE).unref();
  }

  #closeRelay(relay: WebSocketRelay): void {
    this.#tellLeave();
    relay.close(CLOSE.restart, "");
  }

  #tellLeave(): void {
    const transport = this.#transport;
    if (!transport || this.#ended) return;
    transport.writer.frame(TO_WORKER.LEAVE, this.id);
    transport.flush();
  }

  #done(): void {
    const transport = this.#transport;
    this.#transport = undefined;
    this.#upload?.stop();
    this.#relay?.release();
    this.#release();
    transport?.done(this);
  }

  #release(): void {
    if (this.#transport || !this.exchange.closed) return;
    this.#released?.();
    this.#released = undefined;
  }
}

/** It is no frame of ours: of the wrong kind, or shorter than what it should hold. */
const BROKEN = new Set(["ERR_SALLYPORT_LINK_BROKEN", "ERR_BUFFER_OUT_OF_BOUNDS", "ERR_OUT_OF_RANGE"]);
const isBroken = (error: unknown): boolean => BROKEN.has((error as NodeJS.ErrnoException).code ?? "");

function parseFailure(payload: Buffer): Failure {
  try {
    return JSON.parse(payload.toString("utf8")) as Failure;
  } catch (cause) {
    throw new SallyportError("LINK_BROKEN", "a worker sent a failure that cannot be read", { cause });
  }
}
