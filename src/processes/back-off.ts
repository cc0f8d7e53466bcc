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
/** Processes in a row that others have killed before they could work, which may be chance; more say that the system has no memory for them. */
const MOST_KILLS = 10;

export class BackOff {
  #diedYoung = 0;
  #killed = 0;

  /**
   * The wait after the end of a process that lived `age` milliseconds. One that has `servedOnce` can work: a request ended it,
   * and other requests must not wait for that. Nor do processes that others kill before they can work count as dying young, unless
   * there are many in a row.
   */
  after(age: number, servedOnce = false, exit?: Exit): number {
    const wasKilled = !servedOnce && exit !== undefined && wasKilledByOthers(exit);
    this.#killed = wasKilled ? this.#killed + 1 : 0;
    if (wasKilled && this.#killed <= MOST_KILLS) return AFTER_KILL;
    this.#diedYoung = age < YOUNG && !servedOnce ? this.#diedYoung + 1 : 0;
    return BACK_OFFS[Math.min(this.#diedYoung, BACK_OFFS.length - 1)] as number;
  }
}
