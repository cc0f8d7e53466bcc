// Whether an event loop is alive: whatever it says is a sign of life, and when it says nothing it is asked for one
// (PING). Silence is counted in ticks of ours, not by the clock: while we ourselves are stopped nobody is silent.

/** Milliseconds of silence after which it is asked. */
export const ASK_AFTER = 500;
/** Milliseconds without an answer after which it counts as blocked. */
export const BLOCKED_AFTER = 1_000;

export class Heartbeat {
  #silence = 0;
  #told = false;

  /** It said something. True when it had been found blocked. */
  heard(): boolean {
    const returned = this.#told;
    this.#silence = 0;
    this.#told = false;
    return returned;
  }

  /** Milliseconds that it has not answered for; 0 while it was not asked. */
  get unanswered(): number {
    return Math.max(0, this.#silence - ASK_AFTER);
  }

  get blocked(): boolean {
    return this.unanswered >= BLOCKED_AFTER;
  }

  /** Another `milliseconds` without a word. True when it must be asked now. */
  tick(milliseconds: number): boolean {
    const before = this.#silence;
    this.#silence += milliseconds;
    return before < ASK_AFTER && this.#silence >= ASK_AFTER;
  }

  /** True once in a silence: now it is blocked. */
  get becameBlocked(): boolean {
    if (this.#told || !this.blocked) return false;
    this.#told = true;
    return true;
  }
}
