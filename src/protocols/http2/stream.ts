// One stream: a request in, its response out, and an end for every way in which either side can stop (RFC 9113, 5.1).
// Tested by test/protocols/http2/endings.test.ts.
import { constants, type ServerHttp2Stream } from "node:http2";
import {
  errorHead,
  errorText,
  type Headers,
  NO_BODY,
  type RequestBody,
  SallyportError,
  WholeBody,
} from "../../exchange/index.ts";
import type { Member } from "../../exchange/members.ts";
import { logRefusal } from "../../http/refusals.ts";
import { NOT_IN_TRAILERS } from "../../http/trailers.ts";
import { forgetWhenClosed } from "../../sockets/closed.ts";
import { graceOver } from "../../sockets/connections.ts";
import type { StallWatching } from "../../sockets/send-watch.ts";
import { readOpening, type UpgradedStream, VERSION } from "../../websocket/index.ts";
import type { Http2Connection } from "./connection.ts";
import { Http2Exchange } from "./exchange.ts";
import { MessageWatch } from "./message-watch.ts";
import { type Http2Request, readRequest, readTrailers } from "./request.ts";
import { responseFields } from "./response.ts";
import { Http2ResponseWriter } from "./response-writer.ts";
import { Http2Upload } from "./upload.ts";

/** A body that is here with its head, and no longer than this, is given out whole. */
const SMALL_BODY = 65_536;

const isSmall = ({ length, expectsContinue }: Http2Request): boolean =>
  length !== undefined && length <= SMALL_BODY && !expectsContinue;

export class Http2Stream implements Member {
  place = -1;
  readonly writer: Http2ResponseWriter;
  readonly #stream: ServerHttp2Stream;
  readonly #connection: Http2Connection;
  #exchange: Http2Exchange | undefined;
  #upload: Http2Upload | undefined;
  /** The stream belongs to a WebSocket session, which sees by itself how it ends. */
  #hijacked = false;
  /** Of that session; made when a message has to wait for the first time. */
  #messages: MessageWatch | undefined;
  /** The client has its whole response, which is a head alone, and the stream is closed; the application is not done yet. */
  #outlived = false;
  /** When the client must have ended its side, once it was answered. */
  #drainDeadline = Number.POSITIVE_INFINITY;

