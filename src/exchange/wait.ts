// Waiting at an application's end for what its requests do not announce: they should not pay for it while it lives.

/** Milliseconds between two looks. */
const PAUSE = 20;

/** Resolves once `condition` holds, and after `limit` milliseconds in any case. */
export async function waitUntil(condition: () => boolean, limit: number): Promise<void> {
  const deadline = performance.now() + limit;
  while (!condition() && performance.now() < deadline)
    await new Promise((resolve) => setTimeout(resolve, Math.min(PAUSE, limit)));
}
