// A uwsgi request as people read it, and as the codec reads it.
import assert from "node:assert/strict";
import { test } from "node:test";
import { encodeUwsgiRequest, UwsgiRequestReader } from "../../../src/protocols/uwsgi/codec.ts";
import { dissectUwsgi } from "../../../src/protocols/uwsgi/dissect.ts";
import { assertCovers, fieldAt } from "../../kit/covers.ts";

const variables = new Map([
  ["REQUEST_METHOD", "POST"],
  ["QUERY_STRING", ""],
  ["HTTP_LONG", "v".repeat(300)],
]);
const bytes = Buffer.concat([encodeUwsgiRequest(variables, 3), Buffer.from("a=1")]);

test("every byte belongs to one field, and the variables are those that the codec finds", () => {
  const fields = dissectUwsgi(bytes);
  assertCovers(fields, 0, bytes.length);
  const names = (fieldAt(fields, "variables").fields ?? []).map(({ name }) => name);
  const read = new UwsgiRequestReader(10_000).feed(bytes);
  assert.deepEqual(
    names,
    read?.variables.filter((_, i) => i % 2 === 0),
  );
  assert.equal(fieldAt(fields, "variables", "HTTP_LONG", "size of the value").value, "300");
  assert.equal(fieldAt(fields, "variables", "CONTENT_LENGTH").value, "3");
  assert.equal(fieldAt(fields, "body").value, "a=1");
});

test("the packet's size is little-endian", () => {
  const fields = dissectUwsgi(bytes);
  const { from, to } = fieldAt(fields, "variables");
  assert.equal(Number(fieldAt(fields, "size of the variables").value), to - from);
  assert.ok(to - from > 255);
});

test("bytes that were cut off anywhere are still dissected to the last one", () => {
  for (let size = 0; size <= bytes.length; size++)
    assertCovers(dissectUwsgi(bytes.subarray(0, size)), 0, size, `the first ${size} bytes`);
});
