// The way out of one stream: large pieces in slices, so that a client that takes them slowly can be told from one that
// has stopped, whatever the other streams of its connection do.
import type { OutgoingHttpHeaders, ServerHttp2Stream } from "node:http2";
import type { Headers } from "../../exchange/index.ts";
import { trailerFields } from "./response.ts";
import type { Http2ListenerContext } from "./site.ts";

/** Bytes that are handed to node:http2 at once. */
const SLICE = 65_536;

export class Http2ResponseWriter {
  /** When the client has taken nothing for too long, on the context's clock. */
  deadline = Number.POSITIVE_INFINITY;
  readonly #stream: ServerHttp2Stream;
  readonly #context: Http2ListenerContext;
  readonly #drained: () => void;
  readonly #flushed = (): void => this.#progress();
  #queue: Uint8Array[] = [];
  #queued = 0;
  /** The last answer was that there is no room. */
  #held = false;
  #ending = false;
  /** Whether node:http2 will ask for trailers before it ends the stream, and whether they have left. */
  #hasTrailers = false;
  #trailersSent = false;
  #trailers: Headers | undefined;
  #whenTrailersSent: (() => void) | undefined;

  /** `drained` is told when what was held back has left. */
  constructor(stream: ServerHttp2Stream, context: Http2ListenerContext, drained: () => void) {
    this.#stream = stream;
    this.#context = context;
    this.#drained = drained;
  }

  /** Calls back once the response has left, to its end. */
  whenDone(callback: () => void): void {
    if (this.#hasTrailers && !this.#trailersSent) this.#whenTrailersSent = callback;
    else if (this.#stream.writableFinished) callback();
    else this.#stream.once("finish", callback);
  }

  inform(fields: OutgoingHttpHeaders): void {
    if (this.#open && !this.#stream.headersSent) this.#stream.additionalHeaders(fields);
  }

  /** The head of a response with a body; `trailers`: there may be some at its end. */
  head(fields: OutgoingHttpHeaders, trailers: boolean): void {
    if (!this.#open) return;
    if (trailers) this.#expectTrailers();
    this.#stream.respond(fields, { waitForTrailers: trailers });
  }

  /** A whole response. */
  whole(fields: OutgoingHttpHeaders, body: Uint8Array): void {
    this.head(fields, false);
    if (body.length <= SLICE && this.#writable) {
      this.deadline = this.#context.now + this.#context.limits.sendTimeout;
      this.#stream.end(body);
    } else {
      this.write(body);
      this.end(undefined);
    }
  }

  /** A response without a body. */
  headOnly(fields: OutgoingHttpHeaders): void {
    if (this.#open) this.#stream.respond(fields, { endStream: true });
  }

  /** False when more waits than should. */
  write(chunk: Uint8Array): boolean {
    if (!this.#writable) return false;
    this.#queue.push(chunk);
    this.#queued += chunk.length;
    this.#pump();
    this.#held = this.#waiting > this.#context.limits.unsent;
    return !this.#held;
  }

  end(trailers: Headers | undefined): void {
    this.#trailers = trailers;
    this.#ending = true;
    if (this.#writable) this.#pump();
  }

  /** All has left: there is nothing to wait for. */
  allSent(): void {
    this.deadline = Number.POSITIVE_INFINITY;
  }

  /** Tears the stream down, visibly: with a mere `close` node:http2 would end the body first, as if it were complete. */
  reset(): void {
    this.#stream.destroy(new Error("the response was cut"));
  }

  get #open(): boolean {
    return !this.#stream.closed && !this.#stream.destroyed;
  }

  get #writable(): boolean {
    return this.#open && !this.#stream.writableEnded;
  }

  get #waiting(): number {
    return this.#queued + this.#stream.writableLength;
  }

  #pump(): void {
    const stream = this.#stream;
    while (this.#queued > 0 && stream.writableLength < SLICE) stream.write(this.#slice(), this.#flushed);
    if (this.#queued === 0 && this.#ending) stream.end();
    if (this.deadline === Number.POSITIVE_INFINITY) this.#watch();
  }

  #slice(): Uint8Array {
    const first = this.#queue[0] as Uint8Array;
    const slice = first.length > SLICE ? first.subarray(0, SLICE) : first;
    if (slice === first) this.#queue.shift();
    else this.#queue[0] = first.subarray(SLICE);
    this.#queued -= slice.length;
    return slice;
  }

  /** Something has left. */
  #progress(): void {
    if (!this.#open) return;
    if (!this.#stream.writableEnded) this.#pump();
    this.#watch();
    if (!this.#held || this.#waiting > this.#context.limits.unsent / 2) return;
    this.#held = false;
    this.#drained();
  }

  #watch(): void {
    const { now, limits } = this.#context;
    this.deadline = this.#waiting > 0 ? now + limits.sendTimeout : Number.POSITIVE_INFINITY;
  }

  #expectTrailers(): void {
    this.#hasTrailers = true;
    this.#stream.once("wantTrailers", () => {
      this.#stream.sendTrailers(trailerFields(this.#trailers ?? []));
      // node:http2 sends them in an immediate of its own, which comes before this one.
      setImmediate(() => {
        this.#trailersSent = true;
        this.#whenTrailersSent?.();
      });
    });
  }
}
