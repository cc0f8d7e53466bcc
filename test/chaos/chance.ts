// Choices that can be made again: the same seed gives the same ones.
import { createHash } from "node:crypto";

export class Chance {
  readonly #seed: string;
  #made = 0;

  constructor(seed: string) {
    this.#seed = seed;
  }

  /** A whole number from 0 to below `end`. */
  below(end: number): number {
    const digest = createHash("sha256")
      .update(`${this.#seed} ${this.#made++}`)
      .digest();
    return digest.readUInt32LE() % end;
  }

  pick<T>(all: readonly T[]): T {
    return all[this.below(all.length)] as T;
  }

  /** The same in any order. */
  shuffled<T>(all: readonly T[]): T[] {
    const rest = [...all];
    return Array.from({ length: rest.length }, () => rest.splice(this.below(rest.length), 1)[0] as T);
  }
}
