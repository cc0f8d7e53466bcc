// A request body on its way in. The client's window follows what is read: an application that does not read holds it back.
// Tested by test/protocols/http2/requests.test.ts.
import type { ServerHttp2Stream } from "node:http2";
import { type BodySource, type Headers, PushedBody, SallyportError } from "../../exchange/index.ts";
import { bodyTooLarge } from "../../http/refusals.ts";
import { NOT_IN_TRAILERS } from "../../http/trailers.ts";
import type { Http2ListenerContext } from "./listener.ts";
import { type Http2Request, readTrailers } from "./request.ts";
import type { Http2Stream } from "./stream.ts";

export class Http2Upload implements BodySource {
  readonly body: PushedBody;
  /** When the client has sent nothing for too long, on the listener's clock. */
  deadline = Number.POSITIVE_INFINITY;
  readonly #stream: ServerHttp2Stream;
  readonly #context: Http2ListenerContext;
  readonly #http2Stream: Http2Stream;
  /** The client waits for 100 Continue, and has sent no byte (RFC 9110, 10.1.1). */
  #expecting: boolean;
  /** Bytes that the client may still send: of the body, or, once that is dropped, until the stream is closed. */
  #allowed: number;
  /** The exchange is over: what still comes is thrown away. */
  #dropped = false;
  #trailers: Headers | undefined;

  constructor(
    stream: ServerHttp2Stream,
    context: Http2ListenerContext,
    http2Stream: Http2Stream,
    { length, expectsContinue }: Http2Request,
  ) {
    this.#stream = stream;
    this.#context = context;
    this.#http2Stream = http2Stream;
    this.#expecting = expectsContinue;
    this.#allowed = context.limits.body;
    this.body = new PushedBody(length, this);
    stream.on("data", (chunk: Buffer) => this.#take(chunk));
    stream.on("trailers", (_, _flags, fields: readonly string[] = []) => {
      this.#trailers = readTrailers(fields, NOT_IN_TRAILERS);
    });
    stream.on("end", () => this.#end());
    this.#renewDeadline();
  }

  expire(): void {
    if (this.#dropped) return this.#stopReading();
    this.#refuse(new SallyportError("REQUEST_TIMEOUT", "the request did not arrive in time"));
  }

  /** The body will never be complete; its reader gets `error`. */
  fail(error: SallyportError): void {
    this.body.fail(error);
    this.#renewDeadline();
  }

  /** The exchange is over: the rest is read and thrown away, within limits, so that the client can finish a small body. */
  drop(): void {
    if (this.#expecting || this.body.finished) return this.#stopReading();
    this.fail(new SallyportError("BODY_INCOMPLETE", "the response was over before the request body"));
    this.body.discard();
    const { limits, connections } = this.#context;
    this.#dropped = true;
    this.#allowed = limits.drain;
    this.deadline = connections.now + limits.drainTimeout;
    this.#stream.resume();
  }

  // The body's calls.

  wanted(): void {
    if (!this.#expecting) return;
    this.#expecting = false;
    this.#http2Stream.writer.inform({ ":status": 100 });
    this.#renewDeadline();
  }

  pause(): void {
    this.#stream.pause();
    this.#renewDeadline();
  }

  resume(): void {
    this.#stream.resume();
    this.#renewDeadline();
  }

  // The stream's events.

  #take(chunk: Buffer): void {
    this.#allowed -= chunk.length;
    if (this.#allowed < 0) return this.#dropped ? this.#stopReading() : this.#tooLarge();
    if (this.#dropped) return;
    this.#expecting = false;
    this.body.push(chunk);
    this.#renewDeadline();
  }

  #end(): void {
    this.body.end(this.#trailers);
    this.deadline = Number.POSITIVE_INFINITY;
  }

  #tooLarge(): void {
    if (this.body.finished) return;
    this.#stream.pause();
    this.#refuse(bodyTooLarge(this.#context.limits.body));
  }

  #refuse(error: SallyportError): void {
    this.fail(error);
    this.#http2Stream.bodyFailed(error);
  }

  #stopReading(): void {
    this.#dropped = true;
    this.#allowed = 0;
    this.deadline = Number.POSITIVE_INFINITY;
    this.#stream.pause();
    this.#http2Stream.stopReading();
  }

  /** The client has a deadline only while we are ready to take what it sends. */
  #renewDeadline(): void {
    const { limits, connections } = this.#context;
    const isReady = !this.#expecting && !this.#stream.isPaused() && !this.body.finished;
    this.deadline = isReady ? connections.now + limits.bodyTimeout : Number.POSITIVE_INFINITY;
  }
}
