// The server's reader of HTTP/1.1: bytes in, events out, no I/O (RFC 9112). Bytes after the end of a request wait until
// `restart`, because the requests of a connection are answered one after another (9.3.2).
import { blocks, SMALLEST_BLOCK } from "../../exchange/blocks.ts";
import { type Headers, SallyportError } from "../../exchange/index.ts";
import { type FieldName, type FieldSink, readFields } from "../../http/fields.ts";
import type { HttpLimits } from "../../http/limits.ts";
import { bodyTooLarge, headersTooLarge, LONGEST_METHOD, targetTooLong } from "../../http/refusals.ts";
import { CHUNKED } from "../../http/request-fields.ts";
import { NOT_IN_TRAILERS } from "../../http/trailers.ts";
import { readChunkLine } from "./chunk-line.ts";
import { type HeadEvent, LastFields, LINE_OVERHEAD, methodTooLong, readHead } from "./head.ts";

export interface DataEvent {
  readonly type: "data";
  /** The receiver may keep it: nothing writes over it. If nothing else refers to it, `blocks.give` may have it in the end. */
  readonly data: Buffer;
}

/** A body is complete. A head that announces none is a whole request by itself: no end follows it. */
export interface EndEvent {
  readonly type: "end";
  readonly trailers: Headers;
}

export type RequestEvent = HeadEvent | DataEvent | EndEvent;

/** What the next bytes are. */
type State = "head" | "length" | "size" | "chunk" | "chunkEnd" | "trailer" | "end" | "done";

const EMPTY = Buffer.alloc(0);
const END: EndEvent = { type: "end", trailers: [] };
const SP = 0x20;
const CR = 0x0d;
const LF = 0x0a;
const HEAD_END = Buffer.from("\r\n\r\n");
const LINE_END = Buffer.from("\r\n");
/** Empty lines that may precede a request (RFC 9112, 2.2). */
const MOST_EMPTY_LINES = 2;
/** A control that no head may contain, a CR without LF, an LF without CR (RFC 9112, 2.2). */
const STRAY = /[^\t\r\n\x20-\x7e\x80-\xff]|\r(?!\n|$)|(?<!\r)\n/;

const bad = (why: string): SallyportError => new SallyportError("BAD_REQUEST", why);

/** What TLS begins with: a handshake record (RFC 8446, 5.1). */
const TLS_HANDSHAKE = 22;

const strayReason = (first: number): string =>
  first === TLS_HANDSHAKE
    ? "a TLS handshake, where this listener speaks plain HTTP"
    : "a control character, or a line not ended by CRLF";

/** Keeps the fields that a trailer may have, and drops the others. */
class TrailerFields implements FieldSink {
  readonly headers: string[] = [];

  field(name: FieldName, value: string): void {
    if (!NOT_IN_TRAILERS.has(name.lower)) this.headers.push(name.name, value);
  }
}

function copied(data: Buffer): Buffer {
  if (data.length < SMALLEST_BLOCK) return Buffer.from(data);
  const block = blocks.take(data.length);
  data.copy(block);
  return block;
}

export class RequestParser {
  /** One reader for each state of a body; each gives an event, or undefined when it needs more bytes. */
  static readonly #BODY_READERS: Readonly<
    Record<Exclude<State, "head">, (parser: RequestParser) => RequestEvent | undefined>
  > = {
    length: (parser) => parser.#readData("end"),
    size: (parser) => parser.#readSize(),
    chunk: (parser) => parser.#readData("chunkEnd"),
    chunkEnd: (parser) => parser.#readChunkEnd(),
    trailer: (parser) => parser.#readTrailer(),
    end: (parser) => parser.#finish(END),
    done: () => undefined,
  };

  readonly #limits: HttpLimits;
  #state: State = "head";
  #buffer: Buffer = EMPTY;
  #at = 0;
  /** Up to here an incomplete head has been checked. */
  #seen = 0;
  #emptyLines = 0;
  /** Bytes of the body, or of the chunk, still to come. */
  #owed = 0;
  /** Bytes of a chunked body so far, and of its extensions. */
  #total = 0;
  #extensions = 0;
  readonly #last = new LastFields();
  #error: SallyportError | undefined;
  #asksHead = false;
  /** The buffer is the caller's, who writes over it after `settle`. */
  #lent = false;

