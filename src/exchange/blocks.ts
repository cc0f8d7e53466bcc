// Memory for large bodies that is used again. V8 counts it as external memory, and with a fresh piece for each request it soon
// collects all garbage there is, again and again: that cost more than reading the bodies. With a fresh one for each piece of a
// response, some 80 MB of pieces that had been sent waited to be collected.

import type { Writable } from "node:stream";

/** From this size on, bodies are in blocks. */
export const SMALLEST_BLOCK = 16_384;

/** The sizes of blocks, each twice the one before: 4 KiB to 128 KiB. What is larger is not kept. */
const SMALLEST = 4_096;
const SIZES = 6;
/** Of each size a pool keeps so many blocks, or bytes: less than 8 MiB in all. */
const MOST = 64;
const MOST_BYTES = 2_097_152;

/** Which of the sizes `size` bytes need, from 0 for 2 ** 12; SIZES or more for none of them. */
const rankOf = (size: number): number => Math.max(0, 20 - Math.clz32(size - 1));

const mostOf = (size: number): number => Math.min(MOST, MOST_BYTES / size);

export class BlockPool {
  /** Blocks that wait to be used again, by their size. */
  readonly #free: readonly ArrayBuffer[][] = Array.from({ length: SIZES }, () => []);
  /** Blocks that were taken and not given back. */
  readonly #taken = new WeakSet<ArrayBuffer>();

  /** How many blocks wait to be used again. */
  get kept(): number {
    return this.#free.reduce((sum, { length }) => sum + length, 0);
  }

  /** `size` bytes of any content, in a block of the next size. */
  take(size: number): Buffer {
    const rank = rankOf(size);
    if (rank >= SIZES) return Buffer.allocUnsafeSlow(size);
    const block = this.#free[rank]?.pop() ?? (Buffer.allocUnsafeSlow(SMALLEST << rank).buffer as ArrayBuffer);
    this.#taken.add(block);
    return Buffer.from(block, 0, size);
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
    const free = this.#free[rankOf(block.byteLength)];
    if (free && free.length < mostOf(block.byteLength)) free.push(block);
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

/** Memory for a piece of `size` bytes: a small one is in Buffer's own. */
export const pieceOf = (size: number): Buffer =>
  size < SMALLEST ? Buffer.allocUnsafe(size) : pieces.take(size);

/** Gives back a piece that was sent, or copied; any other bytes are left alone. */
export function givePiece(bytes: Uint8Array): void {
  if (bytes.length >= SMALLEST) pieces.give(bytes);
}

/** As `stream.write`; a piece is given back once it was sent. */
export function writePiece(stream: Writable, bytes: Uint8Array): boolean {
  const sent = bytes.length < SMALLEST ? undefined : pieces.afterWrite(bytes);
  return sent ? stream.write(bytes, sent) : stream.write(bytes);
}
