// What a request adds to an ASGI scope (ASGI 3.0; HTTP and WebSocket message format 2.5), written as marshal with the
// scope's own keys. What every scope has besides (asgi, extensions, state) the worker adds. Called for every request, so
// nothing is allocated for a header name seen before.
import { isIP } from "node:net";
import { decodePath } from "../../cgi/metavariables/encode.ts";
import {
  type Address,
  type Exchange,
  header,
  type Repeated,
  type RequestHead,
  repeatedOf,
} from "../../exchange/index.ts";
import { PIECE, type StreamTransport, TO_WORKER } from "../../workers/index.ts";
import {
  bytes,
  DICT,
  DICT_END,
  entry,
  int,
  latin1,
  latin1Bytes,
  list,
  marshal,
  NONE,
  PAIR,
  SEVEN,
  TRUE,
  unicode,
} from "../../workers/marshal.ts";
import { FieldNames } from "./names.ts";
import { tlsEntry } from "./tls.ts";

/** Writes the request: whole, or, where the connection sent the same fields before, only what is new. Throws BAD_PATH. */
export function writeScope(transport: StreamTransport, id: number, exchange: Exchange): void {
  const { request, handshake } = exchange;
  const repeated = handshake ? undefined : repeatedOf(request);
  if (!repeated) return transport.writer.text(TO_WORKER.REQUEST, id, scope(exchange));
  const line = requestLine(exchange);
  const number = transport.commonParts.numberOf(repeated) || tell(transport, repeated, request);
  transport.writer.text(TO_WORKER.REPEAT, id, SEVEN + int(number) + line);
}

function scope(exchange: Exchange): string {
  const { request, mount } = exchange;
  return (
    DICT +
    kind(exchange) +
    PATH +
    pathText(request.path) +
    RAW_PATH +
    latin1Bytes(request.path) +
    QUERY_STRING +
    latin1Bytes(request.query) +
    ROOT_PATH +
    rootPath(mount) +
    common(request) +
    DICT_END
  );
}

/** The values of method, path, raw_path, query_string, root_path and body, which python/sallyport/asgi/server.py knows. */
function requestLine(exchange: Exchange): string {
  const { request, mount } = exchange;
  return (
    latin1(request.method) +
    pathText(request.path) +
    latin1Bytes(request.path) +
    latin1Bytes(request.query) +
    rootPath(mount) +
    (bodyBytes(exchange) ?? NO_BYTES)
  );
}

/** Tells the worker what does not change while the fields do not. */
function tell({ commonParts, writer }: StreamTransport, repeated: Repeated, request: RequestHead): number {
  const [number, forgotten] = commonParts.enter(repeated);
  const text = entry("type", "http") + SCHEMES[request.scheme] + common(request);
  writer.text(TO_WORKER.COMMON, number, PAIR + int(forgotten) + DICT + text + DICT_END);
  return number;
}

const rootPath = (mount: string): string => (mount === "" ? latin1("") : pathText(mount));

const METHOD = latin1("method");
const PATH = latin1("path");
const RAW_PATH = latin1("raw_path");
const QUERY_STRING = latin1("query_string");
const ROOT_PATH = latin1("root_path");
const BODY = latin1("body");
const HTTP = entry("type", "http") + METHOD;
const WEBSOCKET = entry("type", "websocket");
const SCHEMES = { http: entry("scheme", "http"), https: entry("scheme", "https") } as const;
const NO_BYTES = latin1Bytes("");
const TRAILERS = latin1("trailers") + TRUE;

/** What does not change while the fields do not. */
function common(request: RequestHead): string {
  return (
    entry("http_version", request.version) +
    fields(request) +
    address("client", request.remote, false) +
    address("server", request.local, true) +
    (takesTrailers(request) ? TRAILERS : "") +
    (request.tls ? tlsEntry(request.tls) : "")
  );
}

function kind(exchange: Exchange): string {
  const { request, handshake } = exchange;
  if (handshake) {
    const scheme = entry("scheme", request.scheme === "https" ? "wss" : "ws");
    return WEBSOCKET + scheme + latin1("subprotocols") + marshal(handshake.subprotocols);
  }
  return HTTP + latin1(request.method) + SCHEMES[request.scheme] + body(exchange);
}

function body(exchange: Exchange): string {
  const text = bodyBytes(exchange);
  return text === undefined ? "" : BODY + text;
}

/** Bytes that are here, None for what will be streamed, undefined where there is no body. */
function bodyBytes({ body: { whole } }: Exchange): string | undefined {
  if (whole?.length === 0) return undefined;
  return whole && whole.length <= PIECE ? bytes(whole) : NONE;
}

/** HTTP/2 always has room for them; a client of HTTP/1.1 says that it looks at them (RFC 9110, 6.5.1). */
function takesTrailers({ version, headers }: RequestHead): boolean {
  if (version === "2") return true;
  if (version === "1.0") return false;
  const accepted = header(headers, "te");
  return accepted !== undefined && /(^|[\s,])trailers($|[\s,;])/i.test(accepted);
}

const ASCII = /^[\x01-\x7f]*$/;

/** A path marshalled: percent-escapes decoded once, then UTF-8; what is not UTF-8 becomes U+FFFD, and `raw_path` has the bytes. */
function pathText(raw: string): string {
  const path = decodePath(raw);
  return ASCII.test(path) ? latin1(path) : unicode(Buffer.from(path, "latin1").toString("utf8"));
}

const names = new FieldNames();

function fields({ version, headers, authority }: RequestHead): string {
  // HTTP/2 says the host in a pseudo header; the specification wants it first.
  const hidden = version === "2" && authority !== "" && header(headers, "host") === undefined;
  let text = latin1("headers") + list(headers.length / 2 + (hidden ? 1 : 0));
  if (hidden) text += field("host", authority);
  for (let i = 0; i < headers.length; i += 2) text += field(headers[i] as string, headers[i + 1] as string);
  return text;
}

const field = (name: string, value: string): string => names.pairOf(name) + latin1Bytes(value);

/** A tuple of host and port; of a Unix socket the path and None for the server, and nothing for the client. */
function address(key: string, { address, port }: Address, pathCounts: boolean): string {
  const onUnix = port === 0 && isIP(address) === 0;
  if (onUnix && (!pathCounts || address === "")) return "";
  if (onUnix) return latin1(key) + PAIR + unicode(address) + NONE;
  const isMapped = address.startsWith("::ffff:") && address.includes(".");
  return latin1(key) + PAIR + latin1(isMapped ? address.slice(7) : address) + int(port);
}
