// One request on one connection, from the web server's side: BEGIN_REQUEST, PARAMS and STDIN out; STDOUT, STDERR and
// END_REQUEST in (specification, 5 and 6).
import { bodyLength } from "../../../cgi/body-length.ts";
import { type CgiResponse, type Document, ResponseReader } from "../../../cgi/response-reader.ts";
import { type ResponseHead, SallyportError } from "../../../exchange/index.ts";
import { ResponseBuffer } from "../../../exchange/response-buffer.ts";
import { beginText, type End, TYPE, wholeStreamText } from "../codec.ts";
import { RequestStderr } from "../stderr.ts";
import type { ApplicationConnection } from "./connection.ts";
import type { AuthorizerCheck, OutgoingRequest, RequestSettings } from "./request.ts";
import { Upload } from "./upload.ts";

/** Bytes of a body that leave in the same write as the parameters. */
const SMALL = 65_528;
/** Bytes of response that the buffer has not taken yet: beyond this the application must wait. */
const HELD = 65_536;
/** The same where it cannot be made to wait for the client, because others share its connection. */
const HELD_SHARED = 1_048_576;
/** Milliseconds after which an application whose client has left counts as one that hangs, where `timeout` is no limit. */
const UNLIMITED = 600_000;
const NOTHING = Buffer.alloc(0);

export class Attempt {
  readonly request: OutgoingRequest;
  /** The application may have seen all of the parameters. */
  sent = false;
  /** The application has sent something for this request. */
  heard = false;
  /** All of the request has left, so that the connection may be used again. */
  uploaded = false;
  readonly #id: number;
  /** Until the request has ended there. */
  #connection: ApplicationConnection | undefined;
  /** The connection had served others before. */
  readonly #onKept: boolean;
  #stderr: RequestStderr | undefined;
  #reader: ResponseReader | undefined = new ResponseReader();
  #head: ResponseHead | undefined;
  /** Bytes of response body still to come; infinite when only the end of the request tells. */
  #owed = Number.POSITIVE_INFINITY;
  /** Pieces of the response body that came in this turn of the event loop. */
  #pieces: Uint8Array[] = [];
  #buffer: ResponseBuffer | undefined;
  /** Bytes that the buffer has not taken. */
  #held = 0;
  #stdoutEnded = false;
  #timer: NodeJS.Timeout | undefined;
  #waitsForClient = false;
  /** The application has had the time that it may take. */
  #isLate = false;

  constructor(request: OutgoingRequest, connection: ApplicationConnection, id: number) {
    this.request = request;
    this.#connection = connection;
    this.#id = id;
    this.#onKept = connection.used;
  }