  constructor(stream: ServerHttp2Stream, connection: Http2Connection) {
    this.#stream = stream;
    this.#connection = connection;
    this.writer = new Http2ResponseWriter(
      stream,
      connection.context,
      () => this.#exchange?.drained(),
      (cause) => this.#refused(cause),
    );
    forgetWhenClosed(stream);
    // Which error it was does not matter: "close" always follows.
    stream.on("error", () => {});
    stream.on("aborted", () => this.#lost());
    stream.on("close", () => {
      if (this.#exchange && this.#outlives()) return;
      this.#lost();
      this.#upload?.drop();
      if (stream.rstCode !== constants.NGHTTP2_NO_ERROR) connection.rstStream();
      connection.gone(this);
    });
  }

  // The connection's calls.

  /** `fields` are names and values in turn, as they came. */
  open(fields: readonly string[]): void {
    try {
      const { context, facts } = this.#connection;
      const request = readRequest(fields, facts, context.limits);
      this.writer.takesTrailers = request.takesTrailers;
      if (request.opensWebSocket) this.#handle(this.#opening(request));
      else if (this.#stream.endAfterHeaders || request.length === 0) this.#bodyless(request);
      else if (isSmall(request)) this.#beginSoon(request);
      else this.#handle(this.#exchangeOf(request, this.#pushedBody(request)));
    } catch (error) {
      this.#refuse(SallyportError.from(error));
    }
  }

  /** Ends what has lasted too long. */
  check(now: number): void {
    if (this.writer.deadline <= now) this.#overdue(now);
    else if (this.#drainDeadline <= now) this.stopReading();
    else if (this.#upload && this.#upload.deadline <= now) this.#upload.expire();
  }

  /** The client has taken something, and no other stream was open. */
  taken(): void {
    this.writer.taken();
    this.#messages?.taken();
  }

  endEvents(): void {
    this.#exchange?.leave();
  }

  /** The grace is over. */
  forceClose(): void {
    this.#exchange?.fail(graceOver());
  }

  /** The client has left, with the whole response of an application that is not done. */
  connectionClosed(): void {
    if (this.#outlived) this.#leaveOutlived();
  }

  // What the exchange and its body ask for.

  answered(): void {
    const exchange = this.#exchange;
    this.#exchange = undefined;
    if (this.#outlived) return this.#connection.gone(this);
    if (this.#stream.endAfterHeaders || this.#stream.readableEnded) return;
    if (this.#upload) this.#upload.answered();
    else if (exchange?.handshake) this.stopReading();
    else this.#drainDeadline = this.#connection.now + this.#connection.context.limits.drainTimeout;
  }

  cut(): void {
    this.#exchange = undefined;
    if (this.#outlived) return this.#connection.gone(this);
    this.#upload?.fail(new SallyportError("BODY_INCOMPLETE", "the exchange was over before its body"));
    this.writer.reset();
  }

  hijack(fields: Headers): UpgradedStream {
    this.#hijacked = true;
    this.writer.headWithoutTrailers(responseFields({ status: 200, reason: "", headers: fields }, -1));
    const watch = (timeout: number): StallWatching => {
      this.#messages = new MessageWatch(this.#stream, this.#connection.flow, timeout);
      return this.#messages;
    };
    return { duplex: this.#stream, early: Buffer.alloc(0), watch };
  }

  /** The body will never be complete, and that is the client's fault. */
  bodyFailed(error: SallyportError): void {
    const exchange = this.#exchange;
    if (exchange && !exchange.started) exchange.fail(error);
  }

  /** After a response that is complete before its request, RST_STREAM with NO_ERROR tells the client to stop (RFC 9113, 8.1). */
  stopReading(): void {
    this.#drainDeadline = Number.POSITIVE_INFINITY;
    // In a later turn: node:http2 sends a head in an immediate of its own, and from version 26 on RST_STREAM would overtake it.
    this.writer.whenDone(() => setImmediate(() => this.#close()));
  }

  #close(): void {
    // The end of the response may still wait for the client's window: again at the next look at deadlines.
    if (!this.writer.hasLeft) this.#drainDeadline = this.#connection.now;
    else this.#closeNow();
  }

  /** node:http2 says "close" only after the end of what it has read: until then the stream would count as open. */
  #closeNow(): void {
    this.#stream.close(constants.NGHTTP2_NO_ERROR);
    this.#stream.resume();
  }

  /** node:http2 emits "stream" before it reads the frames that came in the same bytes. */
  #beginSoon(request: Http2Request): void {
    let trailers: Headers | undefined;
    this.#stream.once("trailers", (_, _flags, fields: readonly string[] = []) => {
      trailers = readTrailers(fields, NOT_IN_TRAILERS);
    });
    setImmediate(() => this.#begin(request, trailers));
  }

  #begin(request: Http2Request, trailers: Headers | undefined): void {
    const stream = this.#stream;
    if (stream.closed || stream.destroyed) return this.#connection.cancelled();
    // Trailers may follow the last byte: the body is whole once the client has ended its side.
    const whole = stream.readableLength === request.length && stream.state.remoteClose === 1;
    this.#handle(this.#exchangeOf(request, whole ? this.#wholeBody(trailers) : this.#pushedBody(request)));
  }

  #exchangeOf({ head }: Http2Request, body: RequestBody): Http2Exchange {
    return new Http2Exchange(head, body, this.#connection.context.log, this);
  }

  /** Nothing is read from the stream before it is a WebSocket. */
  #opening({ head }: Http2Request): Http2Exchange {
    const { log, webSockets } = this.#connection.context;
    const opening = readOpening(head.headers, webSockets, false);
    const exchange = new Http2Exchange(head, NO_BODY, log, this);
    exchange.offer(opening, webSockets);
    return exchange;
  }

  #handle(exchange: Http2Exchange): void {
    this.#exchange = exchange;
    try {
      this.#connection.context.handler(exchange);
    } catch (error) {
      exchange.fail(SallyportError.from(error));
    }
  }

  #bodyless(request: Http2Request): void {
    if (!this.#stream.endAfterHeaders) this.#stream.resume();
    this.#handle(this.#exchangeOf(request, NO_BODY));
  }

  /** A body that came with its head. */
  #wholeBody(trailers: Headers | undefined): RequestBody {
    const whole = this.#stream.read() as Buffer;
    this.#stream.resume();
    return new WholeBody(whole, trailers);
  }

  /** Any other is pushed as it comes. */
  #pushedBody(request: Http2Request): RequestBody {
    this.#upload = new Http2Upload(this.#stream, this.#connection.context, this, request);
    return this.#upload.body;
  }

  /** An answer to what never became an exchange. */
  #refuse(error: SallyportError): void {
    this.#note(error);
    const text = Buffer.from(errorText(error));
    const fields = responseFields(errorHead(error), text.length);
    // RFC 6455, 4.4. There is no Upgrade in HTTP/2.
    if (error.status === 426) fields["sec-websocket-version"] = VERSION;
    // To HEAD, node:http2 has already ended the response's body.
    if (this.#stream.writableEnded) this.writer.headOnly(fields);
    else this.writer.whole(fields, text);
    if (!this.#stream.endAfterHeaders) this.#stream.resume();
    this.answered();
  }

  /** Nothing of this stream has left for `sendTimeout`, as far as node:http2 tells. */
  #overdue(now: number): void {
    const connection = this.#connection;
    if (this.writer.hasLeft) this.writer.allSent();
    else if (!connection.flow.moves(now) || !this.writer.extend(connection.servedFirst)) this.#stalled();
  }

  #stalled(): void {
    const error = new SallyportError("CLIENT_STALLED", "the client stopped reading the response");
    this.#note(error);
    this.#abandon(error);
    this.writer.reset();
  }

  /** node:http2 does not send a part of the response, although its fields were checked: an error of ours, of this stream alone. */
  #refused(cause: unknown): void {
    const why = `a response could not be sent over HTTP/2: ${(cause as Error).message}`;
    const error = new SallyportError("INTERNAL", why, { cause });
    const { code, fault, message } = error;
    this.#connection.context.log.error(message, {
      code,
      fault,
      remote: this.#connection.facts.remote.address,
    });
    this.#abandon(error);
    this.writer.reset();
  }

