// One exchange on its way through a FastCGI application: parameters and body out, response in (specification, 5 and 6),
// seen from the web server's side. It may be tried again elsewhere as long as nothing of it was sent.
import { open } from "node:fs/promises";
import { ResponseReader } from "../../../cgi/response-reader.ts";
import {
  type Exchange,
  type Log,
  type RequestBody,
  type ResponseHead,
  SallyportError,
} from "../../../exchange/index.ts";
import { ResponseBuffer, type ResponseBufferLimits } from "../../../exchange/response-buffer.ts";
import {
  beginText,
  type End,
  type Role,
  STATUS,
  streamEnd,
  streamPart,
  TYPE,
  wholeStreamText,
} from "../codec.ts";
import { RequestStderr } from "../stderr.ts";

/** The connection, as a request on it sees it. */
export interface RequestCarrier {
  /** Whether the connection stays for others afterwards. */
  readonly keep: boolean;
  /** Other requests were on it before. */
  readonly used: boolean;
  /** The application is in the middle of a record. */
  readonly midRecord: boolean;
  /** Whether other requests are, or may be, on it. */
  readonly shared: boolean;
  /** Bytes, or latin-1 text. False: wait for `drained`. */
  send(bytes: Buffer | string): boolean;
  /** The kernel has taken nothing of what was sent last: the connection was closed already. */
  readonly refusing: boolean;
  /** Resolves when more can be sent, or when the connection has ended. */
  drained(): Promise<void>;
  /** Stops reading, or goes on. */
  hold(hold: boolean): void;
  /** Nobody waits for the response any more. */
  abort(id: number): void;
}

/** What is to be sent. */
export interface RequestSpec {
  readonly role: Role;
  /** The content of PARAMS, latin-1. */
  readonly params: string;
  /** Bytes, or what makes a reader from the start each time; a body that can be read once gives itself. */
  readonly body: Uint8Array | (() => RequestBody);
  /** Whether `body` can be read again. */
  readonly repeatable: boolean;
  /** What a Filter gets as its second stream. */
  readonly file: DataFile | undefined;
}

export interface DataFile {
  readonly path: Buffer;
  /** As it was announced. */
  readonly length: number;
}

export interface OutgoingRequestOptions {
  readonly log: Log;
  /** Milliseconds until the head of the response must be here; 0 for no limit. */
  readonly timeout: number;
  readonly buffer: ResponseBufferLimits;
  /** Answers a local redirect; the client is told of it otherwise. */
  readonly redirect?: ((exchange: Exchange, location: string) => void) | undefined;
}

/** What an authorizer's response is given to, instead of the client. True: it was taken. */
export type AuthorizerCheck = (head: ResponseHead) => boolean;

/** Bytes of a body that leave in the same write as the parameters. */
const SMALL = 65_528;
/** Bytes of response that have found no place yet: the application must wait. */
const HELD = 65_536;
/** The same where it cannot be made to wait, because others share its connection. */
const HELD_SHARED = 1_048_576;
const PIECE = 65_528;
const SAFE_METHODS: ReadonlySet<string> = new Set(["GET", "HEAD", "OPTIONS"]);

export class OutgoingRequest {
  readonly exchange: Exchange;
  readonly spec: RequestSpec;
  /** When it began to wait for a connection (milliseconds, `performance.now`). */
  since = 0;
  /** How often it was tried. */
  attempts = 0;
  /** The application may have seen all of its parameters. */
  sent = false;
  /** The application has said something about it. */
  heard = false;
  readonly #options: OutgoingRequestOptions;
  readonly #authorize: AuthorizerCheck | undefined;
  #stderr: RequestStderr | undefined;
  #carrier: RequestCarrier | undefined;
  #id = 0;
  #reader: ResponseReader | undefined = new ResponseReader();
  #head: ResponseHead | undefined;
  /** Pieces of the response body that came in this turn of the loop. */
  #pieces: Uint8Array[] = [];
  #buffer: ResponseBuffer | undefined;
  /** Bytes that the backlog has not taken. */
  #held = 0;
  #stdoutEnded = false;
  #uploaded = false;
  /** Its connection had served others before. */
  #onKept = false;
  /** It was sent in an attempt that came to nothing. */
  #repeated = false;
  #over = false;
  #timer: NodeJS.Timeout | undefined;

