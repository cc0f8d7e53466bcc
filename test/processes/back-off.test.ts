import assert from "node:assert/strict";
import { test } from "node:test";
import { BackOff, LONGEST_BACK_OFF } from "../../src/processes/index.ts";

const OLD = 60_000;

test("processes that keep dying young are started again after longer and longer waits, up to a limit", () => {
  const backOff = new BackOff();
  const seen = Array.from({ length: 12 }, () => backOff.after(50));
  assert.deepEqual(
    seen,
    [...seen].sort((a, b) => a - b),
  );
  assert.ok((seen[0] as number) > 0);
  assert.equal(seen.at(-1), LONGEST_BACK_OFF);
});

test("one that lived long ends the row", () => {
  const backOff = new BackOff();
  const [first] = [backOff.after(50), backOff.after(50), backOff.after(50)];
  assert.equal(backOff.after(OLD), 0);
  assert.equal(backOff.after(50), first);
});

const KILLED = { code: null, signal: "SIGKILL", signalled: false } as const;

test("one that somebody else has killed is started again after the same short wait, ten times in a row", () => {
  const backOff = new BackOff();
  const seen = Array.from({ length: 10 }, () => backOff.after(50, false, KILLED));
  assert.deepEqual(new Set(seen), new Set([100]));
  assert.equal(backOff.after(50, true, KILLED), 0);
  assert.equal(backOff.after(50, false, KILLED), 100);
});

test("one that is killed more often than that, before it can work, waits like any other that dies young", () => {
  const backOff = new BackOff();
  const seen = Array.from({ length: 20 }, () => backOff.after(50, false, KILLED)).slice(10);
  assert.ok((seen[1] as number) > 100);
  assert.equal(seen.at(-1), LONGEST_BACK_OFF);
});

test("one that we have killed, for its memory or because it hung, died young like any other", () => {
  const backOff = new BackOff();
  const seen = Array.from({ length: 12 }, () => backOff.after(50, false, { ...KILLED, signalled: true }));
  assert.equal(seen.at(-1), LONGEST_BACK_OFF);
});

test("one that had worked is replaced at once, however young it was", () => {
  const backOff = new BackOff();
  const seen = Array.from({ length: 12 }, () => backOff.after(50, true));
  assert.deepEqual(new Set(seen), new Set([0]));
});
