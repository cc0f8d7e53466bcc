// The part of an ASGI scope that a request adds (ASGI 3.0; HTTP and WebSocket message format 2.5), marshalled with the scope's
// own keys. The worker adds what every scope has (asgi, extensions, state). Runs for every request, so nothing is allocated
// for a header name seen before.
// Tested by test/protocols/asgi/requests.test.ts.
import { isIP } from "node:net";
import { decodePath } from "../../cgi/metavariables/encode.ts";
import { type Address, type Exchange, header, type RequestHead, repeatedOf } from "../../exchange/index.ts";
import { LARGE, PIECE, type StreamTransport, TO_WORKER } from "../../workers/index.ts";
import {
  bytes,
  DICT,
  DICT_END,
  EMPTY,
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

/** Writes the request: whole, or only what is new if the connection has sent the same fields before. Throws BAD_PATH. */
export function writeScope({ writer, commonParts }: StreamTransport, id: number, exchange: Exchange): void {
  const { request, handshake } = exchange;
  const { whole } = exchange.body;
  const repeated = handshake ? undefined : repeatedOf(request);
  const large = whole && isLarge(whole) ? whole : undefined;
  if (!repeated) return writer.text(TO_WORKER.REQUEST, id, scope(exchange), large);
  const line = requestLine(exchange);
  const number =
    commonParts.numberOf(repeated) ||
    commonParts.send(writer, repeated, commonPart(repeated.first, exchange.takesTrailers));
  writer.text(TO_WORKER.REPEAT, id, SEVEN + int(number) + line, large);
}

/** It comes behind what is marshalled. */
const isLarge = ({ length }: Uint8Array): boolean => length >= LARGE && length <= PIECE;

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
    common(request, exchange.takesTrailers) +
    DICT_END
  );
}

/** Method, path, raw_path, query_string, root_path and body, in the order that python/sallyport/asgi/server.py expects. */
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

/** What stays the same while the fields do, of an HTTP request. */
const commonPart = (request: RequestHead, takesTrailers: boolean): string =>
  entry("type", "http") + SCHEMES[request.scheme] + common(request, takesTrailers);

const rootPath = (mount: string): string => (mount === "" ? EMPTY : pathText(mount));

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

/** What stays the same while the fields do. */
function common(request: RequestHead, takesTrailers: boolean): string {
  return (
    entry("http_version", request.version) +
    fields(request) +
    address("client", request.remote, false) +
    address("server", request.local, true) +
    (takesTrailers ? TRAILERS : "") +
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

/**
 * The bytes if they are here, their number if they come behind what is marshalled, None if they will be streamed,
 * undefined if there is no body.
 */
function bodyBytes({ body: { whole } }: Exchange): string | undefined {
  if (whole?.length === 0) return undefined;
  if (!whole || whole.length > PIECE) return NONE;
  return isLarge(whole) ? int(whole.length) : bytes(whole);
}

const ASCII = /^[\x01-\x7f]*$/;

/** A path, marshalled: percent-decoded once, then as UTF-8; invalid bytes become U+FFFD, and `raw_path` has the original. */
function pathText(raw: string): string {
  const path = decodePath(raw);
  return ASCII.test(path) ? latin1(path) : unicode(Buffer.from(path, "latin1").toString("utf8"));
}

const names = new FieldNames();

function fields({ version, headers, authority }: RequestHead): string {
  // HTTP/2 has the host in a pseudo header; the specification wants it to come first.
  const isPseudo = version === "2" && authority !== "" && header(headers, "host") === undefined;
  let text = latin1("headers") + list(headers.length / 2 + (isPseudo ? 1 : 0));
  if (isPseudo) text += field("host", authority);
  for (let i = 0; i < headers.length; i += 2) text += field(headers[i] as string, headers[i + 1] as string);
  return text;
}

const field = (name: string, value: string): string => names.pairOf(name) + latin1Bytes(value);

/** A tuple of host and port; for a Unix socket, path and None for the server and no entry for the client. */
function address(key: string, { address, port }: Address, pathCounts: boolean): string {
  const onUnix = port === 0 && isIP(address) === 0;
  if (onUnix && (!pathCounts || address === "")) return "";
  if (onUnix) return latin1(key) + PAIR + unicode(address) + NONE;
  const isMapped = address.startsWith("::ffff:") && address.includes(".");
  return latin1(key) + PAIR + latin1(isMapped ? address.slice(7) : address) + int(port);
}
