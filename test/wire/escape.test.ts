import assert from "node:assert/strict";
import { test } from "node:test";
import { escapeControls, escapeField, escapeQuoted, UNQUOTABLE } from "../../src/wire/escape.ts";

for (const [text, controls, quoted] of [
  ["plain, ünd 漢", "plain, ünd 漢", "plain, ünd 漢"],
  ["a\r\nb\t", "a\\r\\nb\\t", "a\\r\\nb\\t"],
  ["\x1b[31m", "\\x1b[31m", "\\x1b[31m"],
  ["\x7f\x85\u2028", "\\x7f\\x85\\u2028", "\\x7f\\x85\\u2028"],
  ['say "hi\\"', 'say "hi\\"', 'say \\"hi\\\\\\"'],
] as const)
  test(`CWE-117: ${JSON.stringify(text)} neither ends a line nor its quotes`, () => {
    assert.equal(escapeControls(text), controls);
    assert.equal(escapeQuoted(text), quoted);
    const field = escapeField(text);
    assert.equal(UNQUOTABLE.test(text), text !== field);
    assert.match(field, /^[\x20-\x7e]*$/);
    assert.doesNotMatch(field, /(?<!\\)(?:\\\\)*"/);
  });
