import assert from "node:assert/strict";
import { test } from "node:test";
import { Reloads } from "../../src/exchange/index.ts";
import { type Agree, throwFirst, together } from "../../src/exchange/reloads.ts";

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

test("those that take effect together wait for each other, and none does when one fails", async () => {
  const taken: string[] = [];
  const reload = (name: string, fails = false) => {
    const reloads = new Reloads(async (agree) => {
      if (fails) throw new Error(`${name} fails`);
      await agree();
      taken.push(name);
    });
    return (agree: Agree) => reloads.ask(agree);
  };
  const unaware = async () => void taken.push("unaware");
  await together([reload("a"), reload("b"), unaware]);
  assert.deepEqual(taken.sort(), ["a", "b", "unaware"]);
  const results = await together([reload("c"), reload("d", true), reload("e")]);
  assert.deepEqual(taken.length, 3);
  assert.throws(() => throwFirst(results), /d fails/);
});

test("two who reload the same together do not wait for each other", async () => {
  const taken: string[] = [];
  let go: (() => void) | undefined;
  const made = (name: string) =>
    new Reloads(async (agree) => {
      if (name === "busy" && !go) return new Promise((resolve) => (go = resolve));
      await agree();
      taken.push(name);
    });
  const both = [made("busy"), made("free")].map((each) => (agree: Agree) => each.ask(agree));
  void both[0]?.(async () => {});
  while (!go) await undefined;
  const ends = [together(both), together(both)];
  await undefined;
  const last = together(both);
  (go as () => void)();
  for (const results of await Promise.all([...ends, last])) throwFirst(results);
  assert.ok(taken.includes("busy") && taken.includes("free"));
});
