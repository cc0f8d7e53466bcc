// One HTTP/2 request and how its response leaves (RFC 9113, 8.1): the stream frames it, and RST_STREAM cuts it.
// Tested by test/protocols/http2/responses.test.ts.
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
  type UpgradedStream,
  type UpgradeTransport,
  type WebSocketClock,
  WebSocketHandshake,
} from "../../websocket/index.ts";
import { informFields, responseFields } from "./response.ts";
import type { Http2Stream } from "./stream.ts";

const OK = 200;
const RESET_CONTENT = 205;

/** A client of RFC 8441 takes any 2xx for an open WebSocket. */
const notAccepted = (): SallyportError =>
  new SallyportError("METHOD_UNSUPPORTED", "a request for a WebSocket was answered like one for a page");

export class Http2Exchange extends CheckedExchange implements UpgradeTransport {
  readonly body: RequestBody;
  handshake: WebSocketHandshake | undefined;
  readonly #stream: Http2Stream;

  constructor(request: RequestHead, body: RequestBody, log: Log, stream: Http2Stream) {
    super(request, log);
    this.body = body;
    this.#stream = stream;
  }

  override get takesTrailers(): boolean {
    return this.#stream.writer.takesTrailers;
  }

  /** The request asks for a WebSocket, and may have one. */
  offer(opening: Opening, clock: WebSocketClock): void {
    this.handshake = new WebSocketHandshake(opening, clock, this);
  }

  accept(fields: Headers): UpgradedStream {
    this.switched(OK);
    return this.#stream.hijack(fields);
  }

  protected override sendInform(head: ResponseHead): void {
    if (this.admitsInform(head)) this.#stream.writer.inform(informFields(head));
  }

  protected sendWhole(head: ResponseHead, body: ResponseBody, bodyless: boolean): void {
    const { writer } = this.#stream;
    const bytes = bytesOf(body);
    if (bodyless) writer.headOnly(responseFields(head, announcedLength(head)));
    else if (bytes.length === 0 || head.status === RESET_CONTENT) writer.headOnly(responseFields(head, 0));
    else writer.whole(responseFields(head, bytes.length), bytes);
    this.#stream.answered();
  }

  protected sendHead(head: ResponseHead, length: number, bodyless: boolean): void {
    const { writer } = this.#stream;
    if (bodyless) writer.headOnly(responseFields(head, announcedLength(head)));
    else if (head.status === RESET_CONTENT) writer.headOnly(responseFields(head, 0));
    else writer.head(responseFields(head, length));
  }

  protected sendChunk(chunk: Uint8Array): boolean {
    return this.#stream.writer.write(chunk);
  }

  protected sendEnd(trailers: Headers | undefined): void {
    this.#stream.writer.end(trailers && this.admitted(trailers));
    this.#stream.answered();
  }

  protected sendCut(error: SallyportError): void {
    if (this.handshake?.cut(error)) return;
    this.#stream.cut();
  }

  protected override admits(head: ResponseHead): boolean {
    if (!super.admits(head)) return false;
    if (!this.handshake || head.status >= 300) return true;
    this.fail(notAccepted());
    return false;
  }
}
