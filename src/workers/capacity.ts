// How many streams a worker may have at once, by the manner in which it runs them.
import type { Interface } from "./interface.ts";

/** One after the other, each in a thread, or all in one event loop. */
export type Manner = "inline" | "threads" | "loop";

export const mannerOf = (spoken: Interface, threads: number): Manner => {
  if (spoken === "asgi") return "loop";
  return threads === 1 ? "inline" : "threads";
};

/** Streams in one worker's hands while it answers each in a moment; spares it a round trip for every request. */
const AHEAD = 16;
/** A request of this many milliseconds is not "a moment": for a while the worker is sent one at a time. */
const SLOW = 4;
const SLOW_PAUSE = 250;

/** How far ahead a worker is sent what it takes up one after the other. */
export class Lookahead {
  #slowUntil = 0;

  get size(): number {
    return performance.now() < this.#slowUntil ? 1 : AHEAD;
  }

  /** A request was answered. What took long tells that the next may too. */
  answered(milliseconds: number, now: number): void {
    if (milliseconds > SLOW) this.#slowUntil = now + SLOW_PAUSE;
  }
}
