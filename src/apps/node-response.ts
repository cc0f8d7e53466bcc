// A node:http response that answers an exchange. Everything a handler can call is node's own code; only the five methods by
// which node renders and sends bytes are replaced, as own properties, since Express replaces the prototype of every response.
// A response that is complete within one turn of the loop leaves in one call.
// Tested by test/apps/node.test.ts.
import { ServerResponse, STATUS_CODES, validateHeaderName, validateHeaderValue } from "node:http";
import type { Socket } from "node:net";
import { type Exchange, type Headers, type ResponseHead, SallyportError } from "../exchange/index.ts";
import { type AppIncomingMessage, abortNodeRequest, releaseRequest } from "./node-request.ts";
import type { ExchangeSocket } from "./node-socket.ts";

const WRITER = Symbol("sallyport.writer");

type Callback = (error?: Error) => void;
/** What `writeHead` was given: a flat list, a list of pairs, or an object. */
type GivenHeaders = readonly unknown[] | Readonly<Record<string, unknown>> | undefined;

/** Members of node:http that its types do not have. */
interface Internals {
  _header: string | null;
  _trailer: string;
  getRawHeaderNames(): string[];
  /** Renders the head. */
  _storeHeader(statusLine: string, headers: GivenHeaders): void;
  /** Sends body bytes, after the rendered head where that is still due. */
  _send(data: string | Uint8Array, encoding?: BufferEncoding | null, callback?: Callback): boolean;
  /** Sends informational heads. */
  _writeRaw(data: string, encoding?: BufferEncoding, callback?: Callback): boolean;
  /** The response has ended. */
  _finish(): void;
  /** Sends what was buffered; true makes `_flush` emit "drain". */
  _flushOutput(): boolean;
  _flush(): void;
}

type NodeResponse = ServerResponse<AppIncomingMessage> & Internals & { [WRITER]: ExchangeWriter };

export function nodeResponse(
  exchange: Exchange,
  req: AppIncomingMessage,
  socket: ExchangeSocket,
): ServerResponse {
  const res = new ServerResponse(req) as NodeResponse;
  res[WRITER] = new ExchangeWriter(exchange, res, req, socket);
  res._storeHeader = storeHeader;
  res._send = send;
  res._writeRaw = writeRaw;
  res._finish = finish;
  res._flushOutput = neverBuffers;
  res.on("error", failExchange);
  res.assignSocket(socket as unknown as Socket);
  return res;
}

function storeHeader(this: NodeResponse, statusLine: string, given: GivenHeaders): void {
  const { statusCode, statusMessage } = this;
  if (statusCode < 200) throw new RangeError(`a final response cannot have the status ${statusCode}`);
  const reason = statusMessage === STATUS_CODES[statusCode] ? "" : statusMessage;
  this[WRITER].head = { status: statusCode, reason, headers: headersOf(this, given) };
  this.chunkedEncoding = false;
  this._header = statusLine;
}

function send(
  this: NodeResponse,
  data: string | Uint8Array,
  encoding?: unknown,
  callback?: Callback,
): boolean {
  return this[WRITER].send(data, encoding as BufferEncoding, callback);
}

function writeRaw(this: NodeResponse, data: string, _encoding?: unknown, callback?: Callback): boolean {
  this[WRITER].inform(data);
  if (callback) process.nextTick(callback);
  return true;
}

function finish(this: NodeResponse): void {
  (ServerResponse.prototype as NodeResponse)._finish.call(this);
  this[WRITER].finish();
}

const neverBuffers = (): boolean => true;

/** A write after the end, for one. Without a listener, the "error" event would end the whole server. */
function failExchange(this: NodeResponse, error: Error): void {
  this[WRITER].fail(error);
}

/** Turns node's calls into calls of the exchange. */
class ExchangeWriter {
  head: ResponseHead | undefined;
  readonly #exchange: Exchange;
  readonly #res: NodeResponse;
  readonly #req: AppIncomingMessage;
  readonly #socket: ExchangeSocket;
  /** The first piece of the body, held until the turn ends: with an `end` in the same turn it is the whole. */
  #held: Uint8Array | string = "";
  #callbacks: Callback[] = [];
  #endTurnScheduled = false;
  #draining = false;
  #finished = false;

