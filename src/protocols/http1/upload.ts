// A request body on its way in: pieces are pushed as they arrive, tiny ones joined, and reading stops while the application
// does not read.
// Tested by test/protocols/http1/requests.test.ts.
import { type BodySource, type Headers, PushedBody, SallyportError } from "../../exchange/index.ts";

/** Bytes. Smaller pieces are joined: chunks of one byte each would cost a hundred times their size. */
const SMALL_PIECE = 4_096;

/** The connection's part. */
export interface UploadCallbacks {
  /** The application reads, and the client waits for 100 Continue. */
  sendContinue(): void;
  /** `paused` has changed. */
  flow(): void;
}

export class RequestUpload implements BodySource {
  readonly body: PushedBody;
  /** More waits than the application reads. */
  paused = false;
  /** The client waits for 100 Continue, and has sent no byte (RFC 9110, 10.1.1). */
  expecting: boolean;
  readonly #callbacks: UploadCallbacks;
  #small: Buffer[] = [];

  constructor(length: number | undefined, expecting: boolean, callbacks: UploadCallbacks) {
    this.expecting = expecting;
    this.#callbacks = callbacks;
    this.body = new PushedBody(length, this);
  }

  /** Whether the client waits for us, not we for the client. */
  get keepsWaiting(): boolean {
    return this.expecting || this.paused;
  }

  // The body's calls. They may come late, when the connection serves another request.

  wanted(): void {
    if (!this.expecting) return;
    this.expecting = false;
    this.#callbacks.sendContinue();
  }

  pause(): void {
    this.paused = true;
  }

  resume(): void {
    this.paused = false;
    if (!this.body.finished) this.#callbacks.flow();
  }

  // The connection's calls.

  take(piece: Buffer): void {
    this.expecting = false;
    if (piece.length < SMALL_PIECE) this.#small.push(piece);
    else {
      this.flush();
      this.body.push(piece);
    }
  }

  /** No more pieces are here: those that were small are pushed. */
  flush(): void {
    if (this.#small.length === 0) return;
    const piece = concatenated(this.#small);
    this.#small = [];
    this.body.push(piece);
  }

  end(trailers: Headers): void {
    this.flush();
    this.body.end(trailers);
  }

  /** The body will never be complete; its reader gets what did arrive, and then `error`. */
  fail(error: SallyportError): void {
    this.flush();
    this.body.fail(error);
  }

  /** Whether a late reader can use what is still read. A client that waits for 100 Continue has its answer instead. */
  get kept(): boolean {
    return this.body.kept && !this.expecting;
  }

  /** The response is over, and no more is read. */
  drop(): void {
    this.flush();
    this.body.close(new SallyportError("BODY_INCOMPLETE", "the response was over before the request body"));
  }
}

export const concatenated = (pieces: Buffer[]): Buffer =>
  pieces.length === 1 ? (pieces[0] as Buffer) : Buffer.concat(pieces);
