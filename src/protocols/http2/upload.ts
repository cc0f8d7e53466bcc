// A request body on its way in. The client's window follows what is read: who does not read holds it back.
import type { ServerHttp2Stream } from "node:http2";
import { type BodySource, type Headers, PushedBody, SallyportError } from "../../exchange/index.ts";
import { bodyTooLarge } from "../../http/refusals.ts";
import type { Http2ListenerContext } from "./site.ts";

/** The stream, as its body sees it. */
export interface UploadCallbacks {
  /** Somebody reads, and the client waits to be told. */
  sendContinue(): void;
  /** The body will never be complete, and that is the client's fault. */
  bodyFailed(error: SallyportError): void;
  /** Nothing more is read. */
  stopReading(): void;
}

export class Http2Upload implements BodySource {
  readonly body: PushedBody;
  /** When the client has sent nothing for too long, on the context's clock. */
  deadline = Number.POSITIVE_INFINITY;
  readonly #stream: ServerHttp2Stream;
  readonly #context: Http2ListenerContext;
  readonly #callbacks: UploadCallbacks;
  /** The client waits for 100 Continue, and has sent no byte (RFC 9110, 10.1.1). */
  #expecting: boolean;
  #paused = false;
  #bytes = 0;
  /** Nobody needs the rest: what may still come before the stream is closed. */
  #draining: number | undefined;
  #error: SallyportError | undefined;
  #trailers: Headers | undefined;

  constructor(
    stream: ServerHttp2Stream,
    context: Http2ListenerContext,
    callbacks: UploadCallbacks,
    request: { length: number | undefined; expectsContinue: boolean },
  ) {
    this.#stream = stream;
    this.#context = context;
    this.#callbacks = callbacks;
    this.#expecting = request.expectsContinue;
    this.body = new PushedBody(request.length, this);
    stream.on("data", (chunk: Buffer) => this.#take(chunk));
    stream.on("end", () => this.#end());
    this.#await();
  }

  trailers(trailers: Headers): void {
    this.#trailers = trailers;
  }

  /** The time is up. */
  expire(): void {
    if (this.#draining !== undefined) return this.#spend();
    this.fail(new SallyportError("REQUEST_TIMEOUT", "the request did not arrive in time"));
    this.#callbacks.bodyFailed(this.#error as SallyportError);
  }

  /** The body will never be complete; who reads it is told. */
  fail(error: SallyportError): void {
    this.#error = error;
    this.body.fail(error);
    this.#await();
  }

  /** The exchange is over: what still comes is read for nothing, within limits, so that small bodies end in peace. */
  drop(): void {
    if (this.#expecting || this.#error) return this.#spend();
    this.fail(new SallyportError("BODY_INCOMPLETE", "the response was over before the request body"));
    this.body.discard();
    const { limits, now } = this.#context;
    this.#draining = limits.drain;
    this.deadline = now + limits.drainTimeout;
    this.#stream.resume();
  }

  // The body's calls.

  wanted(): void {
    if (!this.#expecting) return;
    this.#expecting = false;
    this.#callbacks.sendContinue();
    this.#await();
  }

  pause(): void {
    this.#paused = true;
    this.#await();
    this.#stream.pause();
  }

  resume(): void {
    this.#paused = false;
    this.#await();
    this.#stream.resume();
  }

  #end(): void {
    this.body.end(this.#trailers);
    this.deadline = Number.POSITIVE_INFINITY;
  }

  #take(chunk: Buffer): void {
    if (this.#draining !== undefined) return this.#drain(this.#draining - chunk.length);
    this.#expecting = false;
    this.#bytes += chunk.length;
    if (this.#bytes > this.#context.limits.body) return this.#tooLarge();
    this.body.push(chunk);
    this.#await();
  }

  #tooLarge(): void {
    if (this.#error) return;
    const error = bodyTooLarge(this.#context.limits.body);
    this.fail(error);
    this.#stream.pause();
    this.#callbacks.bodyFailed(error);
  }

  #drain(left: number): void {
    this.#draining = left;
    if (left < 0) this.#spend();
  }

  #spend(): void {
    this.#draining = 0;
    this.deadline = Number.POSITIVE_INFINITY;
    this.#stream.pause();
    this.#callbacks.stopReading();
  }

  /** A client that we keep waiting has no deadline. */
  #await(): void {
    const { now, limits } = this.#context;
    const waits = this.#expecting || this.#paused || this.body.finished;
    this.deadline = waits ? Number.POSITIVE_INFINITY : now + limits.bodyTimeout;
  }
}
