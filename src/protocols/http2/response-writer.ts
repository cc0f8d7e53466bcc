// Writes the response of one stream. Large pieces are sliced, so that a client that reads slowly is not taken for one that has
// stopped reading.
// Tested by test/protocols/http2/deadlines.test.ts.
import type { OutgoingHttpHeaders, ServerHttp2Stream, ServerStreamResponseOptions } from "node:http2";
import { pieces } from "../../exchange/blocks.ts";
import type { Headers } from "../../exchange/index.ts";
import type { Http2ListenerContext } from "./listener.ts";
import { trailerFields } from "./response.ts";

/** Bytes that are handed to node:http2 at once. */
const SLICE = 65_536;

export class Http2ResponseWriter {
  /** The client is ready for trailers. */
  takesTrailers = false;
  /** The response was a head alone. */
  endedWithHead = false;
  /** When the client has taken nothing for too long, on the listener's clock. */
  deadline = Number.POSITIVE_INFINITY;
  readonly #stream: ServerHttp2Stream;
  readonly #context: Http2ListenerContext;
  readonly #drained: () => void;
  readonly #refused: (cause: unknown) => void;
  readonly #flushed = (): void => this.#progress();
  #queue: Uint8Array[] = [];
  #queued = 0;
  /** How often the deadline may still be extended because other streams are served first; -1: it was not, since something left. */
  #turns = -1;
  /** It was extended although only this stream was held back. */
  #extended = false;
  /** The last `write` answered false. */
  #held = false;
  #ending = false;
  #trailers: Headers | undefined;
  /** node:http2 will ask for trailers before it ends the stream. */
  #awaitsTrailers = false;
  #whenTrailersSent: (() => void) | undefined;

  /** `drained` is called when `write` may go on; `refused` when node:http2 throws instead of sending a part of the response. */
  constructor(
    stream: ServerHttp2Stream,
    context: Http2ListenerContext,
    drained: () => void,
    refused: (cause: unknown) => void,
  ) {
    this.#stream = stream;
    this.#context = context;
    this.#drained = drained;
    this.#refused = refused;
  }

  /** All of the response has left, with its end. */
  get hasLeft(): boolean {
    return this.#stream.writableFinished && this.#stream.state.localClose === 1;
  }

  /** Calls back once all of the response has left. */
  whenDone(callback: () => void): void {
    if (this.#awaitsTrailers) this.#whenTrailersSent = callback;
    else if (this.#stream.writableFinished) callback();
    else this.#stream.once("finish", callback);
  }

  inform(fields: OutgoingHttpHeaders): void {
    if (!this.#open || this.#stream.headersSent) return;
    try {
      this.#stream.additionalHeaders(fields);
    } catch (cause) {
      this.#refused(cause);
    }
  }

  /** The head of a response with a body. */
  head(fields: OutgoingHttpHeaders): void {
    if (!this.#open) return;
    if (this.takesTrailers) this.#expectTrailers();
    this.#respond(fields, { waitForTrailers: this.takesTrailers });
  }

  headWithoutTrailers(fields: OutgoingHttpHeaders): void {
    if (this.#open) this.#respond(fields);
  }

  /** A whole response. */
  whole(fields: OutgoingHttpHeaders, body: Uint8Array): void {
    this.headWithoutTrailers(fields);
    if (body.length <= SLICE && this.#writable) {
      this.#renew();
      this.#stream.end(body);
    } else {
      this.write(body);
      this.end(undefined);
    }
  }

  /** A response without a body. */
  headOnly(fields: OutgoingHttpHeaders): void {
    if (!this.#open) return;
    this.endedWithHead = true;
    this.#respond(fields, { endStream: true });
  }

  /** False when more than `unsent` bytes wait for the client. After a head alone, everything is dropped and nothing waits. */
  write(chunk: Uint8Array): boolean {
    if (!this.#writable) return this.endedWithHead;
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

  /** The response has left: the client can no longer keep us waiting. */
  allSent(): void {
    this.deadline = Number.POSITIVE_INFINITY;
  }

  /** The client has taken a part of what waits; node:http2 tells only when it has the whole of a write. */
  taken(): void {
    if (this.deadline !== Number.POSITIVE_INFINITY) this.#restart();
  }

  /**
   * Gives a client whose connection moves `sendTimeout` more, for each of the `others` that may be served first (as
   * many as there are at first); and once where none is, for its WINDOW_UPDATE may be on its way. False when that was used up.
   */
  extend(others: number): boolean {
    if (others > 0 ? !this.#takeTurn(others) : this.#extended) return false;
    if (others === 0) this.#extended = true;
    this.#renew();
    return true;
  }

  #takeTurn(others: number): boolean {
    if (this.#turns < 0) this.#turns = others;
    if (this.#turns === 0) return false;
    this.#turns--;
    return true;
  }

  /** Ends the stream by RST_STREAM: on `close` node:http2 would first end the body, as if it were complete. */
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
    while (this.#queued > 0 && stream.writableLength < SLICE) this.#writeNext();
    if (this.#queued === 0 && this.#ending) this.#endStream();
    if (this.deadline === Number.POSITIVE_INFINITY) this.#watch();
  }

  /**
   * The frame with END_STREAM may have to wait for the client's window. node:http2 would not wait for it, and would send RST_STREAM,
   * if nothing had read the request: not even one that has no body.
   */
  #endStream(): void {
    if (this.#stream.readableFlowing === null) this.#stream.resume();
    this.#stream.end();
  }

  #writeNext(): void {
    const first = this.#queue[0] as Uint8Array;
    const isLast = first.length <= SLICE;
    const slice = isLast ? first : first.subarray(0, SLICE);
    if (isLast) this.#queue.shift();
    else this.#queue[0] = first.subarray(SLICE);
    this.#queued -= slice.length;
    const sent = isLast ? pieces.afterWrite(slice) : undefined;
    this.#stream.write(slice, sent ? (error) => this.#sent(sent, error) : this.#flushed);
  }

  #sent(give: (error?: Error | null) => void, error: Error | null | undefined): void {
    give(error);
    this.#progress();
  }

  /** Something has left. */
  #progress(): void {
    if (!this.#open) return;
    if (!this.#stream.writableEnded) this.#pump();
    this.#restart();
    if (!this.#held || this.#waiting > this.#context.limits.unsent / 2) return;
    this.#held = false;
    this.#drained();
  }

  /** The client has the whole of `sendTimeout` again. */
  #restart(): void {
    this.#turns = -1;
    this.#extended = false;
    this.#watch();
  }

  #watch(): void {
    if (this.#waiting > 0 || this.#ending) this.#renew();
    else this.allSent();
  }

  #renew(): void {
    const { limits, connections } = this.#context;
    this.deadline = connections.now + limits.sendTimeout;
  }

  /** node:http2 throws for fields that it does not send, and then in the middle of a gateway's work. */
  #respond(fields: OutgoingHttpHeaders, options?: ServerStreamResponseOptions): void {
    try {
      this.#stream.respond(fields, options);
    } catch (cause) {
      this.#refused(cause);
    }
  }

  #expectTrailers(): void {
    this.#awaitsTrailers = true;
    this.#stream.once("wantTrailers", () => this.#sendTrailers());
  }

  #sendTrailers(): void {
    try {
      this.#stream.sendTrailers(trailerFields(this.#trailers ?? []));
    } catch (cause) {
      // Nothing is above this event but the process.
      return this.#refused(cause);
    }
    // node:http2 sends them in an immediate of its own, which comes before this one.
    setImmediate(() => {
      this.#awaitsTrailers = false;
      this.#whenTrailersSent?.();
    });
  }
}
