// An exchange without a listener that records its response. For tests of gateways and apps.
// Tested by test/exchange/base-exchange.test.ts.
import { BaseExchange } from "../exchange/base-exchange.ts";
import { NO_BODY, WholeBody } from "../exchange/body.ts";
import { SallyportError } from "../exchange/errors.ts";
import type { Outcome, RequestBody, RequestHead, ResponseHead } from "../exchange/exchange.ts";
import { type Headers, takesTrailers } from "../exchange/headers.ts";
import { bytesOf, type ResponseBody } from "../exchange/lines.ts";
import { type Log, silentLog } from "../exchange/log.ts";

export interface RecordedRequest {
  method?: string;
  /** Path and query, as on a request line. */
  target?: string;
  version?: string;
  headers?: Headers;
  scheme?: "http" | "https";
  authority?: string;
  /** The part of the path that goes to SCRIPT_NAME. */
  mount?: string;
  body?: RequestBody | Uint8Array | string;
  log?: Log;
}

/** The response as a client would have received it. */
export interface Recorded extends Outcome {
  readonly reason: string;
  readonly headers: Headers;
  readonly body: Buffer;
  readonly informs: readonly ResponseHead[];
  readonly trailers: Headers;
}

export class RecordedExchange extends BaseExchange {
  readonly body: RequestBody;
  readonly informs: ResponseHead[] = [];
  head: ResponseHead | undefined;
  trailers: Headers = [];
  readonly chunks: Buffer[] = [];
  /** While true, `write` answers false, as for a client that does not read; `release` ends that. */
  stalled = false;

  constructor(request: RecordedRequest = {}) {
    super(requestHead(request), request.log ?? silentLog);
    this.body = requestBody(request.body);
    this.mount = request.mount ?? "";
  }

  /** Resolves with everything, once the exchange is over. */
  get done(): Promise<Recorded> {
    return new Promise((resolve) => this.whenClosed((outcome) => resolve(this.#recorded(outcome))));
  }

  override get takesTrailers(): boolean {
    return takesTrailers(this.request.version, this.request.headers);
  }

  /** The client reads again. */
  release(): void {
    this.stalled = false;
    this.drained();
  }

  /** The client hangs up. */
  hangUp(): void {
    this.lost(new SallyportError("CLIENT_LEFT", "the client closed the connection"));
  }

  protected override sendInform(head: ResponseHead): void {
    this.informs.push(head);
  }

  protected sendWhole(head: ResponseHead, body: ResponseBody): void {
    this.head = head;
    if (body.length > 0) this.chunks.push(Buffer.from(bytesOf(body)));
  }

  protected sendHead(head: ResponseHead): void {
    this.head = head;
  }

  protected sendChunk(chunk: Uint8Array): boolean {
    this.chunks.push(Buffer.from(chunk));
    return !this.stalled;
  }

  protected sendEnd(trailers: Headers | undefined): void {
    this.trailers = trailers ?? [];
  }

  protected sendCut(): void {}

  #recorded(outcome: Outcome): Recorded {
    const { informs, trailers, head } = this;
    const body = Buffer.concat(this.chunks);
    return { ...outcome, reason: head?.reason ?? "", headers: head?.headers ?? [], body, informs, trailers };
  }
}

function requestHead(request: RecordedRequest): RequestHead {
  const target = request.target ?? "/";
  const mark = target.indexOf("?");
  return {
    method: request.method ?? "GET",
    target,
    path: mark < 0 ? target : target.slice(0, mark),
    query: mark < 0 ? "" : target.slice(mark + 1),
    version: request.version ?? "1.1",
    headers: request.headers ?? ["Host", "localhost"],
    scheme: request.scheme ?? "http",
    authority: request.authority ?? "localhost",
    remote: { address: "127.0.0.1", port: 50_000 },
    local: { address: "127.0.0.1", port: 8000 },
  };
}

function requestBody(body: RecordedRequest["body"]): RequestBody {
  if (body === undefined) return NO_BODY;
  if (typeof body === "string" || body instanceof Uint8Array)
    return new WholeBody(Buffer.from(body as string));
  return body;
}
