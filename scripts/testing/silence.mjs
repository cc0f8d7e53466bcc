// How long nothing may be heard of a test before it counts as hung. Not by the clock alone: on a machine that has more to
// do than it has processors for, a second of the clock is only a part of one of ours.
import { availableParallelism, loadavg } from "node:os";

const TICK = 1_000;
/** However busy the machine, a hung test ends after this many times its limit. */
const MOST = 10;

/** How many times longer than alone everything takes now; 1 where the system does not tell its load. */
export const slowness = () => Math.min(MOST, Math.max(1, loadavg()[0] / availableParallelism()));

/** Calls `over` once, when nothing was heard for `limit` milliseconds of an idle machine. */
export class Silence {
  #limit;
  #over;
  #slowness;
  #timer;
  /** Milliseconds since it was last heard, of an idle machine and by the clock. */
  #spent = 0;
  #since = performance.now();

  constructor(limit, over, slownessNow = slowness, tick = TICK) {
    this.#limit = limit;
    this.#over = over;
    this.#slowness = slownessNow;
    this.#timer = setInterval(() => this.#tick(tick), tick);
  }

  heard() {
    this.#spent = 0;
    this.#since = performance.now();
  }

  end() {
    clearInterval(this.#timer);
  }

  /** "120 s", and by the clock, where that is another number. */
  get text() {
    const [own, clock] = [this.#limit, performance.now() - this.#since].map((ms) => Math.round(ms / 1000));
    return clock > own + 1 ? `${clock} s (${own} s would be, were the machine not so busy)` : `${own} s`;
  }

  /** A tick that comes late counts once: what was stopped together with us (SIGSTOP, a frozen container) could not speak. */
  #tick(length) {
    this.#spent += length / this.#slowness();
    if (this.#spent < this.#limit) return;
    this.end();
    this.#over();
  }
}
