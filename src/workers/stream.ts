// One exchange on its way through a worker: the request as far as the worker asks for it, the response as far as the client
// takes it. The other end is Stream in python/sallyport/stream.py.
// Tested by test/protocols/wsgi/workers.test.ts.

import {
  EVENT_STREAM_GRACE,
  type Exchange,
  type Headers,
  HeadLines,
  isEventStream,
  Latin1,
  type Leaving,
  type Log,
  type Outcome,
  SallyportError,
} from "../exchange/index.ts";
import { ResponseBuffer, type ResponseBufferLimits } from "../exchange/response-buffer.ts";
import type { Spooled } from "../exchange/spool.ts";
import { opensWebSocket } from "../websocket/index.ts";
import type { CommonParts } from "./common-parts.ts";
import { writeFile } from "./file.ts";
import { FROM_WORKER, type FrameWriter, frameOf, type Payload, TO_WORKER, WINDOW } from "./link.ts";
import type { Relay, RelayEnds } from "./relay.ts";
import { SocketRelay } from "./socket-relay.ts";
import { StreamUpload } from "./upload.ts";
import { WebSocketRelay } from "./websocket-relay.ts";

/** The worker, or the interpreter in this process, that runs a stream. */
export interface StreamTransport {
  readonly writer: FrameWriter;
  /** The parts that the worker keeps of requests that repeat. */
  readonly commonParts: CommonParts;
  readonly log: Log;
  /** The worker is about to end by itself, as the application of `stream` asked it to. It has begun none that came later. */
  leaving(stream: WorkerStream): void;
  /** The worker has nothing more to do for this stream. */
  done(stream: WorkerStream): void;
  /** The worker has not begun it, and will not. */
  returned(stream: WorkerStream): void;
  /** The response of `stream` has begun, and goes on for nobody knows how long. */
  streaming(stream: WorkerStream): void;
}

/** The payload of ABORT. */
interface Failure {
  readonly error: "APP_RAISED" | "APP_PROTOCOL" | "INTERNAL";
  readonly message: string;
  readonly detail: string;
  /** The process ends now, as the application asked it to: it begins no request that was sent after this one. */
  readonly leaving: boolean;
}

/** A body that is complete, as bytes or as a file; undefined for the exchange's own. */
export type Input = Uint8Array | Spooled | undefined;

/** Writes REQUEST, or COMMON and REPEAT. Throws a SallyportError, with nothing written, for what they cannot express. */
export type EncodeRequest = (
  transport: StreamTransport,
  id: number,
  exchange: Exchange,
  input: Input,
) => void;

/** Where the head of a whole response begins: after its length. */
const HEAD_AT = 4;

export class WorkerStream {
  readonly exchange: Exchange;
  id = 0;
  /** When the worker began it, or when it began to wait in the queue (milliseconds, `performance.now`). */
  since = 0;
  /** When it was first seen with a worker (whole milliseconds, `performance.now`); 0 before that. */
  takenAt = 0;
  /** Where the request ends in the stream of all bytes that were sent to its worker. */
  sentTo = 0;
  readonly #encode: EncodeRequest;
  readonly #input: Input;
  readonly #limits: ResponseBufferLimits;
  #transport: StreamTransport | undefined;
  #buffer: ResponseBuffer | undefined;
  #upload: StreamUpload | undefined;
  /** Present once the application has accepted a WebSocket, or taken its socket. */
  #relay: Relay | undefined;
  /** Bytes beyond the first window that the application asked for of a WebSocket before it was open. */
  #wanted = 0;
  /** Settles when the file that is the body has been written. */
  #file: Promise<void> | undefined;
  #isEventStream = false;
  /** The application was asked to come to an end. */
  #leaving: Leaving | undefined;
  /** The worker was asked for the request back. */
  #recalled = false;
  #answered = false;
  /** The response is complete, or will never be. */
  #ended = false;
  /** The application has given all of the response, and what follows cannot cut it; some may still wait for the client. */
  #complete = false;
  /** Bytes that the client has taken and the worker has not been granted again. */
  #taken = 0;
  #onRelease: (() => void) | undefined;

