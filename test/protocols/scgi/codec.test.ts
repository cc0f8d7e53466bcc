// SCGI requests as bytes, both ways.
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { encodeScgiRequest, ScgiRequestReader } from "../../../src/protocols/scgi/codec.ts";
import { anyVariables, bytewise, readAll, testAnyBytes, testVectors } from "../../kit/test-codec.ts";

const LIMIT = 65_536;

testVectors("scgi", () => new ScgiRequestReader(LIMIT));
testAnyBytes("scgi", () => new ScgiRequestReader(LIMIT));

test("scgi: what is written is read, however it is cut, and the body after it is left alone", () => {
  fc.assert(
    fc.property(anyVariables, fc.nat(10_000), fc.uint8Array(), (variables, length, body) => {
      const bytes = Buffer.concat([encodeScgiRequest(variables, length), body]);
      const expected = ["CONTENT_LENGTH", String(length), "SCGI", "1", ...[...variables].flat()];
      for (const pieces of [[bytes], bytewise(bytes)]) {
        const read = readAll(new ScgiRequestReader(LIMIT), pieces);
        assert.deepEqual(read?.variables, expected);
        assert.deepEqual(Buffer.from(read?.rest ?? []), Buffer.from(body));
      }
    }),
  );
});

test("scgi: CONTENT_LENGTH is written first and once, whatever the variables say", () => {
  const bytes = encodeScgiRequest(
    new Map([
      ["A", "1"],
      ["CONTENT_LENGTH", "99"],
      ["SCGI", "2"],
    ]),
    5,
  );
  assert.equal(Buffer.from(bytes).toString("latin1"), "28:CONTENT_LENGTH\x005\0SCGI\x001\0A\x001\0,");
});

test("scgi: a byte 0 in a variable would be another variable, and is refused", () => {
  for (const pair of [
    ["A", "1\0CONTENT_LENGTH\x005"],
    ["A\0B", "1"],
    ["", "1"],
  ] as const)
    assert.throws(() => encodeScgiRequest(new Map([pair]), 0), { code: "ERR_SALLYPORT_BAD_REQUEST" });
});

test("S1: a length over the limit is refused at its digits, before anything is kept", () => {
  const refused = { code: "ERR_SALLYPORT_HEADERS_TOO_LARGE" };
  assert.throws(() => new ScgiRequestReader(100).feed(Buffer.from("101")), refused);
  assert.equal(new ScgiRequestReader(100).feed(Buffer.from("100:")), undefined);
});
