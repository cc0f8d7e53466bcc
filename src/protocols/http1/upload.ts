// A request body on its way in: pieces are handed on as they come, tiny ones together, and the client is held back
// when nobody reads.
import { type BodySource, type Headers, PushedBody, SallyportError } from "../../exchange/index.ts";

/** Chunks of one byte each would otherwise cost a hundred times their size. */
const SMALL_PIECE = 4_096;

/** The connection, as the body sees it. */
export interface UploadCallbacks {
  /** Somebody reads, and the client waits to be told. */
  sendContinue(): void;
  /** `paused` has changed. */
  flow(): void;
}

export class RequestUpload implements BodySource {
  readonly body: PushedBody;
  /** True while more waits than anybody reads. */
  paused = false;
  /** The client waits for 100 Continue, and has sent no byte (RFC 9110, 10.1.1). */
  expecting: boolean;
  readonly #callbacks: UploadCallbacks;
  #small: Buffer[] = [];
  #over = false;

  constructor(length: number | undefined, expecting: boolean, callbacks: UploadCallbacks) {
    this.expecting = expecting;
    this.#callbacks = callbacks;
    this.body = new PushedBody(length, this);
  }

  /** Whether it is for us, not for the client, to go on. */
  get keepsWaiting(): boolean {
    return this.expecting || this.paused;
  }

  // The body's calls. They may come late, when the connection serves another request.

  wanted(): void {
    if (this.#over || !this.expecting) return;
    this.expecting = false;
    this.#callbacks.sendContinue();
  }

  pause(): void {
    this.paused = true;
  }

  resume(): void {
    this.paused = false;
    if (!this.#over) this.#callbacks.flow();
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

  /** All pieces that are here have been taken. */
  flush(): void {
    if (this.#small.length === 0) return;
    const piece = concatenated(this.#small);
    this.#small = [];
    this.body.push(piece);
  }

  end(trailers: Headers): void {
    this.flush();
    this.#over = true;
    this.body.end(trailers);
  }

  /** The body will never be complete; who reads it is told, after what did arrive. */
  fail(error: SallyportError): void {
    this.flush();
    this.#over = true;
    this.body.fail(error);
  }

  /** Nobody needs the rest. */
  drop(): void {
    this.fail(new SallyportError("BODY_INCOMPLETE", "the response was over before the request body"));
    this.body.discard();
  }
}

export const concatenated = (pieces: Buffer[]): Buffer =>
  pieces.length === 1 ? (pieces[0] as Buffer) : Buffer.concat(pieces);
