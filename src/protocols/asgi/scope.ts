// What a request adds to an ASGI scope (ASGI 3.0; HTTP and WebSocket message format 2.5), written as marshal with the
// scope's own keys. What every scope has besides (asgi, extensions, state) the worker adds. Called for every request, so
// nothing is allocated for a header name seen before.
import { isIP } from "node:net";
import { type Address, type Exchange, header, type RequestHead } from "../../exchange/index.ts";
import { type FrameWriter, PIECE } from "../../workers/index.ts";
import { decodePath } from "../cgi/variables.ts";
import { FieldNames } from "./names.ts";
import { writeTls } from "./tls.ts";

/** Writes the dict. Throws BAD_PATH. */
export function writeScope(writer: FrameWriter, exchange: Exchange): void {
  const { request, mount } = exchange;
  writer.beginDict();
  writeKind(writer, exchange);
  writer.entry("http_version", request.version);
  writer.latin1("path");
  writer.text(pathText(request.path));
  writer.latin1("raw_path");
  writer.latin1Bytes(request.path);
  writer.latin1("query_string");
  writer.latin1Bytes(request.query);
  writer.latin1("root_path");
  writer.text(pathText(mount));
  writeHeaders(writer, request);
  writeAddress(writer, "client", request.remote, false);
  writeAddress(writer, "server", request.local, true);
  if (request.tls) writeTls(writer, request.tls);
  writer.endDict();
}

function writeKind(writer: FrameWriter, exchange: Exchange): void {
  const { request, handshake } = exchange;
  if (handshake) {
    writer.entry("type", "websocket");
    writer.entry("scheme", request.scheme === "https" ? "wss" : "ws");
    writer.latin1("subprotocols");
    return writer.value(handshake.subprotocols);
  }
  writer.entry("type", "http");
  writer.entry("method", request.method);
  writer.entry("scheme", request.scheme);
  writeBody(writer, exchange);
  if (takesTrailers(request)) {
    writer.latin1("trailers");
    writer.value(true);
  }
}

/** Octets that are here, None for what will be streamed, nothing where there is no body. */
function writeBody(writer: FrameWriter, { body }: Exchange): void {
  const { whole } = body;
  if (whole?.length === 0) return;
  writer.latin1("body");
  if (whole && whole.length <= PIECE) writer.bytes(whole);
  else writer.none();
}

/** HTTP/2 always has room for them; a client of HTTP/1.1 says that it looks at them (RFC 9110, 6.5.1). */
function takesTrailers({ version, headers }: RequestHead): boolean {
  if (version === "2") return true;
  if (version === "1.0") return false;
  const accepted = header(headers, "te");
  return accepted !== undefined && /(^|[\s,])trailers($|[\s,;])/i.test(accepted);
}

const ASCII = /^[\x01-\x7f]*$/;

/** Percent-escapes decoded once, then UTF-8; what is not UTF-8 becomes U+FFFD, and `raw_path` has the octets. */
function pathText(raw: string): string {
  const path = decodePath(raw);
  return ASCII.test(path) ? path : Buffer.from(path, "latin1").toString("utf8");
}

const names = new FieldNames();

function writeHeaders(writer: FrameWriter, { version, headers, authority }: RequestHead): void {
  // HTTP/2 says the host in a pseudo header; the specification wants it first.
  const hidden = version === "2" && authority !== "" && header(headers, "host") === undefined;
  writer.latin1("headers");
  writer.list(headers.length / 2 + (hidden ? 1 : 0));
  if (hidden) writeField(writer, "host", authority);
  for (let i = 0; i < headers.length; i += 2)
    writeField(writer, headers[i] as string, headers[i + 1] as string);
}

function writeField(writer: FrameWriter, name: string, value: string): void {
  writer.marshalled(names.pairOf(name));
  writer.latin1Bytes(value);
}

/** A tuple of host and port; of a Unix socket the path and None for the server, and nothing for the client. */
function writeAddress(
  writer: FrameWriter,
  key: string,
  { address, port }: Address,
  pathCounts: boolean,
): void {
  const onUnix = port === 0 && isIP(address) === 0;
  if (onUnix && (!pathCounts || address === "")) return;
  writer.latin1(key);
  writer.pair();
  if (onUnix) {
    writer.text(address);
    writer.none();
  } else {
    writer.latin1(address.startsWith("::ffff:") && address.includes(".") ? address.slice(7) : address);
    writer.int(port);
  }
}
