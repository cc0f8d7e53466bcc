// One HTTP/2 request and how its response leaves (RFC 9113, 8.1): framing is the stream's own, a cut is RST_STREAM.
import {
  bytesOf,
  type Headers,
  type Log,
  type RequestBody,
  type RequestHead,
  type ResponseBody,
  type ResponseHead,
  SallyportError,
} from "../../exchange/index.ts";
import { CheckedExchange } from "../../http/checked-exchange.ts";
import { announcedLength } from "../../http/content-length.ts";
import {
  type Opening,
  ServedHandshake,
  type UpgradedStream,
  type UpgradeTransport,
  type WebSocketClock,
} from "../../websocket/index.ts";
import { informFields, responseFields } from "./response.ts";
import type { Http2ResponseWriter } from "./response-writer.ts";

/** The stream, as its exchange sees it. */
export interface Http2Transport {
  readonly writer: Http2ResponseWriter;
  /** The client is ready for trailers. */
  readonly takesTrailers: boolean;
  /** The response is complete, as far as the application goes. */
  answered(): void;
  /** The response will never be complete. */
  cut(): void;
  /** Answers 200 with these fields, and gives the stream away. */
  hijack(fields: Headers): UpgradedStream;
}

/** node:http2 sends no higher one (RFC 9110, 15, gives them no meaning). */
const HIGHEST_STATUS = 599;
const OK = 200;
const RESET_CONTENT = 205;

/** A client of RFC 8441 takes any 2xx for an open WebSocket. */
const notOpened = (): SallyportError =>
  new SallyportError("METHOD_UNSUPPORTED", "a WebSocket was asked for, and answered like a page");

export class Http2Exchange extends CheckedExchange implements UpgradeTransport {
  readonly body: RequestBody;
  handshake: ServedHandshake | undefined;
  readonly #transport: Http2Transport;

  constructor(request: RequestHead, body: RequestBody, log: Log, transport: Http2Transport) {
    super(request, log);
    this.body = body;
    this.#transport = transport;
  }

  /** The request asks for a WebSocket that can be had. */
  offer(opening: Opening, sockets: WebSocketClock): void {
    this.handshake = new ServedHandshake(opening, sockets, this);
  }

  accept(fields: Headers): UpgradedStream {
    this.switched(OK);
    return this.#transport.hijack(fields);
  }

  protected override sendInform(head: ResponseHead): void {
    if (this.admitsInform(head)) this.#transport.writer.inform(informFields(head));
  }

  protected sendWhole(head: ResponseHead, body: ResponseBody, bodyless: boolean): void {
    const { writer } = this.#transport;
    const bytes = bytesOf(body);
    if (bodyless) writer.headOnly(responseFields(head, announcedLength(head)));
    else if (bytes.length === 0 || head.status === RESET_CONTENT) writer.headOnly(responseFields(head, 0));
    else writer.whole(responseFields(head, bytes.length), bytes);
    this.#transport.answered();
  }

  protected sendHead(head: ResponseHead, length: number, bodyless: boolean): void {
    const { writer, takesTrailers } = this.#transport;
    if (bodyless) writer.headOnly(responseFields(head, announcedLength(head)));
    else if (head.status === RESET_CONTENT) writer.headOnly(responseFields(head, 0));
    else writer.head(responseFields(head, length), takesTrailers);
  }

  protected sendChunk(chunk: Uint8Array): boolean {
    return this.#transport.writer.write(chunk);
  }

  protected sendEnd(trailers: Headers | undefined): void {
    this.#transport.writer.end(trailers);
    this.#transport.answered();
  }

  protected sendCut(error: SallyportError): void {
    if (this.handshake?.cut(error)) return;
    this.#transport.cut();
  }

  protected override admits(head: ResponseHead): boolean {
    if (!super.admits(head, HIGHEST_STATUS)) return false;
    if (!this.handshake || head.status >= 300) return true;
    this.fail(notOpened());
    return false;
  }
}
