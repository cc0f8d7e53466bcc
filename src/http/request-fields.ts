// The fields of a request head about its body, its host and its connection (RFC 9110, 7.2, 8.6, 10.1.1; RFC 9112, 6, 9.3).
// A request that two recipients could read in two ways is refused (RFC 9112, 11.2).
// Tested by test/protocols/http1/codec.test.ts.
import { type Repeated, SallyportError } from "../exchange/index.ts";
import { readContentLength } from "./content-length.ts";
import { readExpectation } from "./expectation.ts";
import { type FieldName, type FieldSink, hasMember } from "./fields.ts";
import { isHost } from "./target.ts";

/** The length of a chunked body, which only its end tells. */
export const CHUNKED = -1;

const CODING_LIST = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+(?:[ \t]*,[ \t]*[!#$%&'*+\-.^_`|~0-9A-Za-z]+)*$/;

const bad = (why: string): SallyportError => new SallyportError("BAD_REQUEST", why);

/** Collects the fields of a head, and the meaning of those that concern HTTP itself. */
export class HeadFields implements FieldSink {
  readonly headers: string[] = [];
  host = "";
  length = 0;
  persistent: boolean;
  expectsContinue = false;
  upgrade = "";
  /** The cache for values derived from these fields, once they come again. */
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

  /** Checks that all fields agree. `authority` is that of an absolute target. */
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

  /** The target's host wins (RFC 9112, 3.2.2), also in the Host field that applications see. */
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
    this.expectsContinue ||= readExpectation(value);
  }

  #chunked(coding: string): void {
    if (this.#contentLength !== undefined) throw bad("both Content-Length and Transfer-Encoding");
    if (this.version === "1.0") throw bad("Transfer-Encoding on HTTP/1.0");
    if (coding.toLowerCase() !== "chunked") throw codingError(coding.toLowerCase());
    this.length = CHUNKED;
  }
}

/** Digits only, and few enough that a number holds them exactly. */
function readLength(value: string): number {
  const length = readContentLength(value);
  if (length < 0) throw bad("a malformed Content-Length");
  return length;
}

/** A body whose last coding is not chunked has no certain end: 400 (RFC 9112, 6.3). Codings before it are unknown to us: 501. */
function codingError(coding: string): SallyportError {
  if (!CODING_LIST.test(coding)) return bad("a malformed Transfer-Encoding");
  const codings = coding.split(",").map((part) => part.trim());
  if (codings.indexOf("chunked") !== codings.length - 1)
    return bad("a Transfer-Encoding whose last coding is not a single chunked");
  return new SallyportError("CODING_UNKNOWN", "a Transfer-Encoding other than chunked");
}
