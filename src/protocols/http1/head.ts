// The head of a request in HTTP/1.1: its request line and its field lines (RFC 9112, 3, 5).
// Tested by test/protocols/http1/codec.test.ts.
import { type Headers, headerValues, isToken, SallyportError } from "../../exchange/index.ts";
import { hasMember, readFields } from "../../http/fields.ts";
import type { HttpLimits } from "../../http/limits.ts";
import {
  bodyTooLarge,
  headersTooLarge,
  LONGEST_METHOD,
  notAProxy,
  targetTooLong,
} from "../../http/refusals.ts";
import { HeadFields } from "../../http/request-fields.ts";
import { readTarget } from "../../http/target.ts";

/** Bytes of a request line besides its target: method, two spaces, version. */
export const LINE_OVERHEAD = LONGEST_METHOD + 2 + "HTTP/1.1".length;

const VERSION = /^HTTP\/([0-9])\.([0-9])$/;
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
  /** Bytes of body to come; CHUNKED when only the end will tell. */
  readonly length: number;
  /** Whether the client wants to use the connection again. */
  readonly persistent: boolean;
  readonly expectsContinue: boolean;
  /** The parsed fields, where the block equals that of the request before; otherwise undefined. */
  readonly fields: HeadFields | undefined;
  /** It asks for a WebSocket, as RFC 6455, 4.2.1, demands. */
  readonly opensWebSocket: boolean;
}

/** Bytes of the longest field block that is remembered, to be recognised in the next request. */
const LONGEST_REMEMBERED = 2_048;

/** The fields of the last request of a connection: a block that equals them byte for byte need not be read again. */
export class LastFields {
  #block = "";
  #fields: HeadFields | undefined;

  /** The fields of `block`, if it is the one remembered. */
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
  if (target.length > limits.target) throw targetTooLong(limits.target);
  const { path, query, authority } = readTarget(method, target);
  if (text.length - end - 2 > limits.headerBytes) throw headersTooLarge(limits.headerBytes);
  const block = text.slice(end + 2);
  const known = authority === undefined ? before.recall(version, block) : undefined;
  const fields = known ?? newFields(block, version, authority, limits);
  if (known === undefined && authority === undefined) before.remember(block, fields);
  const { headers, host, length, persistent, expectsContinue } = fields;
  if (length > limits.body) throw bodyTooLarge(limits.body);
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

/** Any other Upgrade is ignored, as RFC 9110, 7.8, allows, and demands for HTTP/1.0. */
function opensWebSocket(method: string, { version, upgrade, headers, length }: HeadFields): boolean {
  return (
    method === "GET" &&
    version === "1.1" &&
    length === 0 &&
    hasMember(upgrade, "websocket") &&
    headerValues(headers, "connection").some((value) => hasMember(value, "upgrade"))
  );
}

export const methodTooLong = (): SallyportError => bad("no method within the first bytes");

function readVersion(text: string): "1.0" | "1.1" {
  if (text === "HTTP/1.1") return "1.1";
  if (text === "HTTP/1.0") return "1.0";
  const [, major] = VERSION.exec(text) ?? [];
  if (major === undefined) throw bad("a malformed HTTP version");
  // A higher minor version may be read as the highest that we know (RFC 9110, 2.5).
  if (major === "1") return "1.1";
  throw new SallyportError("VERSION_UNSUPPORTED", "a version of HTTP other than 1.0 and 1.1");
}

function readMethod(method: string): string {
  if (method === "GET" || method === "POST") return method;
  if (method.length > LONGEST_METHOD) throw methodTooLong();
  if (!isToken(method)) throw bad("a malformed method");
  if (method === "CONNECT") throw notAProxy();
  return method;
}
