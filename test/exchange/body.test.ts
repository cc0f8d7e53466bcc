// Bodies that a listener pushes: what they ask of it.
import assert from "node:assert/strict";
import { test } from "node:test";
import { PushedBody } from "../../src/exchange/index.ts";

/** A body, and what it asked of its listener, in order. */
function pushed(length?: number): { body: PushedBody; asked: string[] } {
  const asked: string[] = [];
  const ask = (what: string) => () => void asked.push(what);
  return {
    body: new PushedBody(length, { wanted: ask("wanted"), pause: ask("pause"), resume: ask("resume") }, 4),
    asked,
  };
}

test("the first read, and no other, says that the body is wanted", async () => {
  const { body, asked } = pushed();
  const first = body.read();
  body.push(Buffer.from("a"));
  await first;
  body.push(Buffer.from("b"));
  await body.read();
  assert.deepEqual(asked, ["wanted"]);
});

test("a body that was discarded is never wanted, whoever reads it", async () => {
  const { body, asked } = pushed();
  body.discard();
  assert.equal(await body.read(), undefined);
  assert.deepEqual(asked, []);
});

test("a listener is told to pause when more waits than may, and to resume when it was read", async () => {
  const { body, asked } = pushed();
  body.push(Buffer.from("abc"));
  body.push(Buffer.from("def"));
  assert.deepEqual(asked, ["pause"]);
  await body.read();
  await body.read();
  assert.deepEqual(asked, ["pause", "wanted", "resume"]);
});
