// So many at once, and then as they grow back.
import assert from "node:assert/strict";
import { test } from "node:test";
import { TokenBucket } from "../../../src/protocols/http2/token-bucket.ts";

/** How many can be taken at that moment. */
function taken(bucket: TokenBucket, now: number): number {
  let count = 0;
  while (count < 1_000 && bucket.take(now)) count++;
  return count;
}

test("a token bucket can be used up at once", () => {
  assert.equal(taken(new TokenBucket(20, 0), 0), 20);
});

test("a token bucket grows back bit by bit, in ten seconds, and to no more than it was", () => {
  const bucket = new TokenBucket(20, 0);
  taken(bucket, 0);
  assert.deepEqual(
    [100, 1_000, 6_000, 100_000].map((now) => taken(bucket, now)),
    [0, 2, 10, 20],
  );
});

test("whoever keeps asking gets no less than whoever waits", () => {
  const bucket = new TokenBucket(10, 0);
  let count = taken(bucket, 0);
  for (let now = 0; now <= 10_000; now += 10) count += taken(bucket, now);
  assert.equal(count, 20);
});