  constructor(exchange: Exchange, res: NodeResponse, req: AppIncomingMessage, socket: ExchangeSocket) {
    this.#exchange = exchange;
    this.#res = res;
    this.#req = req;
    this.#socket = socket;
    exchange.whenClosed(({ complete }) => this.#closed(complete));
  }

  send(
    data: string | Uint8Array,
    encoding: BufferEncoding | undefined,
    callback: Callback | undefined,
  ): boolean {
    if (callback) this.#callbacks.push(callback);
    this.#scheduleEndTurn();
    if (this.#exchange.closed) return false;
    this.#socket.touch();
    const piece = encodedUnlessUtf8(data, encoding);
    if (piece.length === 0) return !this.#draining;
    if (!this.#exchange.started && this.#held.length === 0) {
      this.#held = piece;
      return true;
    }
    this.#flushHead();
    this.#write(piece);
    return !this.#draining;
  }

  inform(text: string): void {
    const [statusLine = "", ...lines] = text.trimEnd().split("\r\n");
    const status = Number(statusLine.split(" ")[1]);
    // The listener sends 100, when the body is first read.
    if (status !== 100) this.#exchange.inform({ status, reason: "", headers: fieldsOf(lines) });
  }

  finish(): void {
    if (this.#finished) return;
    this.#finished = true;
    const trailers = this.#res._trailer ? fieldsOf(this.#res._trailer.trimEnd().split("\r\n")) : undefined;
    if (!this.#exchange.started && !trailers && this.head) {
      this.#exchange.respond(this.head, this.#held);
    } else {
      this.#flushHead();
      this.#exchange.end(trailers);
    }
    this.#scheduleEndTurn();
  }

  fail(error: Error): void {
    const detail = error.stack;
    this.#exchange.fail(
      new SallyportError("APP_RAISED", `the response: ${error.message}`, { cause: error, detail }),
    );
  }

  #flushHead(): void {
    if (this.#exchange.started || !this.head) return;
    this.#exchange.start(this.head);
    if (this.#held.length > 0) this.#write(this.#held);
    this.#held = "";
  }

  #write(piece: string | Uint8Array): void {
    const ready = this.#exchange.write(typeof piece === "string" ? Buffer.from(piece) : piece);
    if (ready || this.#draining) return;
    this.#draining = true;
    this.#exchange.whenDrained(() => this.#drained());
  }

  #drained(): void {
    this.#draining = false;
    this.#socket.touch();
    this.#callBack();
    // Makes node emit "drain"; after `end` it would finish a second time.
    if (!this.#finished) this.#res._flush();
  }

  #scheduleEndTurn(): void {
    if (this.#endTurnScheduled) return;
    this.#endTurnScheduled = true;
    process.nextTick(endTurn, this);
  }

  endTurn(): void {
    this.#endTurnScheduled = false;
    if (!this.#exchange.closed) this.#flushHead();
    if (!this.#draining || this.#exchange.closed) this.#callBack();
    if (!this.#finished) return;
    // "finish" has been emitted; the request and the socket, and by it the response, still have to emit "close".
    releaseRequest(this.#req);
    this.#socket.destroy();
  }

  #callBack(): void {
    if (this.#callbacks.length === 0) return;
    const callbacks = this.#callbacks;
    this.#callbacks = [];
    const error = this.#socket._hadError ? new Error("the response was cut") : undefined;
    for (const callback of callbacks) callback(error);
  }

  #closed(complete: boolean): void {
    if (complete && this.#finished) return;
    this.#socket._hadError = true;
    this.#held = "";
    this.#scheduleEndTurn();
    // As in node itself the socket is gone by then: otherwise the request would destroy it with its own error.
    this.#socket.destroy();
    abortNodeRequest(this.#req);
  }
}

const endTurn = (writer: ExchangeWriter): void => writer.endTurn();

/** Text in UTF-8 stays text, so that a listener can send it together with the head. */
function encodedUnlessUtf8(
  data: string | Uint8Array,
  encoding: BufferEncoding | undefined,
): string | Uint8Array {
  if (typeof data !== "string" || !encoding || encoding === "utf8" || encoding === "utf-8") return data;
  return data.length === 0 ? data : Buffer.from(data, encoding);
}

/** The head's fields. Once `setHeader` was used node merges all fields there; otherwise it passes those given. */
function headersOf(res: NodeResponse, given: GivenHeaders): Headers {
  const headers: string[] = [];
  const names = res.getRawHeaderNames();
  for (const name of names) add(headers, name, res.getHeader(name));
  if (names.length === 0 && given) addGiven(headers, given);
  return headers;
}

function addGiven(headers: string[], given: NonNullable<GivenHeaders>): void {
  if (!isList(given)) {
    for (const name of Object.keys(given)) addChecked(headers, name, given[name]);
  } else if (Array.isArray(given[0])) {
    for (const [name, value] of given as [string, unknown][]) addChecked(headers, name, value);
  } else {
    for (let i = 0; i + 1 < given.length; i += 2) addChecked(headers, String(given[i]), given[i + 1]);
  }
}

const isList = (given: NonNullable<GivenHeaders>): given is readonly unknown[] => Array.isArray(given);

/** Fields that bypassed `setHeader`: node's own checks throw into the application. */
function addChecked(headers: string[], name: string, value: unknown): void {
  validateHeaderName(name);
  for (const one of Array.isArray(value) ? value : [value]) validateHeaderValue(name, one);
  add(headers, name, value);
}

function add(headers: string[], name: string, value: unknown): void {
  // The listener frames the body: what it gets is never chunked.
  if (name.length === 17 && name.toLowerCase() === "transfer-encoding") return;
  if (Array.isArray(value)) for (const one of value) headers.push(name, String(one));
  else headers.push(name, String(value));
}

function fieldsOf(lines: readonly string[]): Headers {
  return lines.flatMap((line) => {
    const colon = line.indexOf(":");
    return [line.slice(0, colon), line.slice(colon + 1).trim()];
  });
}