  constructor(limits: HttpLimits) {
    this.#limits = limits;
  }

  /** Bytes fed and not yet given out. */
  get buffered(): number {
    return this.#buffer.length - this.#at;
  }

  /** Bytes of an announced body still to come; undefined when chunked. */
  get owed(): number | undefined {
    if (this.#state === "length") return this.#owed;
    return this.#state === "end" || this.#state === "done" ? 0 : undefined;
  }

  /** The head that is not complete, or that was refused, begins like that of a HEAD request. */
  get asksHead(): boolean {
    if (this.#state !== "head") return false;
    return this.#asksHead || this.#buffer.toString("latin1", this.#at, this.#at + 5) === "HEAD ";
  }

  /** `chunk` is read until `settle`; after that the caller may write over it. */
  feed(chunk: Buffer): void {
    this.#lent = this.#at === this.#buffer.length;
    this.#buffer = this.#lent ? chunk : Buffer.concat([this.#buffer.subarray(this.#at), chunk]);
    this.#seen = this.#lent ? 0 : this.#seen - this.#at;
    this.#at = 0;
  }

  /** Copies what was fed and not given out. */
  settle(): void {
    if (!this.#lent) return;
    this.#lent = false;
    this.#buffer = this.#at === this.#buffer.length ? EMPTY : Buffer.from(this.#buffer.subarray(this.#at));
    this.#seen = Math.max(0, this.#seen - this.#at);
    this.#at = 0;
  }

  /**
   * The next event, or undefined when more bytes are needed, or `restart`.
   * Throws a SallyportError (400, 413, 414, 417, 431, 501, 505) when this is not a request, and on every later call.
   */
  next(): RequestEvent | undefined {
    if (this.#error) throw this.#error;
    try {
      return this.#state === "head" ? this.#readHead() : RequestParser.#BODY_READERS[this.#state](this);
    } catch (error) {
      this.#error = SallyportError.from(error);
      this.#asksHead = this.asksHead;
      this.#buffer = EMPTY;
      this.#at = 0;
      throw this.#error;
    }
  }

  /** Takes what was fed and not given out, for the protocol that replaces HTTP on this connection. */
  takeRest(): Buffer {
    const rest = Buffer.from(this.#buffer.subarray(this.#at));
    this.#last.forget();
    this.#buffer = EMPTY;
    this.#at = 0;
    return rest;
  }

  /** The request has been answered: the next one may be read. */
  restart(): void {
    if (this.#state !== "done") throw new TypeError("restart() before the request has ended");
    this.#state = "head";
    this.#seen = this.#at;
    this.#emptyLines = 0;
  }

  #readHead(): HeadEvent | undefined {
    const buffer = this.#buffer;
    if (buffer[this.#at] === CR) this.#skipEmptyLines();
    const end = buffer.indexOf(HEAD_END, Math.max(this.#at, this.#seen - 3));
    if (end < 0) return this.#checkPartialHead();
    const head = readHead(buffer.toString("latin1", this.#at, end + 2), this.#limits, this.#last);
    this.#at = end + 4;
    this.#owed = head.length;
    this.#total = 0;
    this.#extensions = 0;
    this.#state = head.length === CHUNKED ? "size" : head.length > 0 ? "length" : "done";
    return head;
  }

  #skipEmptyLines(): void {
    const buffer = this.#buffer;
    while (buffer[this.#at] === CR && buffer[this.#at + 1] === LF) {
      if (++this.#emptyLines > MOST_EMPTY_LINES) throw bad("empty lines before the request");
      this.#at += 2;
    }
  }

  /** An incomplete head can already be malformed or too long: it is refused without waiting for the rest. */
  #checkPartialHead(): undefined {
    const { target, headerBytes } = this.#limits;
    const buffer = this.#buffer;
    // A CR that came last is checked together with the byte that follows it.
    const from = Math.max(this.#at, buffer[this.#seen - 1] === CR ? this.#seen - 1 : this.#seen);
    if (STRAY.test(buffer.toString("latin1", from))) throw bad(strayReason(buffer[this.#at] as number));
    this.#seen = buffer.length;
    if (this.#hasEndlessMethod()) throw methodTooLong();
    const line = buffer.subarray(this.#at, this.#at + target + LINE_OVERHEAD + 2).indexOf(LINE_END);
    if (line < 0 && this.buffered > target + LINE_OVERHEAD + 1) throw targetTooLong(target);
    if (line >= 0 && this.buffered - line - 2 > headerBytes + 2) throw headersTooLarge(headerBytes);
  }

  #hasEndlessMethod(): boolean {
    const start = this.#buffer.subarray(this.#at, this.#at + LONGEST_METHOD + 1);
    return start.length > LONGEST_METHOD && !start.includes(SP);
  }

  #readData(then: State): DataEvent | undefined {
    const size = Math.min(this.buffered, this.#owed);
    if (size === 0) return undefined;
    const data = this.#buffer.subarray(this.#at, this.#at + size);
    this.#at += size;
    this.#owed -= size;
    if (this.#owed === 0) this.#state = then;
    return { type: "data", data: this.#lent ? copied(data) : data };
  }

  #readSize(): RequestEvent | undefined {
    const line = this.#takeLine(this.#limits.chunkLine);
    if (line === undefined) return undefined;
    const { size, extensions } = readChunkLine(line);
    this.#extensions += extensions;
    if (this.#extensions > this.#limits.chunkExtensions) throw bad("too many bytes of chunk extensions");
    this.#owed = size;
    this.#total += size;
    if (this.#total > this.#limits.body) throw bodyTooLarge(this.#limits.body);
    this.#state = size === 0 ? "trailer" : "chunk";
    return this.next();
  }

  /** The next line without its CRLF; undefined while it is incomplete. Only CRLF ends it (RFC 9112, 7.1). */
  #takeLine(most: number): string | undefined {
    const buffer = this.#buffer;
    const end = buffer.indexOf(LF, this.#at);
    if (end < 0 ? this.buffered > most : end - this.#at > most) throw bad("a chunk-size line too long");
    if (end < 0) return undefined;
    if (buffer[end - 1] !== CR || end === this.#at) throw bad("a chunk-size line not ended by CRLF");
    const line = buffer.toString("latin1", this.#at, end - 1);
    this.#at = end + 1;
    return line;
  }

  #readChunkEnd(): RequestEvent | undefined {
    const { buffered } = this;
    if (buffered === 0) return undefined;
    if (this.#buffer[this.#at] !== CR) throw bad("chunk data not followed by CRLF");
    if (buffered === 1) return undefined;
    if (this.#buffer[this.#at + 1] !== LF) throw bad("chunk data not followed by CRLF");
    this.#at += 2;
    this.#state = "size";
    return this.next();
  }

  #readTrailer(): EndEvent | undefined {
    const buffer = this.#buffer;
    if (buffer[this.#at] === CR && buffer[this.#at + 1] === LF) {
      this.#at += 2;
      return this.#finish(END);
    }
    const end = buffer.indexOf(HEAD_END, this.#at);
    // All but the last byte of the trailer's end may be here.
    const size = (end < 0 ? buffer.length - 3 : end) - this.#at;
    if (size > this.#limits.headerBytes) throw headersTooLarge(this.#limits.headerBytes);
    if (end >= 0) return this.#finish(this.#trailers(end));
    if (STRAY.test(buffer.toString("latin1", this.#at))) throw bad("a malformed trailer");
    return undefined;
  }

  #trailers(end: number): EndEvent {
    const fields = new TrailerFields();
    readFields(this.#buffer.toString("latin1", this.#at, end + 2), 0, this.#limits.headerCount, fields);
    this.#at = end + 4;
    return { type: "end", trailers: fields.headers };
  }

  #finish(event: EndEvent): EndEvent {
    this.#state = "done";
    this.#seen = this.#at;
    return event;
  }
}
