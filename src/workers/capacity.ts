// How many streams a worker may have at once, by the manner in which it runs them.
import type { Interface } from "./interface.ts";

/** One after the other, each in a thread, or all in one event loop. */
export type ConcurrencyMode = "inline" | "threads" | "loop";

export const concurrencyModeOf = (spoken: Interface, threads: number): ConcurrencyMode => {
  if (spoken === "asgi") return "loop";
  return threads === 1 ? "inline" : "threads";
};

/**
 * Streams in the hands of a worker that takes them up one after the other, until it says how many that should be (PREFETCH): as
 * many as it answers in a moment. It measures that itself, since what looks slow from here may be our own pause.
 */
export const PREFETCH = 16;