  constructor(
    exchange: Exchange,
    order: RequestSpec,
    options: OutgoingRequestOptions,
    judge?: AuthorizerCheck,
  ) {
    this.exchange = exchange;
    this.spec = order;
    this.#options = options;
    this.#authorize = judge;
    exchange.whenClosed(() => this.#left());
  }

  /** Nothing more is to be done for it. */
  get over(): boolean {
    return this.#over || this.exchange.closed;
  }

  /** All of the request has left, so that its connection may be used again. */
  get uploaded(): boolean {
    return this.#uploaded;
  }

  /** Whether it is asked again if its connection turns out to be closed: when it changes nothing, and only once. */
  get expendable(): boolean {
    return !this.#repeated && this.spec.repeatable && SAFE_METHODS.has(this.exchange.request.method);
  }

  /**
   * Whether it may be tried again now that its connection broke: when nothing was sent; or when it changes nothing, and
   * a connection that was kept ended without a word. PHP-FPM ends its processes so, and swallows what it is sent
   * meanwhile (RFC 9110, 9.2.2). A POST that the kernel took is not sent again: nobody knows what became of it.
   */
  get mayRepeat(): boolean {
    if (this.over || !this.spec.repeatable) return false;
    return !this.sent || (this.expendable && this.#onKept && !this.heard);
  }

  /** Sends the request. */
  begin(course: RequestCarrier, id: number): void {
    this.#carrier = course;
    this.#id = id;
    this.#onKept = course.used;
    this.attempts++;
    const { timeout } = this.#options;
    if (timeout > 0) this.#timer = setTimeout(() => this.#late(), timeout);
    const { params, role, body, file } = this.spec;
    let text = beginText(id, role, course.keep) + wholeStreamText(TYPE.PARAMS, id, params);
    const whole = body instanceof Uint8Array && body.length <= SMALL && file === undefined;
    if (whole && role !== "authorizer") text += wholeStreamText(TYPE.STDIN, id, latin1(body));
    const room = course.send(text);
    this.sent = !course.refusing;
    this.#uploaded = whole || role === "authorizer";
    if (!this.#uploaded)
      this.#pump(course, room).catch((error: unknown) => this.fail(SallyportError.from(error)));
  }

  /** The attempt came to nothing, and another may follow. */
  reclaim(): void {
    this.#carrier = undefined;
    this.#uploaded = false;
    this.#repeated ||= this.sent;
    this.sent = false;
    clearTimeout(this.#timer);
  }

  // What the application says.

  stdout(content: Buffer): void {
    if (this.#over) return;
    if (content.length === 0) this.#stdoutEnded = true;
    else if (this.#reader) this.#readHead(this.#reader, content);
    else this.#pieces.push(content);
  }

  stderr(content: Buffer): void {
    this.#stderr ??= new RequestStderr(this.#options.log, this.exchange.request.target);
    this.#stderr.push(content);
  }

  /** All records at hand have been read. */
  flush(): void {
    if (this.#over || !this.#head) return;
    if (!this.exchange.started) this.exchange.start(this.#head);
    this.#buffer ??= new ResponseBuffer(
      this.exchange,
      (bytes) => this.#accepted(bytes),
      this.#options.buffer,
    );
    const pieces = this.#pieces;
    this.#pieces = [];
    for (const piece of pieces) if (!this.#over) this.#push(this.#buffer, piece);
  }

  /** The application is done with the request, and said REQUEST_COMPLETE. */
  end({ appStatus }: End): void {
    this.#stderr?.end();
    // What still waits for the client is no matter of this connection any more.
    this.#carrier?.hold(false);
    this.#carrier = undefined;
    if (appStatus !== 0) this.#noteStatus(appStatus);
    if (this.#over) return;
    if (!this.#head) return this.fail(this.#reader?.end() ?? broken("the application answered nothing"));
    // Our own listener's way to cut a response on a shared connection; others end STDOUT, or exit with 0.
    if (appStatus !== 0 && !this.#stdoutEnded)
      return this.fail(broken("the application broke its response off"));
    this.#finish(this.#head);
  }

  /** The connection broke, or what came over it made no sense. */
  fail(error: SallyportError): void {
    this.#stderr?.end();
    if (this.#over) return;
    if (this.exchange.started) this.flush();
    this.#close();
    this.exchange.fail(error);
    this.#abort();
  }

  #readHead(reader: ResponseReader, content: Buffer): void {
    try {
      const response = reader.feed(content);
      if (!response) return;
      this.#reader = undefined;
      clearTimeout(this.#timer);
      if (response.kind === "localRedirect" && this.#options.redirect)
        return this.#redirect(response.location);
      const { head, rest } =
        response.kind === "document" ? response : { head: redirectHead(response.location), rest: NOTHING };
      if (this.#authorize?.(head)) return this.#close();
      this.#head = head;
      if (rest.length > 0) this.#pieces.push(rest);
    } catch (error) {
      this.fail(SallyportError.from(error));
    }
  }

  /** Somebody else answers the exchange; what more the application says is of no interest. */
  #redirect(location: string): void {
    this.#close();
    this.#options.redirect?.(this.exchange, location);
  }

  #finish(head: ResponseHead): void {
    this.#close();
    const pieces = this.#pieces;
    if (!this.exchange.started)
      return this.exchange.respond(
        head,
        pieces.length === 1 ? (pieces[0] as Uint8Array) : Buffer.concat(pieces),
      );
    const backlog = this.#buffer;
    if (!backlog) return this.exchange.end();
    for (const piece of pieces) backlog.push(piece);
    backlog.end();
  }

  #push(backlog: ResponseBuffer, piece: Uint8Array): void {
    this.#held += piece.length;
    backlog.push(piece);
    const course = this.#carrier;
    if (!course || this.#held <= HELD) return;
    if (!course.shared) return course.hold(true);
    if (this.#held <= HELD_SHARED) return;
    this.fail(new SallyportError("CLIENT_STALLED", "the client reads too slowly for a shared connection"));
  }

  #accepted(bytes: number): void {
    this.#held -= bytes;
    if (this.#held <= HELD / 2) this.#carrier?.hold(false);
  }

  // Upload.

  async #pump(course: RequestCarrier, room: boolean): Promise<void> {
    let more = room;
    const { body, file } = this.spec;
    const send = async (type: number, bytes: Uint8Array): Promise<void> => {
      for (let at = 0; at < bytes.length && !this.#stopped(course); at += PIECE) {
        if (!more) await course.drained();
        if (this.#stopped(course)) return;
        more = course.send(streamPart(type, this.#id, bytes.subarray(at, at + PIECE)));
      }
    };
    if (body instanceof Uint8Array) await send(TYPE.STDIN, body);
    else await this.#pumpBody(body(), course, send);
    if (this.#stopped(course)) return;
    course.send(streamEnd(TYPE.STDIN, this.#id));
    if (file !== undefined) await this.#pumpFile(file, course, send);
    this.#uploaded = !this.#stopped(course);
  }

  async #pumpBody(body: RequestBody, course: RequestCarrier, send: Send): Promise<void> {
    while (!this.#stopped(course)) {
      const piece = await body.read();
      if (!piece) return;
      await send(TYPE.STDIN, piece);
    }
    body.discard();
  }

  async #pumpFile({ path, length }: DataFile, course: RequestCarrier, send: Send): Promise<void> {
    const file = await open(path);
    try {
      const piece = Buffer.allocUnsafe(PIECE);
      for (let left = length; left > 0 && !this.#stopped(course); ) {
        const { bytesRead } = await file.read(piece, 0, Math.min(PIECE, left), null);
        if (bytesRead === 0) throw shortened(path, length, length - left);
        left -= bytesRead;
        await send(TYPE.DATA, piece.subarray(0, bytesRead));
      }
    } finally {
      await file.close();
    }
    if (!this.#stopped(course)) course.send(streamEnd(TYPE.DATA, this.#id));
  }

  #stopped(course: RequestCarrier): boolean {
    return this.over || this.#carrier !== course;
  }

  // Ends.

  /** The exchange is over: for us, or because the client left. */
  #left(): void {
    if (this.#over) return;
    this.#stderr?.end();
    this.#close();
    this.#abort();
  }

  #late(): void {
    const seconds = this.#options.timeout / 1000;
    this.fail(
      this.#carrier?.midRecord
        ? broken(`the application stopped in the middle of a record for ${seconds} s`)
        : new SallyportError("APP_TIMEOUT", `the application did not answer within ${seconds} s`),
    );
  }

  /** Of no effect when the application has ended the request, or the connection itself. */
  #abort(): void {
    const course = this.#carrier;
    this.#carrier = undefined;
    course?.abort(this.#id);
  }

  #close(): void {
    this.#over = true;
    clearTimeout(this.#timer);
    this.#carrier?.hold(false);
  }

  #noteStatus(appStatus: number): void {
    const { target } = this.exchange.request;
    this.#options.log.warn(`the application ended the request with status ${appStatus}`, { target });
  }
}

type Send = (type: number, bytes: Uint8Array) => Promise<void>;

const NOTHING = Buffer.alloc(0);

const latin1 = ({ buffer, byteOffset, byteLength }: Uint8Array): string =>
  byteLength === 0 ? "" : Buffer.from(buffer, byteOffset, byteLength).toString("latin1");

const broken = (why: string): SallyportError => new SallyportError("UPSTREAM_BROKEN", why);

/** A local redirect that nobody follows here is the client's to follow. */
const redirectHead = (location: string): ResponseHead => ({
  status: 302,
  reason: "",
  headers: ["Location", location],
});

/** What turned a request away before the application saw it (5.5). */
export function refusalOf(protocolStatus: number): SallyportError | undefined {
  if (protocolStatus === STATUS.REQUEST_COMPLETE) return undefined;
  if (protocolStatus === STATUS.UNKNOWN_ROLE)
    return broken("the FastCGI application does not play this role (FCGI_UNKNOWN_ROLE)");
  if (protocolStatus === STATUS.CANT_MPX_CONN || protocolStatus === STATUS.OVERLOADED)
    return new SallyportError("UPSTREAM_BUSY", "the FastCGI application takes no more requests now");
  return broken(`the FastCGI application ended the request with protocol status ${protocolStatus}`);
}

/** Its length was announced in FCGI_DATA_LENGTH: an end before that would look like the whole file. */
const shortened = (path: Uint8Array, length: number, end: number): SallyportError =>
  new SallyportError(
    "INTERNAL",
    `the file ${Buffer.from(path).toString()} ends at ${end} now, and was of ${length} bytes when the request began`,
  );
