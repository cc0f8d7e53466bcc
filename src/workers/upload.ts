// A request body on its way to a worker: as much as the worker asks for, and no more. The other end is `body_piece` and
// `receive` in python/sallyport.
import { blocks, SMALLEST_BLOCK } from "../exchange/blocks.ts";
import { type Exchange, type RequestBody, WholeBody } from "../exchange/index.ts";
import { type FrameWriter, PIECE, TO_WORKER } from "./link.ts";

/**
 * What a stream calls when no worker needs the body of its request any more; undefined if that makes no difference. A body that
 * is larger than a piece may be streamed, and then a worker may be done with the request before it has read all of it.
 */
export function releaseOf({ body }: Exchange): (() => void) | undefined {
  const { whole } = body;
  // A body of another class may have shown its bytes to others, who keep them.
  const isOurs = body instanceof WholeBody && whole !== undefined;
  return isOurs && whole.length >= SMALLEST_BLOCK && whole.length <= PIECE
    ? () => blocks.give(whole)
    : undefined;
}

export class StreamUpload {
  readonly #body: RequestBody;
  readonly #stream: number;
  readonly #onArrival: () => void;
  /** The worker waits for bytes that the client has not sent yet. */
  waits = false;
  /** Undefined once stopped. */
  #writer: FrameWriter | undefined;
  #wanted = 0;
  #pumping = false;
  /** Bytes read from the client that the worker has not asked for yet. */
  #rest: Uint8Array | undefined;

  /** `onArrival`: the client has sent what the worker waited for. */
  constructor(body: RequestBody, writer: FrameWriter, stream: number, onArrival: () => void) {
    this.#body = body;
    this.#onArrival = onArrival;
    this.#writer = writer;
    this.#stream = stream;
  }

  /** The worker takes `bytes` more. Rejects with the body's own error if it will never be complete. */
  async want(bytes: number): Promise<void> {
    this.#wanted += bytes;
    if (this.#pumping) return;
    this.#pumping = true;
    // The first read is what sends 100 Continue.
    while (this.#wanted > 0 && this.#writer) {
      const chunk = this.#rest ?? (await this.#next());
      if (this.#writer) this.#send(this.#writer, chunk);
      if (!chunk) return; // `#pumping` stays set: there is nothing more to read
    }
    this.#pumping = false;
  }

  async #next(): Promise<Uint8Array | undefined> {
    this.waits = true;
    try {
      return await this.#body.read();
    } finally {
      this.waits = false;
      this.#onArrival();
    }
  }

  /** The body is not needed any more. */
  stop(): void {
    this.waits = false;
    this.#writer = undefined;
    this.#rest = undefined;
  }

  #send(writer: FrameWriter, chunk: Uint8Array | undefined): void {
    if (chunk) this.#cut(writer, chunk);
    else writer.text(TO_WORKER.BODY_END, this.#stream, "");
    writer.flush();
  }

  #cut(writer: FrameWriter, chunk: Uint8Array): void {
    const size = Math.min(chunk.length, this.#wanted);
    for (let start = 0; start < size; start += PIECE)
      writer.frame(TO_WORKER.BODY, this.#stream, chunk.subarray(start, Math.min(start + PIECE, size)));
    this.#wanted -= size;
    this.#rest = size < chunk.length ? chunk.subarray(size) : undefined;
  }
}
