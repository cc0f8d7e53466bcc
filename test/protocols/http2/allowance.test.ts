// So many at once, and then as they grow back.
import assert from "node:assert/strict";
import { test } from "node:test";
import { Allowance } from "../../../src/protocols/http2/allowance.ts";

/** How many can be taken at that moment. */
function taken(allowance: Allowance, now: number): number {
  let count = 0;
  while (count < 1_000 && allowance.take(now)) count++;
  return count;
}

test("an allowance can be used up at once", () => {
  assert.equal(taken(new Allowance(20, 0), 0), 20);
});

test("an allowance grows back bit by bit, in ten seconds, and to no more than it was", () => {
  const allowance = new Allowance(20, 0);
  taken(allowance, 0);
  assert.deepEqual(
    [100, 1_000, 6_000, 100_000].map((now) => taken(allowance, now)),
    [0, 2, 10, 20],
  );
});

test("whoever keeps asking gets no less than whoever waits", () => {
  const allowance = new Allowance(10, 0);
  let count = taken(allowance, 0);
  for (let now = 0; now <= 10_000; now += 10) count += taken(allowance, now);
  assert.equal(count, 20);
});
