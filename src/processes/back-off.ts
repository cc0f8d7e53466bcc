// How long to wait before a process that ended by itself is started again: not at all, unless they keep dying young.

/** In milliseconds. */
export const LONGEST_BACK_OFF = 5000;
/** By how many died young in a row, in milliseconds. */
const BACK_OFFS = [0, 100, 250, 500, 1000, 2000, LONGEST_BACK_OFF];
/** A process that lived this long did not die young, in milliseconds. */
const YOUNG = 10_000;

export class BackOff {
  #diedYoung = 0;

  /**
   * The pause after the end of a process that lived `age` milliseconds. One that was `proven` had shown that it can work:
   * what ended it was a request, and others are not to wait for that.
   */
  after(age: number, proven = false): number {
    this.#diedYoung = age < YOUNG && !proven ? this.#diedYoung + 1 : 0;
    return BACK_OFFS[Math.min(this.#diedYoung, BACK_OFFS.length - 1)] as number;
  }
}
