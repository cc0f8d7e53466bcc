// A request body on its way to a worker: as much as the worker asks for, and no more. The other end is `body_piece` and
// `receive` of python/sallyport.
import type { RequestBody } from "../exchange/index.ts";
import { type FrameWriter, PIECE, TO_WORKER } from "./link.ts";

/** Where its frames go. */
export interface LinkWriter {
  readonly writer: FrameWriter;
  flush(): void;
}

export class StreamUpload {
  readonly #body: RequestBody;
  readonly #stream: number;
  readonly #arrived: () => void;
  /** The worker waits for bytes that the client has not sent yet. */
  waits = false;
  #link: LinkWriter | undefined;
  #wanted = 0;
  #pumping = false;
  /** What was read and not asked for yet. */
  #rest: Uint8Array | undefined;

  /** `arrived`: the client has sent what the worker waited for. */
  constructor(body: RequestBody, link: LinkWriter, stream: number, arrived: () => void) {
    this.#body = body;
    this.#arrived = arrived;
    this.#link = link;
    this.#stream = stream;
  }

  /** The worker takes so many more bytes. Rejects with the body's own error when it will never be complete. */
  async want(bytes: number): Promise<void> {
    this.#wanted += bytes;
    if (this.#pumping) return;
    this.#pumping = true;
    // The first read is what sends 100 Continue.
    while (this.#wanted > 0 && this.#link) {
      const chunk = this.#rest ?? (await this.#next());
      if (this.#link) this.#send(this.#link, chunk);
      if (!chunk) return; // and this stays so: there is nothing more to ask for
    }
    this.#pumping = false;
  }

  async #next(): Promise<Uint8Array | undefined> {
    this.waits = true;
    try {
      return await this.#body.read();
    } finally {
      this.waits = false;
      this.#arrived();
    }
  }

  /** Nobody reads any more. */
  stop(): void {
    this.waits = false;
    this.#link = undefined;
    this.#rest = undefined;
  }

  #send(link: LinkWriter, chunk: Uint8Array | undefined): void {
    if (chunk) this.#cut(link.writer, chunk);
    else link.writer.text(TO_WORKER.BODY_END, this.#stream, "");
    link.flush();
  }

  #cut(writer: FrameWriter, chunk: Uint8Array): void {
    const size = Math.min(chunk.length, this.#wanted);
    for (let start = 0; start < size; start += PIECE)
      writer.frame(TO_WORKER.BODY, this.#stream, chunk.subarray(start, Math.min(start + PIECE, size)));
    this.#wanted -= size;
    this.#rest = size < chunk.length ? chunk.subarray(size) : undefined;
  }
}
