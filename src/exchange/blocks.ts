// Memory for large request bodies that is used again. V8 counts it as external memory, and with a fresh piece for each
// request it soon collects all garbage there is, again and again: that cost more than reading the bodies.

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

  /** Gives back what `take` gave, or a part of it: nothing may read it any more. Any other bytes are left alone. */
  give(bytes: Uint8Array): void {
    const block = bytes.buffer as ArrayBuffer;
    if (!this.#taken.delete(block)) return;
    if (this.#free.length < MOST && block.byteLength <= LARGEST) this.#free.push(block);
  }
}

/** Shared by all connections of this process. */
export const blocks: BlockPool = new BlockPool();
