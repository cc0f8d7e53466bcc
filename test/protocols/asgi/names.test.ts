import assert from "node:assert/strict";
import { test } from "node:test";
import { FieldNames } from "../../../src/protocols/asgi/names.ts";

test("a name becomes the beginning of a tuple of bytes, in lower case", () => {
  const pair = new FieldNames().pairOf("X-Forwarded-For");
  assert.equal(pair, ")\x02s\x0f\0\0\0x-forwarded-for");
});

test("names that clients make up do not fill memory: what is remembered is bounded", () => {
  const names = new FieldNames();
  let largest = 0;
  for (let i = 0; i < 100_000; i++) {
    assert.ok(names.pairOf(`x-made-up-${i}`).endsWith(`x-made-up-${i}`));
    largest = Math.max(largest, names.size);
  }
  assert.ok(largest > 10_000 && largest < 70_000, `${largest} characters are remembered`);
});
