// The server's reader of HTTP/1.1: bytes in, events out, no I/O (RFC 9112). What follows the end of a request waits
// until `restart`: requests of one connection are answered one after another (9.3.2).
import { type Headers, SallyportError } from "../../exchange/index.ts";
import { type FieldName, type FieldSink, readFields } from "../../http/fields.ts";
import type { HttpLimits } from "../../http/limits.ts";
import { bodyTooLarge, headersTooLarge, LONGEST_METHOD, targetTooLong } from "../../http/refusals.ts";
import { CHUNKED } from "../../http/request-fields.ts";
import { NOT_IN_TRAILERS } from "../../http/trailers.ts";
import { type HeadEvent, LastFields, LINE_OVERHEAD, methodTooLong, readHead } from "./head.ts";

export interface DataEvent {
  readonly type: "data";
  /** The receiver's own. */
  readonly data: Buffer;
}

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
/** Empty lines before a request that are forgiven (RFC 9112, 2.2). */
const MOST_EMPTY_LINES = 2;
/** A size of up to 13 hexadecimal digits is an exact number; then, perhaps, extensions (RFC 9112, 7.1.1). */
const CHUNK_SIZE = /^([0-9A-Fa-f]{1,13})([ \t]*;.*)?$/;
/** One extension, from its semicolon on: a name, and perhaps a token or a quoted string (RFC 9110, 5.6.4). */
const EXTENSION =
  /[ \t]*;[ \t]*[!#$%&'*+\-.^_`|~\w]+(?:[ \t]*=[ \t]*(?:[!#$%&'*+\-.^_`|~\w]+|"(?:[\t !#-[\]-~\x80-\xff]|\\[\t -~\x80-\xff])*"))?/y;
/** A control that no head may contain, a CR without LF, an LF without CR (RFC 9112, 2.2). */
const STRAY = /[^\t\r\n\x20-\x7e\x80-\xff]|\r(?!\n|$)|(?<!\r)\n/;

const bad = (why: string): SallyportError => new SallyportError("BAD_REQUEST", why);

/** Whether `text` is extensions and nothing else: what another recipient reads as the end of a line is none. */
function areExtensions(text: string): boolean {
  EXTENSION.lastIndex = 0;
  while (EXTENSION.lastIndex < text.length) if (!EXTENSION.test(text)) return false;
  return true;
}

/** Keeps the fields of a trailer that may be there; the others are as if never sent. */
class TrailerFields implements FieldSink {
  readonly headers: string[] = [];

  field(name: FieldName, value: string): void {
    if (!NOT_IN_TRAILERS.has(name.lower)) this.headers.push(name.name, value);
  }
}

export class RequestParser {
  /** One reader for each state; each gives an event, or undefined when it needs more bytes. */
  static readonly #READERS: Readonly<Record<State, (parser: RequestParser) => RequestEvent | undefined>> = {
    head: (parser) => parser.#readHead(),
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
  /** Up to here the unfinished head has been looked through. */
  #seen = 0;
  #emptyLines = 0;
  /** Bytes still to come of the body, or of the chunk. */
  #owed = 0;
  /** Bytes of a chunked body so far, and of its extensions. */
  #total = 0;
  #extensions = 0;
  readonly #last = new LastFields();
  #error: SallyportError | undefined;
  /** Whether the buffer is the caller's. */
  #lent = false;

  constructor(limits: HttpLimits) {
    this.#limits = limits;
  }

  /** Bytes fed and not yet given out. */
  get buffered(): number {
    return this.#buffer.length - this.#at;
  }

  /** Bytes that an announced body still owes; undefined when chunked. */
  get owed(): number | undefined {
    if (this.#state === "length") return this.#owed;
    return this.#state === "end" || this.#state === "done" ? 0 : undefined;
  }

  /** What is fed is looked at until `settle`; after it, the caller may write over it. */
  feed(chunk: Buffer): void {
    const rest = this.buffered;
    this.#lent = rest === 0;
    this.#buffer = rest === 0 ? chunk : Buffer.concat([this.#buffer.subarray(this.#at), chunk]);
    this.#seen = rest === 0 ? 0 : this.#seen - this.#at;
    this.#at = 0;
  }

  /** Keeps a copy of what was fed and not given out. */
  settle(): void {
    if (!this.#lent) return;
    this.#lent = false;
    const rest = this.#buffer.subarray(this.#at);
    this.#buffer = rest.length === 0 ? EMPTY : Buffer.from(rest);
    this.#seen = Math.max(0, this.#seen - this.#at);
    this.#at = 0;
  }

  /**
   * The next event, or undefined when more bytes are needed, or `restart`.
   * Throws a SallyportError (400, 413, 414, 417, 431, 501, 505) when this is not a request, and ever after.
   */
  next(): RequestEvent | undefined {
    if (this.#error) throw this.#error;
    try {
      return RequestParser.#READERS[this.#state](this);
    } catch (error) {
      this.#error = SallyportError.from(error);
      this.#buffer = EMPTY;
      this.#at = 0;
      throw this.#error;
    }
  }

  /** Takes what was fed and not given out: it is no HTTP any more. */
  takeRest(): Buffer {
    const rest = Buffer.from(this.#buffer.subarray(this.#at));
    this.#last.forget();
    this.#buffer = EMPTY;
    this.#at = 0;
    return rest;
  }

  /** The request that ended has been answered: what follows is the next one. */
  restart(): void {
    if (this.#state !== "done") throw new TypeError("restart() before the request has ended");
    this.#state = "head";
    this.#seen = this.#at;
    this.#emptyLines = 0;
  }

  #readHead(): HeadEvent | undefined {
    const buffer = this.#buffer;
    this.#skipEmptyLines();
    const end = buffer.indexOf(HEAD_END, Math.max(this.#at, this.#seen - 3));
    if (end < 0) return this.#checkPartialHead();
    const head = readHead(buffer.toString("latin1", this.#at, end + 2), this.#limits, this.#last);
    this.#at = end + 4;
    this.#owed = head.length;
    this.#total = 0;
    this.#extensions = 0;
    this.#state = head.length === CHUNKED ? "size" : head.length > 0 ? "length" : "end";
    return head;
  }

  #skipEmptyLines(): void {
    const buffer = this.#buffer;
    while (buffer[this.#at] === CR && buffer[this.#at + 1] === LF) {
      if (++this.#emptyLines > MOST_EMPTY_LINES) throw bad("empty lines before the request");
      this.#at += 2;
    }
  }

  /** A head that is not all here yet can already be wrong, or too long; waiting for the rest would help nobody. */
  #checkPartialHead(): undefined {
    const { target, headerBytes } = this.#limits;
    const buffer = this.#buffer;
    // A CR that came last is judged by what has come after it.
    const from = Math.max(this.#at, buffer[this.#seen - 1] === CR ? this.#seen - 1 : this.#seen);
    if (STRAY.test(buffer.toString("latin1", from)))
      throw bad("a control character, or a line not ended by CRLF");
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
    return { type: "data", data: this.#lent ? Buffer.from(data) : data };
  }

  #readSize(): RequestEvent | undefined {
    const line = this.#takeLine(this.#limits.chunkLine);
    if (line === undefined) return undefined;
    const [, size, extensions = ""] = CHUNK_SIZE.exec(line) ?? [];
    if (size === undefined) throw bad("a malformed chunk size");
    if (!areExtensions(extensions)) throw bad("a malformed chunk extension");
    this.#extensions += extensions.length;
    if (this.#extensions > this.#limits.chunkExtensions) throw bad("too many bytes of chunk extensions");
    this.#owed = Number.parseInt(size, 16);
    this.#total += this.#owed;
    if (this.#total > this.#limits.body) throw bodyTooLarge(this.#limits.body);
    this.#state = this.#owed === 0 ? "trailer" : "chunk";
    return this.next();
  }

  /** The line at hand without its CRLF; undefined when it is not all here. Only CRLF ends it (RFC 9112, 7.1). */
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
    const have = this.buffered;
    if (have === 0) return undefined;
    if (this.#buffer[this.#at] !== CR) throw bad("chunk data not followed by CRLF");
    if (have === 1) return undefined;
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
    // What is here may be all but the last byte of the trailer's end.
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
