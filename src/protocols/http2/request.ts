// The head of a request, as an exchange has it (RFC 9113, 8.2, 8.3). nghttp2 has already reset streams whose heads are
// malformed: upper-case names, hop-by-hop fields, pseudo-headers that are missing, doubled or late. It drops fields with
// characters that are not allowed.
// Tested by test/protocols/http2/malformed.test.ts.
import { type Headers, isToken, type RequestHead, SallyportError } from "../../exchange/index.ts";
import { readContentLength } from "../../http/content-length.ts";
import { readExpectation } from "../../http/expectation.ts";
import {
  bodyTooLarge,
  headersTooLarge,
  LONGEST_METHOD,
  notAProxy,
  targetTooLong,
  tooManyHeaders,
} from "../../http/refusals.ts";
import { isHost, readTarget } from "../../http/target.ts";
import type { ConnectionFacts } from "../../sockets/connection.ts";
import type { Http2Limits } from "./limits.ts";

export interface Http2Request {
  readonly head: RequestHead;
  /** Bytes of body that were announced; undefined when only the end will tell. */
  readonly length: number | undefined;
  readonly expectsContinue: boolean;
  /** The client is ready for trailers (RFC 9110, 10.1.4). */
  readonly takesTrailers: boolean;
  /** It is an extended CONNECT that asks for a WebSocket (RFC 8441, 4). */
  readonly opensWebSocket: boolean;
}

/** Bytes of a field line of HTTP/1.1 besides its name and value: colon, blank, CRLF. */
const FIELD_OVERHEAD = 4;
/** The connection decides which of the two it is: a proxy in front may have taken TLS off. */
const SCHEMES = /^https?$/i;

const bad = (why: string): SallyportError => new SallyportError("BAD_REQUEST", why);

/** `fields` are names and values in turn, as they came. Throws a SallyportError: 400, 413, 414, 417, 431, 501. */
export function readRequest(
  fields: readonly string[],
  facts: ConnectionFacts,
  limits: Http2Limits,
): Http2Request {
  const read = new RequestFields(limits);
  for (let i = 0; i < fields.length; i += 2) read.field(fields[i] as string, fields[i + 1] as string);
  const { length, expectsContinue, takesTrailers } = read;
  if (length !== undefined && length > limits.body) throw bodyTooLarge(limits.body);
  const head = requestHead(read, facts, limits);
  const opensWebSocket = read.method === "CONNECT";
  return { head, length, expectsContinue, takesTrailers, opensWebSocket };
}

function requestHead(read: RequestFields, facts: ConnectionFacts, limits: Http2Limits): RequestHead {
  const method = readMethod(read);
  const target = read.path;
  if (target.length > limits.target) throw targetTooLong(limits.target);
  const authority = read.settleHost();
  const { path, query, authority: absolute } = readTarget(method, target);
  // An absolute-form target is of HTTP/1.1 (RFC 9113, 8.3.1).
  if (absolute !== undefined) throw bad("a :path that is not a path");
  return { method, target, path, query, version: "2", headers: read.headers, authority, ...facts };
}

/** An extended CONNECT opens what a GET opens in HTTP/1.1: gateways without WebSockets see a GET. */
function readMethod({ method, protocol }: RequestFields): string {
  if (method === "GET" || method === "POST") return method;
  if (method.length > LONGEST_METHOD || !isToken(method)) throw bad("a malformed method");
  if (method !== "CONNECT") return method;
  if (protocol === "websocket") return "GET";
  throw notAProxy();
}

/** Collects the fields, and reads those that concern the protocol itself. */
class RequestFields {
  readonly headers: string[] = [];
  method = "";
  path = "";
  protocol: string | undefined;
  length: number | undefined;
  expectsContinue = false;
  takesTrailers = false;
  readonly #limits: Http2Limits;
  #authority: string | undefined;
  #hostAt = -1;
  #cookieAt = -1;
  #contentType = false;
  #bytes = 0;
  #count = 0;

  constructor(limits: Http2Limits) {
    this.#limits = limits;
  }

  field(name: string, value: string): void {
    if (name.charCodeAt(0) === 0x3a) return this.#pseudo(name, value);
    this.#count++;
    this.#bytes += name.length + value.length + FIELD_OVERHEAD;
    const { headerBytes, headerCount } = this.#limits;
    if (this.#bytes > headerBytes) throw headersTooLarge(headerBytes);
    if (this.#count > headerCount) throw tooManyHeaders(headerCount);
    if (!this.#special(name, value)) this.headers.push(name, value);
  }

  /** The host of the request. Applications that read headers find it as Host, too (RFC 9113, 8.3.1). */
  settleHost(): string {
    const host = this.#hostAt < 0 ? undefined : (this.headers[this.#hostAt] as string);
    const authority = this.#authority ?? host;
    if (authority === undefined) throw new SallyportError("BAD_HOST", "neither :authority nor Host");
    if (!isHost(authority)) throw new SallyportError("BAD_HOST", "a malformed :authority or Host");
    if (host === undefined) this.headers.unshift("host", authority);
    else if (host.toLowerCase() !== authority.toLowerCase())
      throw new SallyportError("BAD_HOST", "a Host that differs from :authority");
    return authority;
  }

  #pseudo(name: string, value: string): void {
    if (name === ":method") this.method = value;
    else if (name === ":path") this.path = value;
    else if (name === ":authority") this.#authority = value;
    else if (name === ":protocol") this.protocol = value.toLowerCase();
    else if (name === ":scheme" && !SCHEMES.test(value)) throw bad("a :scheme other than http and https");
  }

  /** True when the field was joined to an earlier one. */
  #special(name: string, value: string): boolean {
    switch (name) {
      case "host":
        if (this.#hostAt >= 0) throw new SallyportError("BAD_HOST", "two Host lines");
        this.#hostAt = this.headers.length + 1;
        return false;
      case "cookie":
        return this.#crumb(value);
      case "content-length":
        if (this.length !== undefined) throw bad("two Content-Length lines");
        this.length = readContentLength(value);
        if (this.length < 0) throw bad("a malformed Content-Length");
        return false;
      case "content-type":
        if (this.#contentType) throw bad("two Content-Type lines");
        this.#contentType = true;
        return false;
      case "expect":
        this.expectsContinue ||= readExpectation(value);
        return false;
      case "te":
        this.takesTrailers = true;
        return false;
      default:
        return false;
    }
  }

  /** A Cookie may be split into crumbs for better compression; they are joined again (RFC 9113, 8.2.3). */
  #crumb(value: string): boolean {
    if (this.#cookieAt < 0) {
      this.#cookieAt = this.headers.length + 1;
      return false;
    }
    this.headers[this.#cookieAt] += `; ${value}`;
    return true;
  }
}

/** The fields that a trailer may have; the others are dropped. */
export function readTrailers(fields: readonly string[], banned: ReadonlySet<string>): Headers {
  const headers: string[] = [];
  for (let i = 0; i < fields.length; i += 2) {
    const name = fields[i] as string;
    if (!banned.has(name)) headers.push(name, fields[i + 1] as string);
  }
  return headers;
}
