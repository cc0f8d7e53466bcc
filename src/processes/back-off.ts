// How long to wait before a process that ended by itself is started again: not at all, unless they keep dying young.

import { type Exit, wasKilledByOthers } from "./exit.ts";

/** Milliseconds. */
export const LONGEST_BACK_OFF = 5000;
/** Milliseconds, by the number of processes in a row that died young. */
const BACK_OFFS = [0, 100, 250, 500, 1000, 2000, LONGEST_BACK_OFF];
/** Milliseconds: a process that lived longer did not die young. */
const YOUNG = 10_000;

/** Milliseconds, after a process that somebody else has killed. */
const AFTER_KILL = 100;

export class BackOff {
  #diedYoung = 0;

  /**
   * The wait after the end of a process that lived `age` milliseconds. One that has `servedOnce` can work: a request ended it,
   * and other requests must not wait for that. Nor does a process that others kill before it can work count as dying young.
   */
  after(age: number, servedOnce = false, exit?: Exit): number {
    if (!servedOnce && exit && wasKilledByOthers(exit)) return AFTER_KILL;
    this.#diedYoung = age < YOUNG && !servedOnce ? this.#diedYoung + 1 : 0;
    return BACK_OFFS[Math.min(this.#diedYoung, BACK_OFFS.length - 1)] as number;
  }
}
