// The table of doors is complete.
import assert from "node:assert/strict";
import { test } from "node:test";
import { DOORS } from "../../src/demo/door.ts";
import { doorOf, isDoor } from "../../src/demo/doors.ts";

test("each door has the names of all facts, its halves with a source, and a reason of one line", () => {
  for (const id of DOORS) {
    const { facts, halves, reason, code, name } = doorOf(id, undefined);
    for (const [fact, value] of Object.entries(facts)) assert.notEqual(value, "", `${id}: ${fact}`);
    for (const promise of [...halves.server, ...halves.application]) assert.match(promise, /^.{10,}\.$/);
    assert.match(halves.source.url, /^https:\/\//);
    assert.ok(!reason.includes("\n") && reason.length < 120 && name !== "");
    assert.equal(code.length, 2);
  }
});

test("a closed door says why", () => {
  assert.deepEqual(
    Object.entries(doorOf("php", "no PHP")).filter(([key]) => /why|available/.test(key)),
    [
      ["available", false],
      ["why", "no PHP"],
    ],
  );
});

test("only doors are doors", () => {
  assert.deepEqual(["cgi", "site", "constructor"].map(isDoor), [true, false, false]);
});
