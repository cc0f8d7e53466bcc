// Records as people read them, and as the codec reads them.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import {
  beginRequest,
  endRequest,
  RecordReader,
  streamPart,
  TYPE,
  wholeStream,
} from "../../../src/protocols/fastcgi/codec.ts";
import { dissectRecords } from "../../../src/protocols/fastcgi/dissect.ts";
import { encodePairs } from "../../../src/protocols/fastcgi/pairs.ts";
import { assertCovers, fieldAt } from "../../kit/covers.ts";

const LONG = "v".repeat(300);
const request = Buffer.concat([
  beginRequest(7, "responder", true),
  wholeStream(TYPE.PARAMS, 7, encodePairs(["REQUEST_METHOD", "POST", "HTTP_LONG", LONG])),
  wholeStream(TYPE.STDIN, 7, Buffer.from("a=1")),
]);

describe("a request", () => {
  const fields = dissectRecords(request);

  test("every byte belongs to one field", () => assertCovers(fields, 0, request.length));

  test("has the records that the codec finds", () => {
    const reader = new RecordReader("BAD_REQUEST");
    reader.feed(request);
    const found: string[] = [];
    for (let piece = reader.next(); piece; piece = reader.next()) found.push(`${piece.type} ${piece.id}`);
    const shown = fields.map(({ fields: inner = [] }) => {
      const numbers = ["type", "request id"].map((name) => Number.parseInt(fieldAt(inner, name).value, 10));
      return numbers.join(" ");
    });
    assert.deepEqual(shown, found);
  });

  test("names the role, the flag, and each variable with its lengths", () => {
    const [begin, params] = fields;
    assert.equal(begin?.value, "BEGIN_REQUEST of request 7");
    assert.equal(fieldAt(begin?.fields ?? [], "role").value, "1 (responder)");
    assert.equal(fieldAt(begin?.fields ?? [], "flags").value, "1 (the connection stays open)");
    const pairs = fieldAt(params?.fields ?? [], "name-value pairs").fields ?? [];
    assert.equal(fieldAt(pairs, "REQUEST_METHOD").value, "POST");
    assert.equal(fieldAt(pairs, "REQUEST_METHOD", "length of the name").value, "14");
    assert.equal(fieldAt(pairs, "HTTP_LONG", "length of the value").value, "300");
  });

  test("an empty record is the end of its stream", () => {
    assert.equal(fields.at(-1)?.value, "STDIN of request 7, the end of the stream");
  });
});

test("the answer names the status of the protocol", () => {
  const bytes = Buffer.concat([streamPart(TYPE.STDOUT, 1, Buffer.from("hi")), endRequest(1, 3, 2)]);
  const fields = dissectRecords(bytes);
  assertCovers(fields, 0, bytes.length);
  assert.equal(fieldAt(fields[0]?.fields ?? [], "content").value, "hi");
  assert.equal(fieldAt(fields[1]?.fields ?? [], "application status").value, "3");
  assert.equal(fieldAt(fields[1]?.fields ?? [], "protocol status").value, "2 (OVERLOADED)");
});

test("bytes that were cut off anywhere are still dissected to the last one", () => {
  for (let size = 0; size <= request.length; size++)
    assertCovers(dissectRecords(request.subarray(0, size)), 0, size, `the first ${size} bytes`);
});
