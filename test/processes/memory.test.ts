// The memory of a process, against what it says of itself.
import assert from "node:assert/strict";
import { test } from "node:test";
import { canReadMemory, residentMemory } from "../../src/processes/index.ts";

const LINUX = { skip: canReadMemory ? false : "Linux only" };

test("it is what the process itself sees", LINUX, () => {
  const seen = residentMemory(process.pid) ?? 0;
  const own = process.memoryUsage().rss;
  assert.ok(Math.abs(seen - own) < 32 * 2 ** 20, `${seen}, ${own}`);
});

test("a process that is gone has none", LINUX, () => {
  assert.equal(residentMemory(2 ** 22 + 1), undefined);
});
