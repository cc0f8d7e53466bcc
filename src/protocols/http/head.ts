// The head of a request: its request line, its fields, and what they say of the body and of the connection
// (RFC 9112, 3, 5, 6, 9.3). Where two recipients could read a head in two ways, it is refused (RFC 9112, 11.2).
import { type Headers, headerValues, isToken, type Repeated, SallyportError } from "../../exchange/index.ts";
import { type FieldName, type FieldSink, hasMember, readFields } from "./fields.ts";
import type { HttpLimits } from "./limits.ts";
import { isHost, readTarget } from "./target.ts";

/** The body's length when only its end will tell. */
export const CHUNKED = -1;

/** Registered ones have at most 17 octets. */
export const LONGEST_METHOD = 32;
/** What a request line has besides its target: method, two spaces, version. */
export const LINE_OVERHEAD = LONGEST_METHOD + 2 + "HTTP/1.1".length;

const DIGITS = /^[0-9]{1,15}$/;
const VERSION = /^HTTP\/([0-9])\.([0-9])$/;
const CODING_LIST = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+(?:[ \t]*,[ \t]*[!#$%&'*+\-.^_`|~0-9A-Za-z]+)*$/;

const bad = (why: string): SallyportError => new SallyportError("BAD_REQUEST", why);

/** A request head that has been accepted. */
export interface HeadEvent {
  readonly type: "head";
  readonly method: string;
  readonly target: string;
  readonly path: string;
  readonly query: string;
  readonly version: "1.0" | "1.1";
  readonly headers: Headers;
  /** The host that the request is meant for: the target's, otherwise Host's; "" when neither names one. */
  readonly authority: string;
  /** Octets of body to come; CHUNKED when only the end will tell. */
  readonly length: number;
  /** Whether the client wants to use the connection again. */
  readonly persistent: boolean;
  readonly expectsContinue: boolean;
  /** What the same field block said when it was read; undefined when it was not like the one before it. */
  readonly fields: HeadFields | undefined;
  /** It asks for a WebSocket, in the one way in which that can be granted (RFC 6455, 4.2.1). */
  readonly opensWebSocket: boolean;
}

/** Up to so many bytes a field block is remembered, to be recognised in the next request. */
const LONGEST_REMEMBERED = 2_048;

/** The fields of the last request of a connection: a block that equals them byte for byte need not be read again. */
export class LastFields {
  #block = "";
  #fields: HeadFields | undefined;

  /** What is known of `block`. */
  recall(version: string, block: string): HeadFields | undefined {
    const fields = this.#fields;
    return fields !== undefined && block === this.#block && version === fields.version ? fields : undefined;
  }

  forget(): void {
    this.#block = "";
    this.#fields = undefined;
  }

  remember(block: string, fields: HeadFields): void {
    const isFit = block.length <= LONGEST_REMEMBERED;
    this.#block = isFit ? block : "";
    this.#fields = isFit ? fields : undefined;
  }
}

/** `text` is the head without its empty line; every line in it ends with CRLF. */
export function readHead(text: string, limits: HttpLimits, before: LastFields = new LastFields()): HeadEvent {
  const end = text.indexOf("\r\n");
  const first = text.indexOf(" ");
  const last = text.lastIndexOf(" ", end);
  if (first < 0 || first > end || first === last) throw bad("a malformed request line");
  const version = readVersion(text.slice(last + 1, end));
  const method = readMethod(text.slice(0, first));
  const target = text.slice(first + 1, last);
  if (target.length > limits.target) throw targetTooLong(limits);
  const { path, query, authority } = readTarget(method, target);
  if (text.length - end - 2 > limits.headerBytes) throw headersTooLarge(limits);
  const block = text.slice(end + 2);
  const known = authority === undefined ? before.recall(version, block) : undefined;
  const fields = known ?? newFields(block, version, authority, limits);
  if (known === undefined && authority === undefined) before.remember(block, fields);
  const { headers, host, length, persistent, expectsContinue } = fields;
  if (length > limits.body) throw bodyTooLarge(limits);
  return {
    type: "head",
    method,
    target,
    path,
    query,
    version,
    headers,
    authority: host,
    length,
    persistent,
    expectsContinue,
    fields: known,
    opensWebSocket: fields.upgrade !== "" && opensWebSocket(method, fields),
  };
}

function newFields(
  block: string,
  version: "1.0" | "1.1",
  authority: string | undefined,
  limits: HttpLimits,
): HeadFields {
  const fields = new HeadFields(version);
  readFields(block, 0, limits.headerCount, fields);
  fields.settle(authority);
  return fields;
}

/** Any other wish for an upgrade is ignored, as RFC 9110, 7.8 allows, and for HTTP/1.0 demands. */
function opensWebSocket(method: string, { version, upgrade, headers, length }: HeadFields): boolean {
  return (
    method === "GET" &&
    version === "1.1" &&
    length === 0 &&
    hasMember(upgrade, "websocket") &&
    headerValues(headers, "connection").some((value) => hasMember(value, "upgrade"))
  );
}

export const methodTooLong = (): SallyportError => bad("no method within the first octets");

export const targetTooLong = (limits: HttpLimits): SallyportError =>
  new SallyportError("TARGET_TOO_LONG", `the request target is longer than ${limits.target} octets`);

export const headersTooLarge = (limits: HttpLimits): SallyportError =>
  new SallyportError("HEADERS_TOO_LARGE", `the headers are larger than ${limits.headerBytes} octets`);

export const bodyTooLarge = (limits: HttpLimits): SallyportError =>
  new SallyportError("BODY_TOO_LARGE", `the request body is larger than ${limits.body} octets`);

function readVersion(text: string): "1.0" | "1.1" {
  if (text === "HTTP/1.1") return "1.1";
  if (text === "HTTP/1.0") return "1.0";
  const [, major] = VERSION.exec(text) ?? [];
  if (major === undefined) throw bad("a malformed HTTP version");
  // A higher minor version promises to be understood as the highest that we know (RFC 9110, 2.5).
  if (major === "1") return "1.1";
  throw new SallyportError("VERSION_UNSUPPORTED", "a version of HTTP other than 1.0 and 1.1");
}

function readMethod(method: string): string {
  if (method === "GET" || method === "POST") return method;
  if (method.length > LONGEST_METHOD) throw methodTooLong();
  if (!isToken(method)) throw bad("a malformed method");
  // A tunnel is a proxy's business (RFC 9110, 9.3.6).
  if (method === "CONNECT") throw new SallyportError("METHOD_UNSUPPORTED", "CONNECT: this is not a proxy");
  return method;
}

/** Collects the fields of a head and what those that concern the protocol itself say. */
export class HeadFields implements FieldSink {
  readonly headers: string[] = [];
  host = "";
  length = 0;
  persistent: boolean;
  expectsContinue = false;
  upgrade = "";
  /** For those who make something of the fields, and meet them again. */
  repeated: Repeated | undefined;
  readonly version: "1.0" | "1.1";
  #hostAt = -1;
  #contentType = false;
  #contentLength: string | undefined;
  #transferEncoding: string | undefined;
  #closes = false;

  constructor(version: "1.0" | "1.1") {
    this.version = version;
    this.persistent = version === "1.1";
  }

  field(name: FieldName, value: string): void {
    this.headers.push(name.name, value);
    switch (name.lower) {
      case "host":
        return this.#host(value);
      case "connection":
        return this.#connection(value);
      case "content-length":
        if (this.#contentLength !== undefined) throw bad("two Content-Length lines");
        this.#contentLength = value;
        return;
      case "transfer-encoding":
        if (this.#transferEncoding !== undefined) throw bad("two Transfer-Encoding lines");
        this.#transferEncoding = value;
        return;
      case "content-type":
        if (this.#contentType) throw bad("two Content-Type lines");
        this.#contentType = true;
        return;
      case "expect":
        return this.#expect(value);
      case "upgrade":
        this.upgrade = this.upgrade === "" ? value : `${this.upgrade}, ${value}`;
        return;
    }
  }

  /** All fields are here: do they agree? `authority` is the target's own. */
  settle(authority: string | undefined): void {
    if (this.#hostAt < 0 && this.version === "1.1") throw new SallyportError("BAD_HOST", "no Host");
    if (authority !== undefined) this.#overrule(authority);
    // A URI of http or https names a host (RFC 9110, 4.2.1), and only HTTP/1.0 can leave it to the connection.
    if (this.host === "" && this.version === "1.1") throw new SallyportError("BAD_HOST", "an empty Host");
    if (this.#transferEncoding !== undefined) this.#chunked(this.#transferEncoding);
    else if (this.#contentLength !== undefined) this.length = readLength(this.#contentLength);
  }

  #host(value: string): void {
    if (this.#hostAt >= 0) throw new SallyportError("BAD_HOST", "two Host lines");
    if (!isHost(value)) throw new SallyportError("BAD_HOST", "a malformed Host");
    this.#hostAt = this.headers.length - 1;
    this.host = value;
  }

  /** The target's host wins (RFC 9112, 3.2.2), everywhere: the Host that applications see is mended too. */
  #overrule(authority: string): void {
    this.host = authority;
    if (this.#hostAt >= 0) this.headers[this.#hostAt] = authority;
  }

  #connection(value: string): void {
    if (hasMember(value, "close")) this.#closes = true;
    this.persistent = !this.#closes && (this.persistent || hasMember(value, "keep-alive"));
  }

  #expect(value: string): void {
    // An HTTP/1.0 client cannot expect anything (RFC 9110, 10.1.1).
    if (this.version === "1.0") return;
    if (value.toLowerCase() !== "100-continue")
      throw new SallyportError("EXPECTATION_FAILED", "an Expect other than 100-continue");
    this.expectsContinue = true;
  }

  #chunked(coding: string): void {
    if (this.#contentLength !== undefined) throw bad("both Content-Length and Transfer-Encoding");
    if (this.version === "1.0") throw bad("Transfer-Encoding on HTTP/1.0");
    if (coding.toLowerCase() !== "chunked") throw codingError(coding.toLowerCase());
    this.length = CHUNKED;
  }
}

/** Digits and nothing else, and few enough that a number holds them exactly. */
function readLength(value: string): number {
  if (!DIGITS.test(value)) throw bad("a malformed Content-Length");
  return Number(value);
}

/** A body whose last coding is not chunked has no certain end: 400 (RFC 9112, 6.3); any coding before it we do not know. */
function codingError(coding: string): SallyportError {
  if (!CODING_LIST.test(coding)) return bad("a malformed Transfer-Encoding");
  const codings = coding.split(",").map((part) => part.trim());
  if (codings.indexOf("chunked") !== codings.length - 1)
    return bad("a Transfer-Encoding whose last coding is not a single chunked");
  return new SallyportError("CODING_UNKNOWN", "a Transfer-Encoding other than chunked");
}
