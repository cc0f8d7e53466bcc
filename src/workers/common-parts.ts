// What a worker has been told of requests that repeat: the part of the environ, or of the scope, that stays the same with
// the fields of a connection. It is told once (COMMON), has a number from then on, and requests refer to it (REPEAT).
import type { Repeated } from "../exchange/index.ts";

/** Parts that one worker keeps. A number never comes back, so a part that was forgotten can be missing, but never mistaken. */
const KEPT = 512;
/** Workers whose numbers one connection remembers: those that died stay among them. */
const MOST_NUMBERS = 64;

export class CommonParts {
  readonly #kept: (Repeated | undefined)[] = new Array(KEPT).fill(undefined);
  #lastNumber = 0;

  /** The number of what `repeated` stands for; 0 when the worker does not have it. */
  numberOf(repeated: Repeated): number {
    const number = repeated.numbers.get(this) ?? 0;
    return this.#kept[number % KEPT] === repeated ? number : 0;
  }

  /** A number for what the worker is told now; with the one that it forgets for it, or 0. */
  enter(repeated: Repeated): [number: number, forgotten: number] {
    const number = ++this.#lastNumber;
    const place = number % KEPT;
    const forgotten = this.#kept[place] ? number - KEPT : 0;
    this.#kept[place] = repeated;
    if (repeated.numbers.size >= MOST_NUMBERS) repeated.numbers.clear();
    repeated.numbers.set(this, number);
    return [number, forgotten];
  }

  /** The worker is gone. */
  clear(): void {
    this.#kept.fill(undefined);
  }
}
