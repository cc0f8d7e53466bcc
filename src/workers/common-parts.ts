// The common parts that a worker keeps: what the requests of a connection share of the environ, or of the scope, while their
// fields stay the same. Each is sent once with a number (COMMON), and requests refer to that number (REPEAT).
import type { Repeated } from "../exchange/index.ts";
import { type FrameWriter, TO_WORKER } from "./link.ts";
import { DICT, DICT_END, int, PAIR } from "./marshal.ts";

/** Parts that one worker keeps. A number that was dropped comes back after all others, so it can be missing but never mistaken. */
const KEPT = 512;
/** The largest that marshal has as one int: reached in weeks, where every second brings a thousand connections. */
const LAST_NUMBER = 2 ** 31 - 1;
/** Workers whose numbers one connection remembers, dead ones included. */
const MOST_NUMBERS = 64;

export class CommonParts {
  readonly #kept: (Repeated | undefined)[] = new Array(KEPT).fill(undefined);
  /** The numbers of those that are kept, or 0. */
  readonly #numbers = new Int32Array(KEPT);
  #lastNumber: number;

  /** `lastNumber`: the one that was used last. */
  constructor(lastNumber = 0) {
    this.#lastNumber = lastNumber;
  }

  /** The number of a common part; 0 if the worker does not have it. */
  numberOf(repeated: Repeated): number {
    const number = repeated.numbers.get(this) ?? 0;
    return this.#kept[number % KEPT] === repeated ? number : 0;
  }

  /** Sends the part of `repeated`: `entries` of a dict, marshalled. Returns its number. */
  send(writer: FrameWriter, repeated: Repeated, entries: string): number {
    const [number, replaced] = this.#enter(repeated);
    writer.text(TO_WORKER.COMMON, number, PAIR + int(replaced) + DICT + entries + DICT_END);
    return number;
  }

  /** The worker is gone. */
  clear(): void {
    this.#kept.fill(undefined);
    this.#numbers.fill(0);
  }

  /** The number of a part that is sent now, and that of the one that it replaces, or 0. */
  #enter(repeated: Repeated): [number: number, replaced: number] {
    const number = this.#lastNumber === LAST_NUMBER ? 1 : this.#lastNumber + 1;
    const index = number % KEPT;
    const replaced = this.#numbers[index] as number;
    this.#lastNumber = number;
    this.#numbers[index] = number;
    this.#kept[index] = repeated;
    if (repeated.numbers.size >= MOST_NUMBERS) repeated.numbers.clear();
    repeated.numbers.set(this, number);
    return [number, replaced];
  }
}
