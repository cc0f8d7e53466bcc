// How HTTP/1 and HTTP/2 differ for node's two kinds of responses.
import type { ServerResponse } from "node:http";
import { constants, type Http2ServerResponse } from "node:http2";
import type { Headers, ResponseHead } from "../exchange/index.ts";
import { APART, joined, withoutEdges } from "../http/fields.ts";
import { STATUS_CODES } from "../http/status-codes.ts";
import { resetSocket } from "../sockets/reset.ts";

/** Either kind: they have the same methods. Only the second has a stream. */
export type NodeResponse = ServerResponse & Partial<Pick<Http2ServerResponse, "stream">>;

const isHttp2Response = (res: NodeResponse): boolean => "stream" in res;

/** Added to what the host's middleware has set before: cookies, and what else the response varies by (its CORS says Origin). */
const ADDED: readonly string[] = ["set-cookie", "vary"];

/**
 * The application's other fields replace those of the host's middleware. Repeated ones are joined for HTTP/2: node:http2 throws for
 * two lines of a field of which it knows that it has one value.
 */
export function writeHead(res: NodeResponse, { status, reason }: ResponseHead, fields: Headers): void {
  const seen = new Set(ADDED);
  res.removeHeader("Content-Length");
  for (let i = 0; i < fields.length; i += 2) {
    const [name, value] = [fields[i] as string, withoutEdges(fields[i + 1] as string)];
    const lower = name.toLowerCase();
    const before = seen.has(lower) ? res.getHeader(name) : undefined;
    if (before === undefined) res.setHeader(name, value);
    else if (isHttp2Response(res) && !APART.has(lower)) res.setHeader(name, joined(String(before), value));
    else res.appendHeader(name, value);
    seen.add(lower);
  }
  if (isHttp2Response(res)) res.writeHead(status);
  else res.writeHead(status, reason || (STATUS_CODES[status] ?? ""));
}

/** Sends the head alone. `flushHeaders` would do so in UTF-8, and ours is latin-1; where it is ASCII both are the same. */
export function flushHead(res: NodeResponse, bodied: boolean): void {
  if (bodied && !isHttp2Response(res)) res.write("", "latin1");
  else res.flushHeaders();
}

/** A list for a name of which node knows that it has one value would make node:http2 throw where only the process hears it. */
export function addTrailers(res: NodeResponse, trailers: Headers): void {
  const fields = listed(trailers);
  if (isHttp2Response(res))
    for (const [name, value] of Object.entries(fields)) fields[name] = [value].flat().reduce(joined);
  res.addTrailers(fields);
}

/** Fields as node takes hints and trailers: an object, with a list for a name that occurs more than once. */
export function listed(headers: Headers): Record<string, string | string[]> {
  const fields: Record<string, string | string[]> = Object.create(null);
  for (let i = 0; i < headers.length; i += 2) {
    const name = (headers[i] as string).toLowerCase();
    const value = withoutEdges(headers[i + 1] as string);
    fields[name] = name in fields ? [fields[name] as string, value].flat() : value;
  }
  return fields;
}

/** Ends the connection, or the stream, so that the client cannot take the response for complete. */
export function cut(res: NodeResponse): void {
  const { stream, socket } = res;
  if (!stream) flushPieces(res);
  if (stream) stream.close(constants.NGHTTP2_INTERNAL_ERROR);
  else if (!socket) res.destroy();
  else if (res.headersSent && endsWithConnection(res)) resetSocket(socket);
  else if (res.writableNeedDrain) socket.destroy();
  else socket.destroySoon();
}

/** From version 26 on, node gathers the pieces of a turn in the response, to send them as one chunk: its end would be too late. */
function flushPieces(res: NodeResponse): void {
  while (res.writableCorked > 0) res.uncork();
}

/** Where the end of the connection ends the body (HTTP/1.0), only a reset shows that it is incomplete. */
const endsWithConnection = (res: NodeResponse): boolean =>
  !res.chunkedEncoding && !res.hasHeader("content-length");