  /**
   * `onRelease` is called once what the request refers to is not needed any more: the exchange is over, and no worker
   * has the request or may still begin it.
   */
  constructor(
    exchange: Exchange,
    encode: EncodeRequest,
    input: Input,
    limits: ResponseBufferLimits,
    onRelease?: () => void,
  ) {
    this.exchange = exchange;
    this.#encode = encode;
    this.#input = input;
    this.#limits = limits;
    this.#onRelease = onRelease;
    if (onRelease) exchange.whenClosed(() => this.#release());
  }

  /** Between the head and the end of a response in pieces, or an open WebSocket: there is no deadline. */
  get streaming(): boolean {
    return this.exchange.started && !this.#ended;
  }

  /** The response has begun, whatever became of it: what the application still does has no deadline of the client's. */
  get answered(): boolean {
    return this.#answered;
  }

  /** The application waits for the client, whose deadlines are the listener's. */
  get waitsForClient(): boolean {
    return this.#upload?.waits === true;
  }

  /** Hands the request to a worker. Throws what `encode` throws, with nothing written. */
  send(transport: StreamTransport, id: number): void {
    this.#encode(transport, id, this.exchange, this.#input);
    this.sentTo = transport.writer.total;
    this.id = id;
    this.#transport = transport;
    transport.writer.flush();
    this.exchange.whenClosed(this.#closed);
  }

  /**
   * Takes a frame of the worker's. Throws a SallyportError (LINK_BROKEN) if it is malformed, which breaks the whole link;
   * any other error is this exchange's alone.
   */
  receive(kind: number, payload: Payload): void {
    const { trace } = this.exchange;
    if (trace?.captures) trace.answered(frameOf(kind, this.id, payload.bytes));
    try {
      this.#take(kind, payload);
    } catch (error) {
      if (isBroken(error)) throw error;
      this.#cut(SallyportError.from(error));
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
        this.#restart();
        return this.#respond(payload);
      case FROM_WORKER.RETURNED:
        if (this.#answered) throw new SallyportError("LINK_BROKEN", "a worker returned what it had begun");
        return this.#transport?.returned(this);
      case FROM_WORKER.INFORM:
        return this.exchange.inform(decodeResponseHead(payload, 0, payload.length));
      case FROM_WORKER.HEAD:
        return this.#start(payload);
      case FROM_WORKER.CHUNK:
        return this.#relay ? this.#relay.receive(kind, payload.bytes) : this.#chunk(payload.piece);
      case FROM_WORKER.FILE:
        return this.#sendFile(payload.bytes);
      case FROM_WORKER.END:
        return this.#end(payload);
      case FROM_WORKER.WANT:
        return this.#want(payload.uint32(0));
      case FROM_WORKER.ACCEPT:
        return this.#accept(payload);
      case FROM_WORKER.SWITCHED:
        return this.#switch();
      case FROM_WORKER.TEXT_OUT:
      case FROM_WORKER.BINARY_OUT:
      case FROM_WORKER.CLOSE_OUT:
        // Without a relay the client has left before the WebSocket was open.
        return this.#relay?.receive(kind, payload.bytes);
      case FROM_WORKER.ABORT:
        return this.#abort(payload.bytes);
      case FROM_WORKER.DONE:
        return this.#finish();
      default:
        throw new SallyportError("LINK_BROKEN", `a worker sent a frame of unknown kind ${kind}`);
    }
  }

  /** The exchange cannot be answered (further). A response that is complete goes on to its client. */
  fail(error: SallyportError): void {
    this.#upload?.stop();
    this.#ended = true;
    this.giveUp(error);
  }

  /** The same while the application is still running: it learns that the exchange is over. */
  giveUp(error: SallyportError): void {
    if (!this.#complete) this.#cut(error);
  }

  #cut(error: SallyportError): void {
    if (this.#relay) this.#relay.fail(error);
    else this.exchange.fail(error);
  }

  /** The worker has died that had begun it. */
  lose(error: SallyportError): void {
    this.#transport = undefined;
    this.#relay?.release();
    this.fail(error);
    this.#release();
  }

  /** The worker has died before it began it: it may be sent to another one. */
  reclaim(): void {
    this.#transport = undefined;
    this.#recalled = false;
    this.since = performance.now();
    this.#leaving = undefined;
    this.#release();
  }

  /** Asks the worker for the request back: it waits there for what may never end. One that is begun meanwhile goes on. */
  recall(): void {
    if (this.#recalled) return;
    this.#recalled = true;
    this.#send(TO_WORKER.RECALL);
  }

  /** The application stops: ends a WebSocket or an event stream, which would never end by itself. */
  leave(why: Leaving): void {
    if (this.#leaving || this.#complete) return;
    this.#leaving = why;
    if (this.#relay) this.#relay.leave(why);
    else if (this.#isEventStream) this.#endEvents();
  }

  // Responses.

  #respond(payload: Payload): void {
    const body = HEAD_AT + payload.uint32(0);
    const end = payload.length;
    if (body > end) throw new SallyportError("LINK_BROKEN", "a response is shorter than its head");
    this.#answered = true;
    this.#ended = true;
    this.#complete = true;
    this.exchange.respond(decodeResponseHead(payload, HEAD_AT, body), new Latin1(payload.text(body, end)));
  }

  #start(payload: Payload): void {
    const head = decodeResponseHead(payload, 0, payload.length);
    this.#isEventStream = isEventStream(head);
    this.#answered = true;
    this.#transport?.streaming(this);
    this.exchange.start(head);
    if (this.#leaving && this.#isEventStream) this.#endEvents();
  }

  #chunk(chunk: Buffer): void {
    this.#buffer ??= new ResponseBuffer(this.exchange, (size) => this.#credit(size), this.#limits);
    this.#buffer.push(chunk);
  }

  #sendFile(payload: Buffer): void {
    if (this.#buffer || this.#file)
      throw new SallyportError("LINK_BROKEN", "a worker sent a file after other bytes");
    this.#file = writeFile(this.exchange, payload, () => this.#opened());
    this.#file.catch((error: unknown) => this.#cut(SallyportError.from(error)));
  }

  /** The application may delete the file now. */
  #opened(): void {
    if (!this.exchange.closed) this.#grant(WINDOW);
  }

  #end(payload: Payload): void {
    const trailers = payload.length > 0 ? payload.text(0, payload.length).split("\n") : undefined;
    this.#ended = true;
    this.#complete = true;
    this.#restart(); // for what the application does after its response
    if (this.#buffer) this.#buffer.end(trailers);
    else if (this.#file) this.#endFile(this.#file, trailers);
    else this.exchange.end(trailers);
  }

  #endFile(file: Promise<void>, trailers: Headers | undefined): void {
    const ended = (): void => this.exchange.end(trailers);
    file.then(ended).catch(() => {}); // #sendFile handles its failure
  }

  /** The client has taken `size` bytes: grants the worker as many again, in large steps and not for every piece. */
  #credit(size: number): void {
    this.#taken += size;
    if (this.#taken < WINDOW / 2) return;
    this.#grant(this.#taken);
    this.#taken = 0;
  }

  #grant(size: number): void {
    this.#transport?.writer.count(TO_WORKER.CREDIT, this.id, size);
    this.#transport?.writer.flush();
  }

  // Request bodies.

  #want(size: number): void {
    if (this.#relay) return this.#relay.want(size);
    const transport = this.#transport;
    if (this.exchange.handshake) this.#wanted += size;
    else if (transport) this.#pump(transport.writer, size);
  }

  #pump(writer: FrameWriter, size: number): void {
    this.#upload ??= new StreamUpload(this.exchange.body, writer, this.id, () => this.#restart());
    this.#upload.want(size).catch((error: unknown) => this.#uploadFailed(SallyportError.from(error)));
  }

  /** The worker learns it with the end of the exchange; after a complete response it may still wait for the body. */
  #uploadFailed(error: SallyportError): void {
    this.giveUp(error);
    if (this.#complete) this.#cancel(error);
  }

  /** The time limit of the application begins anew, with the next check of the deadlines. */
  #restart(): void {
    this.since = 0;
  }

  // WebSockets.

  #accept(payload: Payload): void {
    const [subprotocol = "", ...headers] = payload.text(0, payload.length).split("\n");
    const choice = { subprotocol: subprotocol || undefined, headers };
    this.#open((ends) => new WebSocketRelay(ends, choice, WINDOW + this.#wanted));
  }

  #switch(): void {
    this.#open((ends) => new SocketRelay(ends, this.#wanted, (size) => this.#credit(size)));
  }

