// When a process is replaced, and when it is ended.
import assert from "node:assert/strict";
import { test } from "node:test";
import { Lifespan } from "../../src/processes/recycling.ts";

const MB = 2 ** 20;
const NONE = { maxRequests: 0, maxAge: 0, maxMemory: 0, memoryLimit: 0 };

test("a process without limits is never replaced or ended", () => {
  const lifespan = new Lifespan(NONE);
  assert.equal(lifespan.whyReplace(1e9, 1e12, 1e12), undefined);
  assert.equal(lifespan.whyEnd(1e12), undefined);
});

test("requests and age are limited by up to a tenth less, and each says why", () => {
  const limits = { ...NONE, maxRequests: 1000, maxAge: 3_600_000 };
  const [long, short] = [new Lifespan(limits, () => 0), new Lifespan(limits, () => 1)];
  assert.equal(long.whyReplace(999, 3_599_999, 0), undefined);
  assert.match(long.whyReplace(1000, 0, 0) ?? "", /share of requests/);
  assert.equal(short.whyReplace(899, 3_239_999, 0), undefined);
  assert.match(short.whyReplace(900, 0, 0) ?? "", /share of requests/);
  assert.equal(short.whyReplace(0, 3_240_000, 0), "has run for 54 min");
});

test("memory is limited exactly", () => {
  const lifespan = new Lifespan({ ...NONE, maxMemory: 100 * MB, memoryLimit: 200 * MB });
  assert.equal(lifespan.whyReplace(0, 0, 100 * MB), undefined);
  assert.equal(lifespan.whyReplace(0, 0, 101 * MB), "holds 101 MiB of memory, more than 100 MiB");
  assert.equal(lifespan.whyEnd(200 * MB), undefined);
  assert.match(lifespan.whyEnd(201 * MB) ?? "", /held 201 MiB of memory, and its limit is 200 MiB/);
});
