// The header block of a CGI response (RFC 3875, 6), read by the server's half of CGI, FastCGI and SCGI. Pure: bytes in,
// a head and the first bytes of the body out. Strict, because all that passes here is sent on (C8, C9, C10).
import {
  type Headers,
  HOP_BY_HOP,
  isFieldValue,
  isToken,
  type ResponseHead,
  SallyportError,
} from "../exchange/index.ts";

/** The answer of a program: a document, which may redirect the client, or a redirect to another path of this server. */
export type CgiResponse = Document | LocalRedirect;

/** 6.2.1, 6.2.3 and 6.2.4: head, and the bytes of the body that were read with it. */
export interface Document {
  readonly kind: "document";
  readonly head: ResponseHead;
  readonly rest: Uint8Array;
}

/** 6.2.2: path and query of a resource on this server. What else the program wrote is of no use. */
export interface LocalRedirect {
  readonly kind: "localRedirect";
  readonly location: string;
}

export interface ResponseReaderOptions {
  /** Bytes of header block accepted; more is CGI_HEADER_TOO_LARGE. */
  readonly limit?: number;
  /** The program writes an HTTP status line itself (5). */
  readonly nph?: boolean;
}

const LIMIT = 32_768;
const MAX_FIELDS = 500;
const LINE_FEED = 0x0a;
const CARRIAGE_RETURN = 0x0d;
const NOTHING = Buffer.alloc(0);

/** Collects bytes until the blank line. Feed it until it gives a response, and then no more. */
export class ResponseReader {
  readonly #limit: number;
  readonly #nph: boolean;
  /** The bytes so far, in the first `#size` of it. */
  #held: Buffer = NOTHING;
  #size = 0;
  /** The start of the line that is not complete yet. */
  #line = 0;

  constructor({ limit = LIMIT, nph = false }: ResponseReaderOptions = {}) {
    this.#limit = limit;
    this.#nph = nph;
  }

