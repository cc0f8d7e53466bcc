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
  /** Bytes that the client may still send: of the body, or, once the response is over, until the stream is closed. */
  #allowed: number;
  /** The response is over: what still comes is thrown away, unless a late reader keeps it. */
  #answered = false;
  /** The client was told to stop, or will be: what still comes is thrown away. */
  #stopped = false;
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
    if (this.#answered) return this.#stopReading();
    this.#refuse(new SallyportError("REQUEST_TIMEOUT", "the request did not arrive in time"));
  }

  /** The body will never be complete; its reader gets `error`. */
  fail(error: SallyportError): void {
    this.body.fail(error);
    this.#renewDeadline();
  }

  /** The response is over: the rest is read within limits, so that the client can finish a small body. */
  answered(): void {
    if (this.#expecting || this.body.finished) return this.#stopReading();
    if (!this.body.kept) this.drop();
    const { limits, connections } = this.#context;
    this.#answered = true;
    this.#allowed = limits.drain;
    this.deadline = connections.now + limits.drainTimeout;
    this.#stream.resume();
  }

  /** No more is read for the body; to a late reader it must not look complete. */
  drop(): void {
    this.body.close(new SallyportError("BODY_INCOMPLETE", "the response was over before the request body"));
  }

  // The body's calls.

  wanted(): void {
    if (!this.#expecting) return;
    this.#expecting = false;
    this.#http2Stream.writer.inform({ ":status": 100 });
    this.#renewDeadline();
  }

  pause(): void {
    if (this.#answered) return;
    this.#stream.pause();
    this.#renewDeadline();
  }

  resume(): void {
    if (this.#answered) return;
    this.#stream.resume();
    this.#renewDeadline();
  }

  // The stream's events.

  #take(chunk: Buffer): void {
    if (this.#stopped) return;
    this.#allowed -= chunk.length;
    if (this.#allowed < 0) return this.#answered ? this.#stopReading() : this.#tooLarge();
    this.#expecting = false;
    this.body.push(chunk);
    if (!this.#answered) this.#renewDeadline();
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
    this.drop();
    this.#answered = true;
    this.#stopped = true;
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
