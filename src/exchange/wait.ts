// Waiting at an application's end for what its requests do not announce: they should not pay for it while it lives.

/** Milliseconds. The longest delay of a Node timer, about 24.8 days; after a longer one it would fire at once. */
export const MAX_DELAY = 2 ** 31 - 1;

/** `milliseconds` as a delay of a timer: Infinity, for one, is the longest. */
export const timerDelay = (milliseconds: number): number => Math.min(milliseconds, MAX_DELAY);

/** Milliseconds between two looks. */
const PAUSE = 20;

/** Resolves once `condition` holds, and after `limit` milliseconds in any case. */
export async function waitUntil(condition: () => boolean, limit: number): Promise<void> {
  const deadline = performance.now() + limit;
  while (!condition() && performance.now() < deadline)
    await new Promise((resolve) => setTimeout(resolve, Math.min(PAUSE, limit)));
}
