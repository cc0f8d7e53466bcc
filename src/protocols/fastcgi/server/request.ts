// One exchange that a FastCGI application is to answer, from the web server's side: what is asked, and whether it may be
// asked again. Each time that it is sent is an attempt (attempt.ts).
// Tested by test/protocols/fastcgi/server/gateway.test.ts.
import {
  type Exchange,
  type Log,
  type RequestBody,
  type ResponseHead,
  SallyportError,
} from "../../../exchange/index.ts";
import type { ResponseBufferLimits } from "../../../exchange/response-buffer.ts";
import { type Role, STATUS } from "../codec.ts";
import type { Attempt } from "./attempt.ts";
import type { Backend } from "./backend.ts";

/** What is sent. */
export interface RequestOptions {
  readonly role: Role;
  /** The content of PARAMS, latin-1. */
  readonly params: string;
  /** Bytes, or a function that makes a reader, from the start each time; for a body that can be read once, the same one. */
  readonly body: Uint8Array | (() => RequestBody);
  /** Whether `body` can be read again. */
  readonly repeatable: boolean;
  /** The second stream of a Filter. */
  readonly file: DataFile | undefined;
}

export interface DataFile {
  readonly path: Buffer;
  /** As it was announced. */
  readonly length: number;
}

/** The same for all requests of a gateway. */
export interface RequestSettings {
  readonly log: Log;
  /** Milliseconds until the head of the response must be here; 0 for no limit. */
  readonly timeout: number;
  /** Milliseconds for which the application may stop in its response, or leave an upload unread; 0 for no limit. */
  readonly stallTimeout: number;
  readonly buffer: ResponseBufferLimits;
  /** Answers a local redirect; without it the client is redirected. */
  readonly redirect?: ((exchange: Exchange, location: string) => void) | undefined;
}

/** Gets an authorizer's response before the client does. True: the request may pass, and the response is not sent. */
export type AuthorizerCheck = (head: ResponseHead) => boolean;

const SAFE_METHODS: ReadonlySet<string> = new Set(["GET", "HEAD", "OPTIONS"]);

export class OutgoingRequest {
  readonly exchange: Exchange;
  readonly options: RequestOptions;
  readonly settings: RequestSettings;
  readonly authorize: AuthorizerCheck | undefined;
  /** When it began to wait for a connection (milliseconds, `performance.now`); 0 while it does not. */
  since = 0;
  /** How often it was sent. */
  attempts = 0;
  /** Where it has failed. */
  failedAt: Set<Backend> | undefined;
  /** Nothing more is to be done for it: it was answered, failed, or is answered by another gateway. */
  over = false;
  #attempt: Attempt | undefined;
  /** It was sent in an attempt that failed. */
  #repeated = false;

  constructor(
    exchange: Exchange,
    options: RequestOptions,
    settings: RequestSettings,
    authorize?: AuthorizerCheck,
  ) {
    this.exchange = exchange;
    this.options = options;
    this.settings = settings;
    this.authorize = authorize;
    exchange.whenClosed(() => this.#closed());
  }

  /** Whether it is sent again if its connection turns out to be closed: when it changes nothing, and only once. */
  get expendable(): boolean {
    return !this.#repeated && this.options.repeatable && SAFE_METHODS.has(this.exchange.request.method);
  }

  /** Whether more than its parameters is sent. */
  get hasBody(): boolean {
    const { body, file } = this.options;
    return file !== undefined || !(body instanceof Uint8Array) || body.length > 0;
  }

  beginAttempt(attempt: Attempt): void {
    this.attempts++;
    this.since = 0;
    this.#attempt = attempt;
  }

  /** The attempt failed, and another may follow. */
  endAttempt(): void {
    this.#repeated ||= this.#attempt?.sent === true;
    this.#attempt?.cancel();
    this.#attempt = undefined;
  }

  fail(error: SallyportError): void {
    if (this.#attempt) return this.#attempt.fail(error);
    if (this.over) return;
    this.over = true;
    this.exchange.fail(error);
  }

  /** The client has left, or the exchange was answered elsewhere. */
  #closed(): void {
    if (this.over) return;
    this.over = true;
    this.#attempt?.abort();
  }
}

/** Why a request was turned away before the application saw it (5.5). */
export function refusalOf(protocolStatus: number): SallyportError | undefined {
  if (protocolStatus === STATUS.REQUEST_COMPLETE) return undefined;
  if (protocolStatus === STATUS.CANT_MPX_CONN || protocolStatus === STATUS.OVERLOADED)
    return new SallyportError("UPSTREAM_BUSY", "the FastCGI application takes no more requests now");
  const why =
    protocolStatus === STATUS.UNKNOWN_ROLE
      ? "the FastCGI application does not play this role (FCGI_UNKNOWN_ROLE)"
      : `the FastCGI application ended the request with protocol status ${protocolStatus}`;
  return new SallyportError("UPSTREAM_BROKEN", why);
}
