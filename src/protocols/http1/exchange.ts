// One HTTP/1.1 request and how its response leaves: framing (RFC 9112, 6 and 7) and backpressure.
// Tested by test/protocols/http1/responses.test.ts.
import {
  bytesOf,
  type Headers,
  Latin1,
  type Log,
  Repeated,
  type RequestBody,
  type RequestHead,
  type ResponseBody,
  type ResponseHead,
  type SallyportError,
  takesTrailers,
} from "../../exchange/index.ts";
import { CheckedExchange } from "../../http/checked-exchange.ts";
import type { ConnectionFacts } from "../../sockets/connection.ts";
import {
  type Opening,
  type UpgradedStream,
  type UpgradeTransport,
  type WebSocketClock,
  WebSocketHandshake,
} from "../../websocket/index.ts";
import type { HeadEvent } from "./head.ts";
import { INTERIM, type ProbeText, ZEROS } from "./probe.ts";
import {
  asksToClose,
  type BodyFraming,
  chunkedEnd,
  informHead,
  MISSING_CHUNK,
  responseHead,
  switchingHead,
} from "./response-head.ts";
import type { ResponseWriter } from "./response-writer.ts";

/** What an exchange asks of its connection. */
export interface HttpTransport {
  readonly writer: ResponseWriter;
  /** Whether another request may follow this response. Asked once, when the head is made. */
  persists(): boolean;
  /** The response is complete. */
  answered(persistent: boolean): void;
  /** The response will never be complete. `framed`: its framing shows that even without a reset. */
  cut(framed: boolean): void;
  /** Sends `head`; the connection is then the caller's. */
  hijack(head: string): UpgradedStream;
}

export function requestOf(head: HeadEvent, { scheme, remote, local, tls }: ConnectionFacts): RequestHead {
  const { method, target, path, query, version, headers, authority, fields } = head;
  const repeated = fields?.repeated;
  const request = {
    method,
    target,
    path,
    query,
    version,
    headers,
    scheme,
    authority,
    remote,
    local,
    tls,
    repeated,
  };
  if (fields && !repeated) fields.repeated = request.repeated = new Repeated(request);
  return request;
}

/** Of an exchange that has become a WebSocket: it asks for nothing any more, and keeps no connection in memory. */
const SWITCHED = {} as HttpTransport;

export class HttpExchange extends CheckedExchange implements UpgradeTransport {
  readonly body: RequestBody;
  handshake: WebSocketHandshake | undefined;
  #transport: HttpTransport;
  #framing: BodyFraming = "length";
  #persistent = false;

  constructor(request: RequestHead, body: RequestBody, log: Log, transport: HttpTransport) {
    super(request, log);
    this.body = body;
    this.#transport = transport;
  }

  /** The request asks for a WebSocket, and may have one. */
  offer(opening: Opening, clock: WebSocketClock): void {
    this.handshake = new WebSocketHandshake(opening, clock, this);
  }

  accept(fields: Headers): UpgradedStream {
    this.switched(101);
    const stream = this.#transport.hijack(switchingHead(fields));
    this.#transport = SWITCHED;
    return stream;
  }

  override get takesTrailers(): boolean {
    return takesTrailers(this.request.version, this.request.headers);
  }

  /** Text that means nothing, to find out whether the client is still there; undefined when none can be sent now. */
  get probe(): ProbeText | undefined {
    if (!this.started) return INTERIM;
    return this.#framing === "chunked" ? ZEROS : undefined;
  }

  protected override sendInform(head: ResponseHead): void {
    const { status, headers } = head;
    if (this.admitsInform(head)) this.#transport.writer.text(informHead({ status, reason: "", headers }));
  }

  protected sendWhole(head: ResponseHead, body: ResponseBody, bodyless: boolean, size: number): void {
    const { writer } = this.#transport;
    const text = this.#head(head, bodyless ? "none" : "length", size);
    if (size === 0) writer.text(text);
    else if (body instanceof Latin1) writer.text(text + body.text);
    // As many bytes as characters: ASCII, which latin-1 and UTF-8 write alike.
    else if (typeof body === "string" && size === body.length) writer.text(text + body);
    else writer.bytes(text, bytesOf(body), "");
    this.#transport.answered(this.#persistent);
  }

  protected sendHead(head: ResponseHead, length: number, bodyless: boolean): void {
    const { writer } = this.#transport;
    writer.corkThisTurn();
    writer.text(
      this.#head(head, bodyless ? "none" : length >= 0 ? "length" : this.#framingWithoutLength(), length),
    );
  }

  protected sendChunk(chunk: Uint8Array): boolean {
    const { writer } = this.#transport;
    if (this.#framing !== "chunked") return writer.bytes("", chunk, "");
    return writer.bytes(`${chunk.length.toString(16)}\r\n`, chunk, "\r\n");
  }

  protected sendEnd(trailers: Headers | undefined): void {
    if (this.#framing === "chunked")
      this.#transport.writer.text(chunkedEnd(trailers && this.admitted(trailers)));
    this.#transport.answered(this.#persistent);
  }

  protected sendCut(error: SallyportError): void {
    if (this.handshake?.cut(error)) return;
    if (this.started && this.#framing === "chunked") this.#transport.writer.text(MISSING_CHUNK);
    this.#transport.cut(this.started && this.#framing !== "close");
  }

  /** A body of unknown length is chunked, or, for a client that cannot read that, ends with the connection. */
  #framingWithoutLength(): BodyFraming {
    return this.request.version === "1.0" ? "close" : "chunked";
  }

  #head(head: ResponseHead, framing: BodyFraming, length: number): string {
    const { version } = this.request;
    this.#framing = framing;
    this.#persistent = framing !== "close" && this.#transport.persists() && !asksToClose(head);
    return responseHead(head, { framing, length, version, persistent: this.#persistent });
  }
}
