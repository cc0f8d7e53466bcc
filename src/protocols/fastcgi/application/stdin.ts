// A stream of a request on its way to the application (STDIN or DATA): bounded, and compared with the announced length.
// Tested by test/protocols/fastcgi/application/listener.test.ts.
import {
  type BodySource,
  NO_BODY,
  PushedBody,
  type RequestBody,
  SallyportError,
  WholeBody,
} from "../../../exchange/index.ts";

/** Unread bytes at which the connection of a single request stops being read. */
const HIGH_WATER = 65_536;

export interface RequestStdinOptions {
  /** Bytes announced; undefined where the stream ends with its last record only. */
  readonly length: number | undefined;
  /** Bytes accepted. */
  readonly limit: number;
  /** Bytes that may wait unread; the default suits a connection that is read for this request only. */
  readonly highWater?: number | undefined;
  /** `paused` has changed. */
  readonly flow: () => void;
}

export class RequestStdin implements BodySource {
  readonly #length: number | undefined;
  readonly #limit: number;
  readonly #highWater: number;
  readonly #flow: () => void;
  /** Bytes that came before `body` was called. */
  #early: Buffer[] = [];
  #received = 0;
  #ended = false;
  /** Too much waits to be read. */
  #isFull = false;
  #body: PushedBody | undefined;

  /** Throws BODY_TOO_LARGE when more is announced than accepted. */
  constructor({ length, limit, highWater = HIGH_WATER, flow }: RequestStdinOptions) {
    refuseOver(limit, length ?? 0);
    this.#length = length;
    this.#limit = limit;
    this.#highWater = highWater;
    this.#flow = flow;
  }

  /** Nothing more is due: the end came, or all that was announced. */
  get complete(): boolean {
    return this.#ended || this.#received === this.#length;
  }

  /** More of it should not come yet. What has come whole stops nothing: other requests, or an abort, may follow on the connection. */
  get paused(): boolean {
    return this.#isFull && !this.complete;
  }

  /** The body, whole when all of it has come already. Called once. */
  body(): RequestBody {
    const early = this.#early;
    this.#early = [];
    if (this.#length === 0 || (this.#ended && this.#received === 0 && !this.#short)) return NO_BODY;
    if (this.complete && !this.#short) return new WholeBody(Buffer.concat(early));
    const body = new PushedBody(this.#length, this, this.#highWater);
    this.#body = body;
    for (const piece of early) body.push(piece);
    if (this.#ended) this.#finish();
    return body;
  }

  /** A piece; bytes beyond the announced length are dropped. Throws BODY_TOO_LARGE. */
  take(content: Buffer): void {
    if (this.#ended) return;
    const room = this.#length === undefined ? content.length : this.#length - this.#received;
    const piece = content.length > room ? content.subarray(0, room) : content;
    if (piece.length === 0) return;
    refuseOver(this.#limit, this.#received + piece.length);
    this.#received += piece.length;
    if (this.#body) this.#body.push(piece);
    else this.#early.push(piece);
    if (this.complete) this.#finish();
  }

  /** The end of the stream (F13: the announced length decides whether it is that of the body). */
  end(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#finish();
  }

  fail(error: SallyportError): void {
    this.#ended = true;
    this.#body?.fail(error);
  }

  /** It is not needed any more. */
  drop(error: SallyportError): void {
    this.#ended = true;
    this.#body?.close(error);
    this.#early = [];
  }

  // The body's calls.

  pause(): void {
    this.#isFull = true;
    this.#flow();
  }

  resume(): void {
    this.#isFull = false;
    this.#flow();
  }

  get #short(): boolean {
    return this.#length !== undefined && this.#received < this.#length;
  }

  #finish(): void {
    if (!this.#short) this.#body?.end();
    else this.#body?.fail(new SallyportError("BODY_INCOMPLETE", this.#shortage));
  }

  get #shortage(): string {
    return `a FastCGI stream ended after ${this.#received} of ${this.#length} bytes`;
  }
}

function refuseOver(limit: number, length: number): void {
  if (length > limit)
    throw new SallyportError("BODY_TOO_LARGE", `the request body is larger than ${limit} bytes`);
}