  #open(relay: (ends: RelayEnds) => Relay): void {
    const { exchange, id } = this;
    const transport = this.#transport;
    if (!opensWebSocket(exchange) || !transport)
      throw new SallyportError("LINK_BROKEN", "a worker opened a WebSocket for a request that asks for none");
    if (exchange.closed) return; // CANCEL is on its way
    this.#relay = relay({ exchange, writer: transport.writer, stream: id, log: transport.log });
    if (this.#leaving) this.#relay.leave(this.#leaving);
  }

  // Ends.

  /** The application raised an exception; after a complete response it is only logged. */
  #abort(payload: Buffer): void {
    const { leaving, ...failure } = parseFailure(payload);
    const error = new SallyportError(failure.error, failure.message, { detail: failure.detail });
    const { code, fault, detail } = error;
    const { target } = this.exchange.request;
    if (this.#complete || this.exchange.closed)
      this.#transport?.log.error(`after the response: ${error.message}`, { code, fault, target, detail });
    this.fail(error);
    if (leaving) this.#transport?.leaving(this);
    this.#done();
  }

  /** The application has returned. */
  #finish(): void {
    if (this.#relay) this.#relay.end();
    else if (!this.#ended) this.#failUnfinished();
    this.#done();
  }

  /** An application that was asked to come to an end may leave its event stream between two events. */
  #failUnfinished(): void {
    const isLeft = this.#leaving !== undefined && this.#isEventStream;
    if (isLeft) this.exchange.leave();
    if (this.exchange.closed) return;
    if (isLeft)
      this.fail(new SallyportError("STOPPING", "an event stream was left in the middle of an event"));
    else this.fail(new SallyportError("APP_RAISED", "the application gave up on the request"));
  }

