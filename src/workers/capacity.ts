// How many streams a worker may have at once, by the way in which it runs them.
// Tested by test/protocols/wsgi/workers.test.ts.
import type { Interface } from "./interface.ts";

/** One after the other, each in a thread, or all in one event loop. */
export type ConcurrencyMode = "inline" | "threads" | "loop";

export const concurrencyModeOf = (found: Interface, threads: number): ConcurrencyMode => {
  if (found === "asgi") return "loop";
  return threads === 1 ? "inline" : "threads";
};

/**
 * Streams sent to a worker without threads until it says how many that should be (PREFETCH): as many as it answers in a
 * moment. The worker measures its own pace, since a pause of ours would look like slowness of its.
 */
const PREFETCH = 16;

export interface CapacityOptions {
  readonly threads: number;
  readonly concurrency: number;
}

/** How many streams a worker runs at once. */
export const runsAtOnce = (mode: ConcurrencyMode, { threads, concurrency }: CapacityOptions): number =>
  ({ inline: 1, threads, loop: concurrency })[mode];

/** How many streams a worker may have at first. */
export const capacityOf = (mode: ConcurrencyMode, { threads, concurrency }: CapacityOptions): number =>
  ({ inline: PREFETCH, threads, loop: concurrency })[mode];
