// uwsgi requests as bytes, both ways.
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { encodeUwsgiRequest, UwsgiRequestReader } from "../../../src/protocols/uwsgi/codec.ts";
import { anyVariables, bytewise, readAll, testAnyBytes, testVectors } from "../../kit/test-codec.ts";

const LIMIT = 40_000;

testVectors("uwsgi", () => new UwsgiRequestReader(LIMIT));
testAnyBytes("uwsgi", () => new UwsgiRequestReader(LIMIT));

test("uwsgi: what is written is read, however it is cut, and the body after it is left alone", () => {
  fc.assert(
    fc.property(
      anyVariables,
      fc.integer({ min: 1, max: 10_000 }),
      fc.uint8Array(),
      (variables, length, body) => {
        const bytes = Buffer.concat([encodeUwsgiRequest(variables, length), body]);
        const expected = [...[...variables].flat(), "CONTENT_LENGTH", String(length)];
        for (const pieces of [[bytes], bytewise(bytes)]) {
          const read = readAll(new UwsgiRequestReader(LIMIT), pieces);
          assert.deepEqual(read?.variables, expected);
          assert.deepEqual(Buffer.from(read?.rest ?? []), Buffer.from(body));
        }
      },
    ),
  );
});

test("uwsgi: variables of 65,535 bytes fit, one more is refused instead of wrapping the size", () => {
  const full = new Map([["A", "a".repeat(65_535 - 5)]]);
  assert.equal(encodeUwsgiRequest(full, 0).length, 65_539);
  assert.equal(readAll(new UwsgiRequestReader(65_535), [encodeUwsgiRequest(full, 0)])?.variables.length, 2);
  const over = new Map([["A", "a".repeat(65_535 - 4)]]);
  assert.throws(() => encodeUwsgiRequest(over, 0), { code: "ERR_SALLYPORT_HEADERS_TOO_LARGE" });
});

test("uwsgi: a length of nothing is only said where the client said it", () => {
  assert.equal(encodeUwsgiRequest(new Map(), 0).length, 4);
  assert.equal(
    readAll(new UwsgiRequestReader(LIMIT), [encodeUwsgiRequest(new Map([["CONTENT_LENGTH", "9"]]), 0)])
      ?.variables[1],
    "0",
  );
});
