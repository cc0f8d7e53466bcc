import assert from "node:assert/strict";
import { test } from "node:test";
import { MAX_DELAY, timerDelay, waitUntil } from "../../src/exchange/wait.ts";

test("a wait ends when its condition holds, and looks only so often as it must", async () => {
  let looks = 0;
  await waitUntil(() => ++looks === 3, 600_000);
  assert.equal(looks, 3);
});

test("a wait for what never comes ends with its limit; without time it looks once", async () => {
  let looks = 0;
  const never = (): boolean => {
    looks++;
    return false;
  };
  await waitUntil(never, 30);
  assert.ok(looks > 1);
  looks = 0;
  await waitUntil(never, 0);
  assert.equal(looks, 1);
});

test("a delay is one that a timer can keep", () => {
  assert.deepEqual([0, 1.5, MAX_DELAY, MAX_DELAY + 1, Number.POSITIVE_INFINITY].map(timerDelay), [
    0,
    1.5,
    MAX_DELAY,
    MAX_DELAY,
    MAX_DELAY,
  ]);
});