  /**
   * Whether the exchange goes on after its stream. node:http2 ends the response to HEAD, and one with 204, 205 or 304, with its
   * head: a client that has all of it has not cancelled anything, and the application works on as over HTTP/1.1.
   */
  #outlives(): boolean {
    const { rstCode, endAfterHeaders, readableEnded } = this.#stream;
    const complete = this.writer.endedWithHead && (endAfterHeaders || readableEnded);
    if (!complete || rstCode !== constants.NGHTTP2_NO_ERROR) return false;
    this.#outlived = true;
    if (!this.#connection.hasRoom) this.#leaveOutlived();
    return true;
  }

  #leaveOutlived(): void {
    this.#abandon(
      new SallyportError("CLIENT_LEFT", "the client has its response, and does not wait for the application"),
    );
    this.#connection.gone(this);
  }

  #lost(): void {
    if (!this.#exchange || this.#hijacked) return;
    this.#abandon(new SallyportError("CLIENT_LEFT", "the client cancelled the request"));
    this.#connection.cancelled();
  }

  /** Ends the exchange without an answer: there is no client to take one. */
  #abandon(error: SallyportError): void {
    const exchange = this.#exchange;
    this.#exchange = undefined;
    this.#upload?.fail(error);
    exchange?.lost(error);
  }

  #note(error: SallyportError): void {
    const { context, facts } = this.#connection;
    logRefusal(context.log, error, facts.remote.address);
  }
}
