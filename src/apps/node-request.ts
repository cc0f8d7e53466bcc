// Makes a node:http request from an exchange. What is bound to the exchange are own properties of the object: Express
// replaces the prototype of every request, which would lose the methods of a subclass.
import { IncomingMessage } from "node:http";
import type { Socket } from "node:net";
import {
  type Exchange,
  type Headers,
  header,
  type RequestBody,
  type SallyportError,
} from "../exchange/index.ts";
import type { ExchangeSocket } from "./node-socket.ts";

const SOURCE = Symbol("sallyport.source");

/** Members of node:http that its types do not have. */
interface Internals {
  _addHeaderLines(headers: string[], count: number): void;
  _dump(): void;
}

interface Source {
  readonly exchange: Exchange;
  readonly socket: ExchangeSocket;
  reading: boolean;
  /** The handler has begun to read. */
  consuming: boolean;
}

interface RoutedRequest {
  baseUrl?: string;
  originalUrl?: string;
}

export type AppIncomingMessage = IncomingMessage & Internals & RoutedRequest & { [SOURCE]: Source };

export function nodeRequest(exchange: Exchange, socket: ExchangeSocket): AppIncomingMessage {
  const req = new IncomingMessage(socket as unknown as Socket) as AppIncomingMessage;
  const { method, headers } = exchange.request;
  req.method = method;
  setVersion(req, exchange.request.version);
  setUrl(req, exchange);
  req._addHeaderLines(headers.slice(), headers.length);
  if (exchange.body.length !== 0) announceBody(req, headers);
  // After the headers: once it is complete, node takes header lines for trailers.
  req.complete = exchange.body.whole !== undefined;
  req[SOURCE] = { exchange, socket, reading: false, consuming: false };
  if (!req.complete) exchange.body.keep?.();
  req._read = pull;
  return req;
}

/** As node's own server does once the response has ended: a body that nothing reads is thrown away, and "close" is emitted. */
export function releaseRequest(req: AppIncomingMessage): void {
  if (req.readableEnded || req.destroyed || isRead(req)) return;
  // A complete body comes into the stream when it is read; from Node 26 on `_dump` expects that it is there.
  if (req.complete) pull.call(req);
  else req[SOURCE].exchange.body.discard();
  req._dump();
}

/** Whether the handler has begun to read, or is about to: a stream begins in a later turn than its listener is added. */
function isRead(req: AppIncomingMessage): boolean {
  const { readableFlowing } = req;
  if (req[SOURCE].consuming || readableFlowing === true) return true;
  return readableFlowing === false && req.listenerCount("readable") > 0;
}

/** The client is gone, or the exchange was cut: emits "aborted", "close", and "error" where something listens. */
export function abortNodeRequest(req: AppIncomingMessage): void {
  if (req.destroyed) return;
  req.destroy(Object.assign(new Error("aborted"), { code: "ECONNRESET" }));
}

function setVersion(req: AppIncomingMessage, version: string): void {
  if (version === "1.1") {
    req.httpVersionMajor = 1;
    req.httpVersionMinor = 1;
    req.httpVersion = version;
    return;
  }
  const [major, minor = "0"] = version.split(".");
  req.httpVersionMajor = Number(major);
  req.httpVersionMinor = Number(minor);
  req.httpVersion = `${major}.${minor}`;
}

/**
 * HTTP/2 and FastCGI need no field to say that a body of unknown length follows, and node's own HTTP/2 adds none; but body
 * parsers (type-is) see a body only by Content-Length or Transfer-Encoding. `rawHeaders` stay as they were sent.
 */
function announceBody(req: AppIncomingMessage, sent: Headers): void {
  if (header(sent, "content-length") !== undefined || req.httpVersion === "1.0") return;
  if (header(sent, "transfer-encoding") === undefined) req.headers["transfer-encoding"] = "chunked";
}

/** Below a mount the names are those of Express: `url` without the mount, `baseUrl` the mount, `originalUrl` both. */
function setUrl(req: AppIncomingMessage, { mount, request }: Exchange): void {
  const { target, path, query } = request;
  const full = isTargetOf(target, path, query) ? target : query ? `${path}?${query}` : path;
  if (mount === "") {
    req.url = full;
    return;
  }
  const rest = full.slice(mount.length);
  req.url = rest.startsWith("/") ? rest : `/${rest}`;
  req.baseUrl = mount;
  req.originalUrl = full;
}

/** Whether `target` is this path and query: either may have been rewritten, for an application below another one. */
function isTargetOf(target: string, path: string, query: string): boolean {
  if (!target.startsWith(path)) return false;
  if (target.length === path.length) return query === "";
  return (
    target.charCodeAt(path.length) === 0x3f &&
    target.length === path.length + 1 + query.length &&
    target.endsWith(query)
  );
}

/** `_read`: reads one more piece from the exchange. */
function pull(this: AppIncomingMessage): void {
  const source = this[SOURCE];
  if (source.reading) return;
  source.consuming = true;
  const { body } = source.exchange;
  if (body.whole !== undefined) {
    if (body.whole.length > 0) this.push(body.whole);
    return ended(this, body);
  }
  source.reading = true;
  body.read().then(
    (chunk) => arrived(this, source, chunk),
    (error) => incomplete(this, source.exchange, error),
  );
}

function arrived(req: AppIncomingMessage, source: Source, chunk: Uint8Array | undefined): void {
  source.reading = false;
  source.socket.touch();
  if (req.destroyed) return;
  if (chunk) {
    // IncomingMessage does not read on by itself, since node's server pushes into it: read on while there is room.
    if (req.push(chunk)) pull.call(req);
    return;
  }
  ended(req, source.exchange.body);
}

/** The response says so; where that has been given already, only the request can. */
function incomplete(req: AppIncomingMessage, exchange: Exchange, error: SallyportError): void {
  exchange.fail(error);
  if (!req.destroyed) req.destroy(error);
}

function ended(req: AppIncomingMessage, { trailers }: RequestBody): void {
  req.complete = true;
  if (trailers.length > 0) req._addHeaderLines(trailers.slice(), trailers.length);
  req.push(null);
}
