import assert from "node:assert/strict";
import { test } from "node:test";
import { Reloads } from "../../src/exchange/index.ts";

/** Reloads that end when they are told to. */
function slow(): { reloads: Reloads; ends: ((error?: Error) => void)[] } {
  const ends: ((error?: Error) => void)[] = [];
  const reloads = new Reloads(
    () =>
      new Promise((resolve, reject) => {
        ends.push((error) => (error ? reject(error) : resolve()));
      }),
  );
  return { reloads, ends };
}

test("a reload that is asked for during another follows it, once for all who asked meanwhile", async () => {
  const { reloads, ends } = slow();
  const first = reloads.ask();
  while (ends.length < 1) await undefined;
  const later = [reloads.ask(), reloads.ask(), reloads.ask()];
  assert.equal(ends.length, 1);
  ends[0]?.();
  await first;
  while (ends.length < 2) await undefined;
  const last = reloads.ask();
  ends[1]?.();
  await Promise.all(later);
  while (ends.length < 3) await undefined;
  ends[2]?.();
  await last;
  assert.equal(ends.length, 3);
});

test("one that fails is told to those who asked for it, and the next begins all the same", async () => {
  const { reloads, ends } = slow();
  const first = assert.rejects(reloads.ask(), /broken/);
  while (ends.length < 1) await undefined;
  const second = reloads.ask();
  ends[0]?.(new Error("broken"));
  await first;
  while (ends.length < 2) await undefined;
  ends[1]?.();
  await second;
});

test("those who ask in one turn share one reload", async () => {
  const { reloads, ends } = slow();
  const all = [reloads.ask(), reloads.ask()];
  while (ends.length < 1) await undefined;
  ends[0]?.();
  await Promise.all(all);
  assert.equal(ends.length, 1);
});
