// The way into one connection: requests out of bytes, one after another (RFC 9112, 9.3), and the body of each to whoever
// reads it.
import type { Socket } from "node:net";
import { NO_BODY, type RequestBody, SallyportError, WholeBody } from "../../exchange/index.ts";
import type { HttpLimits } from "../../http/limits.ts";
import { CHUNKED } from "../../http/request-fields.ts";
import { type EndEvent, RequestParser } from "./codec.ts";
import type { HeadEvent } from "./head.ts";
import type { ConnectionPhase } from "./phase.ts";
import type { Move } from "./states.ts";
import { concatenated, RequestUpload, type UploadCallbacks } from "./upload.ts";

/** The connection, as its way in sees it. */
export interface Taker extends UploadCallbacks {
  /** A request is here, and of its body what came with it. */
  open(head: HeadEvent, body: RequestBody): void;
  move(move: Move): void;
  /** What the client sends is no request, or not the rest of one. */
  broken(error: SallyportError): void;
}

export class RequestReader {
  /** What follows can no longer be told apart from the request: nothing more is read. */
  spoiled = false;
  /** The client has ended its side. */
  ended = false;
  readonly #socket: Socket;
  readonly #phase: ConnectionPhase;
  readonly #limits: HttpLimits;
  readonly #callbacks: Taker;
  readonly #parser: RequestParser;
  readonly #continue = (): void => this.pump();
  #upload: RequestUpload | undefined;
  #clientPersists = false;
  #pumping = false;
  /** Bytes read for nothing. */
  #drained = 0;

  constructor(socket: Socket, phase: ConnectionPhase, limits: HttpLimits, taker: Taker) {
    this.#socket = socket;
    this.#phase = phase;
    this.#limits = limits;
    this.#callbacks = taker;
    this.#parser = new RequestParser(limits);
  }

  /** Bytes that wait for the response to the request before them. */
  get waiting(): number {
    return this.#parser.buffered;
  }

  /** Whether the next request can be reached, once this one was answered. */
  get leadsOn(): boolean {
    if (!this.#clientPersists || this.spoiled || this.#upload?.expecting) return false;
    // Nobody knows how much of a chunked body is to come, and a connection that was promised must not close.
    return (this.#parser.owed ?? Number.POSITIVE_INFINITY) <= this.#limits.drain;
  }

  /** Whether more is here than anybody takes. */
  get full(): boolean {
    if (this.spoiled) return false;
    const { state } = this.#phase;
    if (state === "body") return this.#upload?.paused === true;
    const waits = state === "held" || this.#socket.writableNeedDrain;
    return waits && this.#parser.buffered > this.#limits.pipelined;
  }

  // The connection's calls.

  /** `chunk` may be written over afterwards. */
  received(chunk: Buffer): void {
    if (this.spoiled) return;
    this.#parser.feed(chunk);
    if (this.#phase.state === "held") this.#callbacks.flow();
    else this.pump();
    this.#parser.settle();
  }

  finished(): void {
    this.ended = true;
    const { step, ended } = this.#phase.rule;
    if (step === "nothing" || this.spoiled) this.#callbacks.move(ended);
    else this.pump();
  }

  /** Does what can be done with the bytes at hand. */
  pump(): void {
    if (this.#pumping) return;
    this.#pumping = true;
    try {
      while (this.#step());
    } catch (error) {
      this.#callbacks.broken(SallyportError.from(error));
    }
    this.#pumping = false;
    this.#callbacks.flow();
  }

  /** Goes on, but not at once: the exchange that was answered first tells everybody that it is over. */
  pumpLater(): void {
    if (!this.#pumping && (this.ended || this.#parser.buffered > 0)) queueMicrotask(this.#continue);
  }

  /** The request was answered and is all read. */
  next(): void {
    this.#parser.restart();
    this.#drained = 0;
    this.#phase.enter("idle");
  }

  /** While a body is due its deadline moves with every byte; a client that we keep waiting has none. */
  awaitBody(): void {
    if (this.#phase.state === "body") this.#phase.renew(this.#upload?.keepsWaiting === true);
  }

  /** The rest of the body will not come. */
  fail(error: SallyportError): void {
    this.#upload?.fail(error);
    this.#upload = undefined;
  }

  /** Nobody needs the rest of the body; whoever still reads it is not told that it was complete. */
  drop(): void {
    this.#upload?.drop();
    this.#upload = undefined;
  }

  /** What has come and was not read is for whoever has the connection now. */
  takeRest(): Buffer {
    return this.#parser.takeRest();
  }

  // One step at a time; each says whether another may follow.

  #step(): boolean {
    switch (this.spoiled ? "nothing" : this.#phase.rule.step) {
      case "request":
        return this.#readRequest();
      case "body":
        return this.#readBody();
      case "rest":
        return this.#readRest();
      case "nothing":
        return false;
    }
  }

  #readRequest(): boolean {
    // Answers pile up where a client sends requests and reads nothing.
    if (this.#socket.writableNeedDrain) return false;
    const event = this.#parser.next();
    if (event?.type === "head") return this.#open(event);
    if (this.#phase.state !== "head" && this.#parser.buffered > 0) this.#phase.enter("head");
    return this.#starved();
  }

  #open(head: HeadEvent): true {
    this.#clientPersists = head.persistent;
    this.#callbacks.open(head, head.length === 0 ? this.#noBody() : this.#someBody(head));
    return true;
  }

  #readBody(): boolean {
    const event = this.#parser.next();
    if (event === undefined) return this.#starved();
    if (event.type === "data") this.#upload?.take(event.data);
    else if (event.type === "end") this.#bodyComplete(event);
    return true;
  }

  #bodyComplete({ trailers }: EndEvent): void {
    const upload = this.#upload;
    this.#upload = undefined;
    this.#phase.enter("held");
    upload?.end(trailers);
    if (this.ended) this.#callbacks.move("probe");
  }

  #readRest(): boolean {
    const event = this.#parser.next();
    if (event === undefined) return this.#starved();
    if (event.type === "end") this.next();
    else if (event.type === "data") this.#drained += event.data.length;
    if (this.#drained <= this.#limits.drain) return true;
    this.#callbacks.move("shut");
    return false;
  }

  /** All bytes are used up. */
  #starved(): false {
    this.#upload?.flush();
    this.awaitBody();
    if (this.ended) this.#callbacks.move(this.#phase.rule.ended);
    return false;
  }

  #noBody(): RequestBody {
    this.#parser.next();
    this.#phase.enter("held");
    return NO_BODY;
  }

  /** A body that came with its head is whole; any other is pushed as it comes. */
  #someBody(head: HeadEvent): RequestBody {
    const pieces: Buffer[] = [];
    let event = this.#parser.next();
    for (; event?.type === "data"; event = this.#parser.next()) pieces.push(event.data);
    if (event?.type === "end") {
      this.#phase.enter("held");
      return new WholeBody(concatenated(pieces), event.trailers);
    }
    const expecting = head.expectsContinue && pieces.length === 0;
    const upload = new RequestUpload(
      head.length === CHUNKED ? undefined : head.length,
      expecting,
      this.#callbacks,
    );
    this.#upload = upload;
    this.#phase.enter("body");
    for (const piece of pieces) upload.take(piece);
    upload.flush();
    return upload.body;
  }
}
