// An SCGI request as people read it, and as the codec reads it.
import assert from "node:assert/strict";
import { test } from "node:test";
import { encodeScgiRequest, ScgiRequestReader } from "../../../src/protocols/scgi/codec.ts";
import { dissectScgi } from "../../../src/protocols/scgi/dissect.ts";
import { assertCovers, fieldAt } from "../../kit/covers.ts";

const variables = new Map([
  ["REQUEST_METHOD", "POST"],
  ["QUERY_STRING", ""],
  ["PATH_INFO", "/k\xc3\xa4se"],
]);
const bytes = Buffer.concat([encodeScgiRequest(variables, 3), Buffer.from("a=1")]);

test("every byte belongs to one field, and the variables are those that the codec finds", () => {
  const fields = dissectScgi(bytes);
  assertCovers(fields, 0, bytes.length);
  const names = (fieldAt(fields, "variables").fields ?? []).map(({ name }) => name);
  const read = new ScgiRequestReader(10_000).feed(bytes);
  assert.deepEqual(
    names,
    read?.variables.filter((_, i) => i % 2 === 0),
  );
  assert.equal(fieldAt(fields, "variables", "PATH_INFO").value, "/käse");
  assert.equal(fieldAt(fields, "variables", "QUERY_STRING").value, "");
  assert.equal(fieldAt(fields, "body").value, "a=1");
});

test("the length of the netstring is that of its content", () => {
  const fields = dissectScgi(bytes);
  const { from, to } = fieldAt(fields, "variables");
  assert.equal(Number(fieldAt(fields, "length of the netstring").value), to - from);
});

test("bytes that were cut off anywhere are still dissected to the last one", () => {
  for (let size = 0; size <= bytes.length; size++)
    assertCovers(dissectScgi(bytes.subarray(0, size)), 0, size, `the first ${size} bytes`);
});

test("what is no netstring is said to be none", () => {
  assert.equal(dissectScgi(Buffer.from("GET / HTTP/1.1"))[0]?.name, "not a netstring");
});
