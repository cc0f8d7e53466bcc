// The application's half of CGI/1.1 (RFC 3875, 6): one request that meta-variables described, answered with a head and
// bytes until the end. Shared by the listeners of CGI, FastCGI, SCGI and uwsgi, which supply the transport.
// Tested by test/cgi/socket/listener.test.ts.
import {
  BaseExchange,
  bytesOf,
  type Headers,
  Latin1,
  type Log,
  type RequestBody,
  type ResponseBody,
  type ResponseHead,
  SallyportError,
} from "../exchange/index.ts";
import { cgiHeadFault, cgiResponseHead, type DocumentOptions } from "./head.ts";
import type { DescribedRequest } from "./metavariables/decode.ts";

/** Carries the response to the server in front. */
export interface CgiTransport {
  /** False when more should wait: `exchange.drained` will be called. */
  write(bytes: Uint8Array): boolean;
  /** Writes a complete response that is small, as latin-1 text; `answered` is not called then. */
  respond?(document: string): void;
  /** The response is complete. */
  answered(): void;
  /** It never will be. `framed`: the server can see that already, because the head announced a length, or is missing. */
  cut(framed: boolean): void;
}

/** Writes a response head. */
export type Compose = (head: ResponseHead, options: DocumentOptions) => string;

export class CgiExchange extends BaseExchange {
  readonly body: RequestBody;
  readonly #transport: CgiTransport;
  readonly #compose: Compose;
  #framed = true;

  constructor(
    { request, mount }: DescribedRequest,
    body: RequestBody,
    log: Log,
    transport: CgiTransport,
    compose: Compose = cgiResponseHead,
  ) {
    super(request, log);
    this.mount = mount;
    this.body = body;
    this.#transport = transport;
    this.#compose = compose;
  }

  protected sendWhole(head: ResponseHead, body: ResponseBody, bodyless: boolean, length: number): void {
    const text = this.#compose(head, bodyless ? { bodyless, checked } : { length, checked });
    if (this.#transport.respond && length <= SMALL)
      return this.#transport.respond(text + asLatin1(body, length));
    const bytes = bytesOf(body);
    this.#transport.write(length === 0 ? latin1(text) : Buffer.concat([latin1(text), bytes]));
    this.#transport.answered();
  }

  protected sendHead(head: ResponseHead, length: number, bodyless: boolean): void {
    this.#framed = bodyless || length >= 0;
    this.#transport.write(latin1(this.#compose(head, { bodyless, checked })));
  }

  protected sendChunk(chunk: Uint8Array): boolean {
    return this.#transport.write(chunk);
  }

  /** CGI knows no trailers. */
  protected sendEnd(_trailers: Headers | undefined): void {
    this.#transport.answered();
  }

  protected sendCut(_error: SallyportError): void {
    this.#transport.cut(this.#framed);
  }

  protected override admits(head: ResponseHead): boolean {
    const fault = cgiHeadFault(head);
    if (fault === undefined) return true;
    this.fail(new SallyportError("APP_PROTOCOL", `the response cannot be sent: ${fault}`));
    return false;
  }
}

/** `admits` has checked every head. */
const checked = true;

/** Up to this size, copying bytes behind their head costs less than a buffer of their own. */
const SMALL = 16_384;

const latin1 = (text: string): Buffer => Buffer.from(text, "latin1");

/** `length` bytes as characters. Text of as many bytes as characters is ASCII, which latin-1 and UTF-8 write alike. */
function asLatin1(body: ResponseBody, length: number): string {
  if (length === 0) return "";
  if (body instanceof Latin1) return body.text;
  if (typeof body === "string") return body.length === length ? body : Buffer.from(body).toString("latin1");
  return Buffer.from(body.buffer, body.byteOffset, length).toString("latin1");
}
