// Reads the requests of one connection, one after another (RFC 9112, 9.3), and pushes the body of each to its exchange.
// Tested by test/protocols/http1/requests.test.ts.
import type { Socket } from "node:net";
import { NO_BODY, type RequestBody, SallyportError, WholeBody } from "../../exchange/index.ts";
import type { HttpLimits } from "../../http/limits.ts";
import { CHUNKED } from "../../http/request-fields.ts";
import { type EndEvent, RequestParser } from "./codec.ts";
import type { HttpConnection } from "./connection.ts";
import type { HeadEvent } from "./head.ts";
import type { HttpLifecycle } from "./states.ts";
import { concatenated, RequestUpload } from "./upload.ts";

export class RequestReader {
  /** The client has ended its side. */
  ended = false;
  readonly #socket: Socket;
  readonly #life: HttpLifecycle;
  readonly #limits: HttpLimits;
  readonly #connection: HttpConnection;
  readonly #parser: RequestParser;
  readonly #continue = (): void => this.pump();
  #upload: RequestUpload | undefined;
  #clientPersists = false;
  #pumping = false;
  /** Bytes read for nothing. */
  #drained = 0;

  constructor(socket: Socket, life: HttpLifecycle, limits: HttpLimits, connection: HttpConnection) {
    this.#socket = socket;
    this.#life = life;
    this.#limits = limits;
    this.#connection = connection;
    this.#parser = new RequestParser(limits);
  }

  /** Bytes that wait for the response to the request before them. */
  get waiting(): number {
    return this.#parser.buffered;
  }

  /** Whether what cannot be read is a HEAD request, as far as it came. */
  get asksHead(): boolean {
    return this.#parser.asksHead;
  }

  /** Whether the next request can be reached, once this one was answered. */
  get leadsOn(): boolean {
    const { state, rule } = this.#life;
    if (!this.#clientPersists || rule.step === "discard" || this.#upload?.expecting) return false;
    if (state === "whole") return true;
    // How much of a chunked body is to come is unknown, and a connection that was promised must not close.
    return (this.#parser.owed ?? Number.POSITIVE_INFINITY) <= this.#limits.drain;
  }

  /** Whether more is here than can be used now. */
  get full(): boolean {
    const { state, rule } = this.#life;
    if (rule.step === "discard") return false;
    if (state === "body") return this.#upload?.paused === true;
    const waits = state === "whole" || this.#socket.writableNeedDrain;
    return waits && this.#parser.buffered > this.#limits.pipelined;
  }

  // The connection's calls.

  /** `chunk` may be written over afterwards. */
  readonly received = (chunk: Buffer): void => {
    const { rule } = this.#life;
    if (rule.step === "discard" && !this.#upload) return;
    this.#parser.feed(chunk);
    if (rule.step === "wait") this.#connection.flow();
    else this.pump();
    this.#parser.settle();
  };

  finished(): void {
    this.ended = true;
    const { step } = this.#life.rule;
    if (step === "wait" || step === "discard") this.#life.ended();
    else this.pump();
  }

  /** Does what can be done with the bytes at hand. */
  pump(): void {
    if (this.#pumping) return;
    this.#pumping = true;
    try {
      while (this.#step());
    } catch (error) {
      this.#connection.broken(SallyportError.from(error));
    }
    this.#pumping = false;
    this.#connection.flow();
  }

  /** Goes on, but not at once: the exchange that was answered first says that it is over. */
  pumpLater(): void {
    if (!this.#pumping && (this.ended || this.#parser.buffered > 0)) queueMicrotask(this.#continue);
  }

  /** The request was answered and is all read. */
  next(): void {
    this.#parser.restart();
    this.#drained = 0;
    this.#life.enter("idle");
  }

  /** While a body is due its deadline moves with every byte; a client that we keep waiting has none. */
  awaitBody(): void {
    if (this.#life.state !== "body") return;
    if (this.#upload?.keepsWaiting) this.#life.suspend();
    else this.#life.renew();
  }

  /** The rest of the body will not come. */
  fail(error: SallyportError): void {
    this.#upload?.fail(error);
    this.#upload = undefined;
  }

  /** The response is over: the rest of the body is lost, unless a reader keeps it. */
  answered(): void {
    if (!this.#upload?.kept) this.drop();
  }

  /** No more is read of the body; to a late reader it must not look complete. */
  drop(): void {
    this.#upload?.drop();
    this.#upload = undefined;
  }

  /** The bytes behind the request, for the protocol that has the connection now. */
  takeRest(): Buffer {
    return this.#parser.takeRest();
  }

  // One step at a time; each says whether another may follow.

  #step(): boolean {
    switch (this.#life.rule.step) {
      case "request":
        return this.#readRequest();
      case "body":
        return this.#readBody();
      case "rest":
        return this.#readRest();
      case "discard":
        return this.#upload !== undefined && this.#readRest();
      default:
        return false;
    }
  }

  #readRequest(): boolean {
    // Responses pile up where a client sends requests and reads nothing.
    if (this.#socket.writableNeedDrain) return false;
    const event = this.#parser.next();
    if (event?.type === "head") return this.#open(event);
    if (this.#life.state !== "head" && this.#parser.buffered > 0) this.#connection.headBegun();
    return this.#starved();
  }

  #open(head: HeadEvent): boolean {
    this.#clientPersists = head.persistent;
    if (head.length === 0) this.#life.enter("whole");
    this.#connection.open(head, head.length === 0 ? NO_BODY : this.#someBody(head));
    return this.#life.state !== "whole";
  }

  #readBody(): boolean {
    const event = this.#parser.next();
    if (event === undefined) return this.#starved();
    if (event.type === "data") this.#upload?.take(event.data);
    else if (event.type === "end") this.#bodyComplete(event);
    return true;
  }

  #bodyComplete(event: EndEvent): void {
    this.#life.enter("whole");
    this.#endUpload(event);
    if (this.ended) this.#life.ended();
  }

  #endUpload({ trailers }: EndEvent): void {
    const upload = this.#upload;
    this.#upload = undefined;
    upload?.end(trailers);
  }

  /** What comes after the response is read for nothing, or for a late reader. */
  #readRest(): boolean {
    const event = this.#parser.next();
    if (event === undefined) return this.#starved();
    if (event.type === "end") return this.#restComplete(event);
    if (event.type === "data") {
      this.#drained += event.data.length;
      this.#upload?.take(event.data);
    }
    if (this.#drained <= this.#limits.drain) return true;
    this.drop();
    this.#connection.shut();
    return false;
  }

  #restComplete(event: EndEvent): boolean {
    this.#endUpload(event);
    if (this.#life.state !== "drain") return false;
    this.next();
    return true;
  }

  /** All bytes are used up. */
  #starved(): false {
    this.#upload?.flush();
    this.awaitBody();
    if (this.ended) this.#life.ended();
    return false;
  }

  /** A body that came with its head is whole; any other is pushed as it comes. */
  #someBody(head: HeadEvent): RequestBody {
    const pieces: Buffer[] = [];
    let event = this.#parser.next();
    for (; event?.type === "data"; event = this.#parser.next()) pieces.push(event.data);
    if (event?.type === "end") {
      this.#life.enter("whole");
      return new WholeBody(concatenated(pieces), event.trailers);
    }
    const expecting = head.expectsContinue && pieces.length === 0;
    const upload = new RequestUpload(
      head.length === CHUNKED ? undefined : head.length,
      expecting,
      this.#connection,
    );
    this.#upload = upload;
    this.#life.enter("body");
    for (const piece of pieces) upload.take(piece);
    upload.flush();
    return upload.body;
  }
}
