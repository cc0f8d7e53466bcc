// The reader that a listener of "CGI over a socket" needs of its codec, and a buffer for codecs that need their bytes in
// one piece.
// Tested by test/protocols/scgi/codec.test.ts.
import type { VariableList } from "../metavariables/decode.ts";

/** Collects bytes until all meta-variables are here. Throws BAD_REQUEST or HEADERS_TOO_LARGE, and is of no use then. */
export interface VariablesReader {
  feed(chunk: Uint8Array): VariablesRead | undefined;
}

export interface VariablesRead {
  readonly variables: VariableList;
  /** The bytes after them. */
  readonly rest: Uint8Array;
}

/** Bytes that arrive in pieces. Memory grows with what arrived, not with what a length announces. */
export class Gathered {
  #held: Buffer = Buffer.alloc(0);
  #size = 0;

  /** All bytes so far. */
  get bytes(): Buffer {
    return this.#held.subarray(0, this.#size);
  }

  add(chunk: Uint8Array): Buffer {
    if (this.#size === 0) {
      // The usual case: all of it in one piece, which is not copied.
      this.#held = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength);
    } else {
      const needed = this.#size + chunk.length;
      if (needed > this.#held.length) this.#grow(needed);
      this.#held.set(chunk, this.#size);
    }
    this.#size += chunk.length;
    return this.bytes;
  }

  #grow(needed: number): void {
    const grown = Buffer.allocUnsafe(Math.max(needed, this.#held.length * 2));
    grown.set(this.bytes);
    this.#held = grown;
  }
}
