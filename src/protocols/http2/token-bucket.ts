// How often a peer may do what costs it nothing and us something: so many times at once, and then as they grow back.

/** Milliseconds in which all of an allowance grows back, unless it says otherwise. */
const REGROWTH = 10_000;
/** The part that is little. */
const LOW = 0.2;

export class TokenBucket {
  readonly #most: number;
  readonly #regrowth: number;
  #left: number;
  #at: number;

  constructor(most: number, now: number, regrowth = REGROWTH) {
    this.#regrowth = regrowth;
    this.#most = most;
    this.#left = most;
    this.#at = now;
  }

  /** Little of it is left. */
  get isLow(): boolean {
    return this.#left < this.#most * LOW;
  }

  /** Takes one; false when none is left. */
  take(now: number): boolean {
    this.#left = Math.min(this.#most, this.#left + ((now - this.#at) * this.#most) / this.#regrowth);
    this.#at = now;
    if (this.#left < 1) return false;
    this.#left--;
    return true;
  }
}
