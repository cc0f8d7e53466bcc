// How often a peer may do what costs us more than it: a number of times at once, and then as tokens grow back.

/** Milliseconds in which an empty bucket fills up, by default. */
const REGROWTH = 10_000;
/** Below this part of all tokens, few are left. */
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

  /** Few tokens are left. */
  get isLow(): boolean {
    return this.#left < this.#most * LOW;
  }

  /** Takes a token; false when none is left. */
  take(now: number): boolean {
    this.#left = Math.min(this.#most, this.#left + ((now - this.#at) * this.#most) / this.#regrowth);
    this.#at = now;
    if (this.#left < 1) return false;
    this.#left--;
    return true;
  }
}
