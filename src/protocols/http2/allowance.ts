// How often a peer may do what costs it nothing and us something: so many times at once, and then as they grow back.

/** Milliseconds in which all of an allowance grows back. */
const REGROWTH = 10_000;

export class Allowance {
  readonly #most: number;
  #left: number;
  #at: number;

  constructor(most: number, now: number) {
    this.#most = most;
    this.#left = most;
    this.#at = now;
  }

  /** Takes one; false when none is left. */
  take(now: number): boolean {
    this.#left = Math.min(this.#most, this.#left + ((now - this.#at) * this.#most) / REGROWTH);
    this.#at = now;
    if (this.#left < 1) return false;
    this.#left--;
    return true;
  }
}