  /** The exchange is over, and the worker may not know. For a WebSocket the relay tells it. */
  readonly #closed = ({ error }: Outcome): void => {
    this.#relay?.concluded();
    if (!this.#transport || this.#ended || this.#relay) return;
    if (this.exchange.started) this.#restart(); // a stream has no deadline, but what follows it has
    this.#ended = true;
    this.#upload?.stop();
    this.#cancel(error);
  };

  #cancel(reason: SallyportError | undefined): void {
    this.#send(TO_WORKER.CANCEL, reason && Buffer.from(reason.message));
  }

  /** The application may still send a last event; then the stream ends, whether the application has reacted or not. */
  #endEvents(): void {
    if (!this.#ended) this.#send(TO_WORKER.LEAVE);
    setTimeout(() => this.#complete || this.exchange.leave(), EVENT_STREAM_GRACE).unref();
  }

  #send(kind: number, payload?: Uint8Array): void {
    this.#transport?.writer.frame(kind, this.id, payload);
    this.#transport?.writer.flush();
  }

  #done(): void {
    const transport = this.#transport;
    this.#transport = undefined;
    this.#upload?.stop();
    this.#relay?.release();
    if (this.#onRelease) this.#release();
    transport?.done(this);
  }

  #release(): void {
    if (this.#transport || !this.exchange.closed) return;
    this.#onRelease?.();
    this.#onRelease = undefined;
  }
}

/** The head at the bytes of a payload from `from` up to before `to`: one byte of flags, then lines as in HTTP/1.1. */
function decodeResponseHead(payload: Payload, from: number, to: number): HeadLines {
  const text = payload.text(from, to);
  return new HeadLines(text.slice(1), text.charCodeAt(0));
}

/** A malformed frame: of an unknown kind, or shorter than its kind requires. */
const BROKEN = new Set(["ERR_SALLYPORT_LINK_BROKEN", "ERR_BUFFER_OUT_OF_BOUNDS", "ERR_OUT_OF_RANGE"]);
const isBroken = (error: unknown): boolean => BROKEN.has((error as NodeJS.ErrnoException).code ?? "");

function parseFailure(payload: Buffer): Failure {
  try {
    return JSON.parse(payload.toString("utf8")) as Failure;
  } catch (cause) {
    throw new SallyportError("LINK_BROKEN", "a worker sent a failure that cannot be read", { cause });
  }
}
