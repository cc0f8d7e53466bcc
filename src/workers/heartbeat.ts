// Whether an event loop is alive: every frame is a sign of life, and a silent loop is asked for one (PING). Silence is
// counted in our own ticks, not by the clock: while we ourselves are stopped, it does not grow.

/** Milliseconds of silence after which the loop is asked. */
export const ASK_AFTER = 500;
/** Milliseconds without an answer after which it counts as blocked. */
export const BLOCKED_AFTER = 1_000;

export class Heartbeat {
  #silence = 0;
  #reported = false;

  /** A frame has come. True if the loop had been reported as blocked. */
  heard(): boolean {
    const returned = this.#reported;
    this.#silence = 0;
    this.#reported = false;
    return returned;
  }

  /** Milliseconds since it was asked; 0 if it was not. */
  get unanswered(): number {
    return Math.max(0, this.#silence - ASK_AFTER);
  }

  get blocked(): boolean {
    return this.unanswered >= BLOCKED_AFTER;
  }

  /** Another `milliseconds` without a frame. True if it must be asked now. */
  tick(milliseconds: number): boolean {
    const before = this.#silence;
    this.#silence += milliseconds;
    return before < ASK_AFTER && this.#silence >= ASK_AFTER;
  }

  /** Whether it is blocked and was not reported yet: true once in a silence. */
  get becameBlocked(): boolean {
    if (this.#reported || !this.blocked) return false;
    this.#reported = true;
    return true;
  }
}
