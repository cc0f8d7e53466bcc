// Waits for what announces itself by nothing but its effect.
import { setTimeout as delay } from "node:timers/promises";

/** Resolves when `condition` holds. The limit of the test runner ends a wait for what never happens. */
export async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await condition())) await delay(10);
}

/** Resolves with the value of `measure` once it is more than nothing and has stopped changing. */
export async function settled(measure: () => number): Promise<number> {
  await until(() => measure() > 0);
  for (let before = -1; before !== measure(); ) {
    before = measure();
    await delay(300);
  }
  return measure();
}
