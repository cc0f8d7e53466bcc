// Memory for large bodies that is used again. V8 counts it as external memory, and with a fresh piece for each request it soon
// collects all garbage there is, again and again: that cost more than reading the bodies. With a fresh one for each piece of a
// response, some 80 MB of pieces that had been sent waited to be collected.

import type { Writable } from "node:stream";

/** From this size on, bodies are in blocks. */
export const SMALLEST_BLOCK = 16_384;

/** No block that is kept is larger. */
const LARGEST = 131_072;

/** Blocks that are kept, so 8 MiB at the most. */
const MOST = 64;

export class BlockPool {
  readonly #free: ArrayBuffer[] = [];
  /** Blocks that were taken and not given back. */
  readonly #taken = new WeakSet<ArrayBuffer>();

  /** Blocks that wait to be used again. */
  get kept(): number {
    return this.#free.length;
  }

  /** `size` bytes of any content, in a block less than twice as large. */
  take(size: number): Buffer {
    const free = this.#free;
    for (let i = free.length - 1; i >= 0; i--) {
      const block = free[i] as ArrayBuffer;
      if (block.byteLength < size || block.byteLength >= 2 * size) continue;
      free[i] = free[free.length - 1] as ArrayBuffer;
      free.pop();
      this.#taken.add(block);
      return Buffer.from(block, 0, size);
    }
    const fresh = Buffer.allocUnsafeSlow(size);
    this.#taken.add(fresh.buffer as ArrayBuffer);
    return fresh;
  }

  /** The callback of a write, which gives `bytes` back once they were written; undefined for bytes that are not of this pool. */
  afterWrite(bytes: Uint8Array): ((error?: Error | null) => void) | undefined {
    if (!this.#taken.has(bytes.buffer as ArrayBuffer)) return undefined;
    // After an error the system may still read them.
    return (error) => {
      if (!error) this.give(bytes);
    };
  }

  /** Gives back what `take` gave, or a part of it: nothing may read it any more. Any other bytes are left alone. */
  give(bytes: Uint8Array): void {
    const block = bytes.buffer as ArrayBuffer;
    if (!this.#taken.delete(block)) return;
    if (this.#free.length < MOST && block.byteLength <= LARGEST) this.#free.push(block);
  }
}

/** For request bodies; shared by all connections of this process. */
export const blocks: BlockPool = new BlockPool();

/**
 * For pieces of responses. Whoever calls `exchange.write` with one leaves it to the exchange, whose listener gives it back once
 * it was sent; where it does not, the garbage collector has it. A pool of its own: an application may send a piece of its
 * request's body, and go on reading it.
 */
export const pieces: BlockPool = new BlockPool();

/** Smaller pieces are in Buffer's own pool. */
const SMALLEST_PIECE = 4_096;

/** Memory for a piece of `size` bytes. */
export const pieceOf = (size: number): Buffer =>
  size < SMALLEST_PIECE ? Buffer.allocUnsafe(size) : pieces.take(size);

/** Gives back a piece that was sent, or copied; any other bytes are left alone. */
export function givePiece(bytes: Uint8Array): void {
  if (bytes.length >= SMALLEST_PIECE) pieces.give(bytes);
}

/** As `stream.write`; a piece is given back once it was sent. */
export function writePiece(stream: Writable, bytes: Uint8Array): boolean {
  const sent = bytes.length < SMALLEST_PIECE ? undefined : pieces.afterWrite(bytes);
  return sent ? stream.write(bytes, sent) : stream.write(bytes);
}