  /**
   * Whether the request may be sent again now that the connection broke: when nothing was sent; or when the request
   * changes nothing, and a connection that was kept ended before any answer. PHP-FPM ends its processes so, and swallows
   * what it is sent meanwhile (RFC 9110, 9.2.2). A POST that the kernel took is not sent again: it may have been executed.
   */
  get mayRepeat(): boolean {
    const { over, options, expendable } = this.request;
    if (over || !options.repeatable) return false;
    return !this.sent || (expendable && this.#onKept && !this.heard);
  }

  begin(connection: ApplicationConnection): void {
    const { request } = this;
    request.beginAttempt(this);
    request.exchange.trace?.handedOver();
    const { timeout } = request.settings;
    if (timeout > 0) this.#timer = setTimeout(() => this.#late(), timeout);
    const { params, role, body, file } = request.options;
    const id = this.#id;
    let text = beginText(id, role, connection.keep) + wholeStreamText(TYPE.PARAMS, id, params);
    const whole = body instanceof Uint8Array && body.length <= SMALL && file === undefined;
    if (whole && role !== "authorizer") text += wholeStreamText(TYPE.STDIN, id, latin1(body));
    const room = connection.send(text);
    this.sent = !connection.refusing;
    this.uploaded = whole || role === "authorizer";
    if (!this.uploaded) this.#upload(connection, room);
  }

  #upload(connection: ApplicationConnection, room: boolean): void {
    const isStopped = (): boolean => this.request.over || this.#connection === undefined;
    const waitsForClient = (waits: boolean): void => this.#watchUpload(waits);
    const upload = new Upload(connection, this.#id, room, { isStopped, waitsForClient });
    if (!this.#timer) this.#watchStall();
    upload.run(this.request.options).then(
      () => {
        this.uploaded = !isStopped();
      },
      (error: unknown) => this.fail(SallyportError.from(error)),
    );
  }

  /** The application's time begins again with each piece of body. A timer that was cleared is not started by this. */
  #watchUpload(waitsForClient: boolean): void {
    this.#waitsForClient = waitsForClient;
    if (!waitsForClient) this.#timer?.refresh();
  }

  // From the application.

  stdout(content: Buffer): void {
    if (this.request.over) return;
    this.request.exchange.trace?.answered(content);
    if (content.length === 0) this.#stdoutEnded = true;
    else if (this.#reader) this.#readHead(this.#reader, content);
    else this.#addPiece(content);
  }

  #addPiece(piece: Uint8Array): void {
    this.#owed -= piece.length;
    this.#pieces.push(piece);
  }

  stderr(content: Buffer): void {
    const { settings, exchange } = this.request;
    this.#stderr ??= new RequestStderr(settings.log, exchange.request.target);
    this.#stderr.push(content);
  }

  /** All records at hand have been read. */
  flush(): void {
    const { over, exchange } = this.request;
    if (over || !this.#head) return;
    if (this.#owed <= 0) return this.#complete(this.#head);
    if (!exchange.started) exchange.start(this.#head);
    this.#buffer ??= this.#newBuffer();
    const pieces = this.#pieces;
    if (pieces.length > 0 || !this.#timer) this.#watchStall();
    this.#pieces = [];
    for (const piece of pieces) if (!this.request.over) this.#push(this.#buffer, piece);
  }

  /** END_REQUEST with REQUEST_COMPLETE. */
  end({ appStatus }: End): void {
    this.#stderr?.end();
    clearTimeout(this.#timer);
    // From here on a slow client must not stop this connection.
    this.#connection?.hold(this.#id, false);
    this.#connection = undefined;
    if (appStatus !== 0) this.#logStatus(appStatus);
    if (this.request.over) return;
    if (!this.#head) return this.fail(this.#reader?.end() ?? broken("the application sent no response"));
    // Our own listener cuts a response on a shared connection so; other applications end STDOUT, or exit with 0.
    if (appStatus !== 0 && !this.#stdoutEnded) return this.fail(broken("the application cut its response"));
    this.#finish(this.#head);
  }

  // The response.

  #readHead(reader: ResponseReader, content: Buffer): void {
    try {
      const response = reader.feed(content);
      if (response) this.#answer(response);
    } catch (error) {
      this.fail(SallyportError.from(error));
    }
  }

  #answer(response: CgiResponse): void {
    const { exchange, settings, authorize } = this.request;
    this.#reader = undefined;
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (response.kind === "localRedirect" && settings.redirect) {
      this.#answered();
      return this.#redirect(settings.redirect, response.location);
    }
    const { head, rest } = response.kind === "document" ? response : redirectTo(response.location);
    if (authorize && this.#isAllowed(authorize, head)) return this.#answered();
    this.#head = head;
    this.#owed = bodyLength(exchange.request.method, head);
    if (rest.length > 0) this.#addPiece(rest);
  }

  /** An exchange that is allowed may be answered at once, which is no reason to abort the request that allowed it. */
  #isAllowed(authorize: AuthorizerCheck, head: ResponseHead): boolean {
    let allowed = false;
    this.request.over = true;
    try {
      allowed = authorize(head);
    } finally {
      this.request.over = allowed;
    }
    return allowed;
  }

  #redirect(redirect: NonNullable<RequestSettings["redirect"]>, location: string): void {
    const { exchange } = this.request;
    try {
      redirect(exchange, location);
    } catch (error) {
      exchange.fail(SallyportError.from(error));
    }
  }

  /** The response is whole before the request has ended there. */
  #complete(head: ResponseHead): void {
    this.#finish(head);
    this.#answered();
  }

  #finish(head: ResponseHead): void {
    this.#close();
    const { exchange } = this.request;
    const pieces = this.#pieces;
    if (!exchange.started)
      return exchange.respond(head, pieces.length === 1 ? (pieces[0] as Uint8Array) : Buffer.concat(pieces));
    const buffer = this.#buffer;
    if (!buffer) return exchange.end();
    for (const piece of pieces) buffer.push(piece);
    buffer.end();
  }

  #newBuffer(): ResponseBuffer {
    const { exchange, settings } = this.request;
    const accepted = (bytes: number): void => this.#accepted(bytes);
    return new ResponseBuffer(exchange, accepted, settings.buffer, () => this.#full());
  }

  /** The disk is slower than some applications: they wait for it, and others on the connection with them. */
  #push(buffer: ResponseBuffer, piece: Uint8Array): void {
    this.#held += piece.length;
    buffer.push(piece);
    if (this.#held > HELD && !buffer.isFull) this.#connection?.hold(this.#id, true);
  }

  /** Others on the connection do not wait for the client, which may take for ever. */
  #full(): void {
    const connection = this.#connection;
    if (!connection || this.#held <= HELD) return;
    connection.hold(this.#id, !connection.shared);
    if (connection.shared && this.#held > HELD_SHARED)
      this.fail(new SallyportError("CLIENT_STALLED", "the client reads too slowly for a shared connection"));
  }

  #accepted(bytes: number): void {
    this.#held -= bytes;
    if (this.#held === 0 && !this.request.over) this.#timer?.refresh();
    if (this.#held <= HELD / 2) this.#connection?.hold(this.#id, false);
  }

  // The end.

  /** The connection broke, or the response is invalid. */
  fail(error: SallyportError): void {
    const { over, exchange } = this.request;
    this.#stderr?.end();
    if (over) return this.cancel();
    if (exchange.started) this.flush();
    // What came last may have completed the response.
    if (this.request.over) return;
    this.#close();
    exchange.fail(error);
    this.#abortThere();
  }

  /** The response is not needed any more. */
  abort(): void {
    this.#close();
    this.#abortThere();
  }

  /** It ended there without a word, and the request may be sent again; or it is over. */
  cancel(): void {
    this.#stderr?.end();
    clearTimeout(this.#timer);
    this.#connection?.hold(this.#id, false);
    this.#connection = undefined;
  }

  /** No more of a response is waited for: the application has `timeout` to end the request, if it was given all of it. */
  #answered(): void {
    this.#close();
    if (!this.uploaded) return this.#abortThere();
    const { timeout } = this.request.settings;
    if (timeout > 0 && this.#connection?.refusing === false)
      this.#timer = setTimeout(() => this.#overdue(), timeout);
  }

  #overdue(): void {
    this.#isLate = true;
    this.#abortThere();
  }

  /** The time that the application has for the next piece of its response, or to take the next of an upload, begins. */
  #watchStall(): void {
    const { stallTimeout } = this.request.settings;
    if (this.#timer) this.#timer.refresh();
    else if (stallTimeout > 0) this.#timer = setTimeout(() => this.#stalled(), stallTimeout);
  }

  #stalled(): void {
    const { stallTimeout } = this.request.settings;
    const waitsForUs = this.#waitsForClient || this.#held > 0 || this.#connection?.held === true;
    if (waitsForUs) return void this.#timer?.refresh();
    // With a `timeout` of 0 nothing limits the time until the head.
    if (!this.#head && this.uploaded) return;
    this.#isLate = true;
    this.fail(broken(`nothing came for ${stallTimeout} ms`));
  }

  #late(): void {
    if (this.#waitsForClient) return void this.#timer?.refresh();
    this.#isLate = true;
    const seconds = this.request.settings.timeout / 1000;
    this.fail(
      this.#connection?.midRecord
        ? broken(`the application stopped in the middle of a record for ${seconds} s`)
        : new SallyportError("APP_TIMEOUT", `the application did not answer within ${seconds} s`),
    );
  }

  /** Of no effect when the application has ended the request, or the connection itself. */
  #abortThere(): void {
    const connection = this.#connection;
    this.cancel();
    const { timeout } = this.request.settings;
    connection?.abort(this.#id, this.#isLate ? 0 : timeout || UNLIMITED);
  }

  #close(): void {
    this.request.over = true;
    clearTimeout(this.#timer);
    this.#connection?.hold(this.#id, false);
  }

  #logStatus(appStatus: number): void {
    const { exchange, settings } = this.request;
    const { target } = exchange.request;
    settings.log.warn(`the application ended the request with status ${appStatus}`, { target });
  }
}

const latin1 = ({ buffer, byteOffset, byteLength }: Uint8Array): string =>
  byteLength === 0 ? "" : Buffer.from(buffer, byteOffset, byteLength).toString("latin1");

const broken = (why: string): SallyportError => new SallyportError("UPSTREAM_BROKEN", why);

/** A local redirect that the client has to follow, because no gateway does. */
const redirectTo = (location: string): Document => ({
  kind: "document",
  head: { status: 302, reason: "", headers: ["Location", location] },
  rest: NOTHING,
});
