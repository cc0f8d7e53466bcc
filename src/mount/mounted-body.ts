// A request body from a host's stream: the part that streams of node and of the Fetch standard share.
// Tested by test/mount/node.test.ts.
import {
  type BodySource,
  type Headers,
  type Outcome,
  PushedBody,
  type RequestBody,
  SallyportError,
} from "../exchange/index.ts";
import { bodyTooLarge } from "../http/refusals.ts";

const answeredBefore = (): SallyportError =>
  new SallyportError("BODY_INCOMPLETE", "the response was over before the request body");

export abstract class MountedBody implements RequestBody, BodySource {
  readonly length: number | undefined;
  readonly whole: undefined;
  readonly #pushed: PushedBody;
  readonly #most: number;
  #received = 0;

  /** `length` is what was announced, `most` what is accepted. */
  constructor(length: number | undefined, most: number) {
    this.length = length;
    this.#most = most;
    this.#pushed = new PushedBody(length, this);
  }

  get trailers(): Headers {
    return this.#pushed.trailers;
  }

  read(): Promise<Uint8Array | undefined> {
    return this.#pushed.read();
  }

  discard(): void {
    this.#pushed.discard();
    this.drain();
  }

  keep(): void {
    this.#pushed.keep();
  }

  /** A late reader must not take the bytes so far for the whole body; one that keeps it reads on, as the host lets it. */
  exchangeClosed({ error }: Outcome): void {
    if (!error && this.#pushed.kept) return;
    this.#pushed.close(error ?? answeredBefore());
    this.drain();
  }

  abstract wanted(): void;
  abstract pause(): void;
  abstract resume(): void;
  /** Reads the rest and throws it away, where the host does not do that. */
  protected abstract drain(): void;

  protected take(chunk: Uint8Array): void {
    this.#received += chunk.length;
    if (this.#received > this.#most) this.fail(bodyTooLarge(this.#most));
    else if (this.#received > (this.length ?? this.#received))
      this.fail(new SallyportError("BAD_REQUEST", "the request body is longer than its Content-Length"));
    else this.#pushed.push(chunk);
  }

  protected finish(trailers?: Headers): void {
    if (this.#received >= (this.length ?? 0)) this.#pushed.end(trailers);
    else this.fail(new SallyportError("BODY_INCOMPLETE", "the request body ended before its Content-Length"));
  }

  protected fail(error: SallyportError): void {
    this.#pushed.fail(error);
  }
}