  /** The response once its header block is complete. Throws CGI_BAD_HEADER, CGI_HEADER_TOO_LARGE, CGI_NO_HEADER. */
  feed(chunk: Uint8Array): CgiResponse | undefined {
    const from = this.#size;
    const bytes = this.#append(chunk);
    const end = this.#findEnd(bytes, from);
    if (end < 0) return undefined;
    return interpret(bytes.toString("latin1", 0, this.#line), bytes.subarray(end), this.#nph);
  }

  /** The program's output is over and no response came out of it. */
  end(): SallyportError {
    if (this.#size === 0) return new SallyportError("CGI_NO_HEADER", "the program wrote nothing");
    const start = JSON.stringify(this.#held.toString("latin1", 0, Math.min(this.#size, 80)));
    return new SallyportError("CGI_NO_HEADER", `no blank line ended the program's header: ${start}`);
  }

  #append(chunk: Uint8Array): Buffer {
    if (this.#size === 0) {
      // The usual case: all of it in one piece, which is not copied.
      this.#held = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength);
    } else {
      if (this.#size + chunk.length > this.#held.length) this.#grow(this.#size + chunk.length);
      this.#held.set(chunk, this.#size);
    }
    this.#size += chunk.length;
    return this.#held.subarray(0, this.#size);
  }

  #grow(needed: number): void {
    const grown = Buffer.allocUnsafe(Math.max(needed, this.#held.length * 2));
    grown.set(this.#held.subarray(0, this.#size));
    this.#held = grown;
  }

  /** Where the body begins; -1 when the blank line is still to come. `#line` is left at the blank line. */
  #findEnd(bytes: Buffer, from: number): number {
    for (let at = bytes.indexOf(LINE_FEED, from); at >= 0; at = bytes.indexOf(LINE_FEED, at + 1)) {
      if (at >= this.#limit) break;
      const length = at - this.#line;
      if (length === 0 || (length === 1 && bytes[this.#line] === CARRIAGE_RETURN)) return at + 1;
      this.#line = at + 1;
    }
    if (bytes.length > this.#limit) throw tooLarge(`its header has no end within ${this.#limit} bytes`);
    return -1;
  }
}

const bad = (why: string): SallyportError =>
  new SallyportError("CGI_BAD_HEADER", `the program answered with ${why}`);
const tooLarge = (why: string): SallyportError => new SallyportError("CGI_HEADER_TOO_LARGE", why);

/** `block` is the header without its blank line, every line with its end. */
function interpret(block: string, rest: Uint8Array, nph: boolean): CgiResponse {
  if (block === "") throw new SallyportError("CGI_NO_HEADER", "the program's header has no line");
  const first = nph ? block.indexOf("\n") + 1 : 0;
  const status = nph ? parseStatusLine(block.slice(0, first - 1)) : undefined;
  const fields = readFields(block, first);
  return status ? fromStatusLine(status, fields, rest) : fromFields(fields, rest);
}

const STATUS_LINE = /^HTTP\/1\.[01] ([2-5]\d\d)(?: (.*))?$/;

/** "HTTP/1.1 200 OK", the first line of an nph- program (C16). */
function parseStatusLine(line: string): Status {
  const match = STATUS_LINE.exec(withoutReturn(line));
  if (!match || !isFieldValue(match[2] ?? "")) throw bad(`a malformed status line: ${shown(line)}`);
  return { status: Number(match[1]), reason: match[2] ?? "" };
}

/** The fields of a program, sorted. */
class Fields {
  /** All but Status, fields of the connection, which is ours, and a Content-Length that is there already. */
  readonly kept: string[] = [];
  location: string | undefined;
  status: string | undefined;
  transferEncoding: string | undefined;
  #locations = 0;
  #statuses = 0;
  #length: string | undefined;
  /** Where the value of Content-Type is in `kept`. */
  #type: number | undefined;

  add(name: string, value: string): void {
    const lower = name.toLowerCase();
    if (lower === "status") return this.#addStatus(value);
    if (lower === "transfer-encoding") this.transferEncoding ??= value;
    if (HOP_BY_HOP.has(lower) || (lower === "content-length" && !this.#addLength(value))) return;
    if (lower === "location") this.#addLocation(value);
    if (lower === "content-type") return this.#setType(name, value);
    this.kept.push(name, value);
  }

  /** A field of CGI is sent on once (RFC 3875, 6.3). Of several the last one counts, as in Apache. */
  #setType(name: string, value: string): void {
    this.#type ??= this.kept.push(name, value) - 1;
    this.kept[this.#type] = value;
  }

  /** Location and Status may come only once. Not checked after a status line, which overrules them. */
  checkSingle(): void {
    if (this.#locations > 1) throw bad("more than one location");
    if (this.#statuses > 1) throw bad("more than one status");
  }

  #addStatus(value: string): void {
    this.#statuses++;
    this.status = value;
  }

  #addLocation(value: string): void {
    this.#locations++;
    this.location = value;
  }

  /** A Content-Length is a number, and two of them are equal (C9). False for the second. */
  #addLength(value: string): boolean {
    const known = this.#length;
    if (known !== undefined && known !== value) throw bad("two different Content-Length");
    if (!/^\d{1,15}$/.test(value)) throw bad(`a malformed Content-Length: ${shown(value)}`);
    this.#length = value;
    return known === undefined;
  }
}

/** Line by line, in place: lists of lines and of their parts would cost more than reading them. */
function readFields(block: string, from: number): Fields {
  const fields = new Fields();
  let count = 0;
  for (let at = from; at < block.length; ) {
    if (++count > MAX_FIELDS) throw tooLarge(`its header has more than ${MAX_FIELDS} lines`);
    const feed = block.indexOf("\n", at);
    const end = block.charCodeAt(feed - 1) === CARRIAGE_RETURN && feed > at ? feed - 1 : feed;
    readField(block, at, end, fields);
    at = feed + 1;
  }
  return fields;
}

function readField(block: string, at: number, end: number, fields: Fields): void {
  const colon = block.indexOf(":", at);
  const name = colon < 0 || colon > end ? "" : block.slice(at, colon);
  // Not a token: no name, a space in or after it, a continuation line (obs-fold), a control.
  if (!isToken(name)) throw bad(`a line that is not a header: ${shown(block.slice(at, end))}`);
  const value = trimmed(block, colon + 1, end);
  if (!isFieldValue(value)) throw bad(`a control character in ${name}: ${shown(value)}`);
  fields.add(name, value);
}

function trimmed(text: string, from: number, to: number): string {
  let [start, end] = [from, to];
  while (start < end && isBlank(text.charCodeAt(start))) start++;
  while (start < end && isBlank(text.charCodeAt(end - 1))) end--;
  return text.slice(start, end);
}

const isBlank = (code: number): boolean => code === 0x20 || code === 0x09;

const withoutReturn = (line: string): string => (line.endsWith("\r") ? line.slice(0, -1) : line);

/** A piece of the program's output, fit for a log. */
const shown = (text: string): string => JSON.stringify(text.length > 80 ? `${text.slice(0, 80)}...` : text);

interface Status {
  readonly status: number;
  readonly reason: string;
}

const OK: Status = { status: 200, reason: "" };
const FOUND: Status = { status: 302, reason: "" };

function fromStatusLine(status: Status, fields: Fields, rest: Uint8Array): CgiResponse {
  // The body would be in a coding that is not decoded here.
  if (fields.transferEncoding) throw bad("a Transfer-Encoding");
  return document(status, fields.kept, rest);
}

function fromFields(fields: Fields, rest: Uint8Array): CgiResponse {
  fields.checkSingle();
  const { location, status, kept } = fields;
  if (location === "") throw bad("an empty Location");
  const given = status === undefined ? undefined : parseStatus(status);
  if (location !== undefined && !given && isLocal(location, kept)) return { kind: "localRedirect", location };
  return document(given ?? (location === undefined ? OK : FOUND), kept, rest);
}

const STATUS = /^([2-5]\d\d)(?: +(.*))?$/;

/** "404 Not Found" or "404". An informational status cannot be the final one. */
function parseStatus(value: string): Status {
  const match = STATUS.exec(value);
  if (!match) throw bad(`a malformed Status: ${shown(value)}`);
  return { status: Number(match[1]), reason: match[2] ?? "" };
}

/** Fields that a local redirect may have: they describe a body, which is ignored. */
const BESIDE_LOCATION: ReadonlySet<string> = new Set(["location", "content-type", "content-length"]);

/**
 * Whether a Location without Status is to be followed here (6.2.2). "//host" names another server and a fragment is
 * only for clients; and where other fields (a cookie) would be lost, the client is sent there instead.
 */
function isLocal(location: string, fields: Headers): boolean {
  if (!/^\/(?!\/)[^#]*$/.test(location)) return false;
  for (let i = 0; i < fields.length; i += 2) {
    if (!BESIDE_LOCATION.has((fields[i] as string).toLowerCase())) return false;
  }
  if (/[\t ]/.test(location)) throw bad(`a space in a local Location: ${shown(location)}`);
  return true;
}

const document = ({ status, reason }: Status, headers: Headers, rest: Uint8Array): Document => ({
  kind: "document",
  head: { status, reason, headers },
  rest,
});
