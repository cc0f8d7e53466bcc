import assert from "node:assert/strict";
import { test } from "node:test";
import { nearest, suggestion } from "../../src/options/did-you-mean.ts";

const KNOWN = ["processes", "threads", "port", "path", "app"];

const WORDS: [string, string | undefined][] = [
  ["procesess", "processes"],
  ["Threads", "threads"],
  ["thread", "threads"],
  ["prot", "port"],
  ["paht", "path"],
  ["x", undefined],
  ["colour", undefined],
];

for (const [word, found] of WORDS) {
  test(`for ${word} ${found ? `${found} is suggested` : "nothing is suggested"}`, () =>
    assert.equal(nearest(word, KNOWN), found));
}

test("a suggestion is half a sentence, or empty", () => {
  assert.equal(suggestion("prot", KNOWN, "--"), "; did you mean --port?");
  assert.equal(suggestion("colour", KNOWN), "");
});
