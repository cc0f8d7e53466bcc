// Messages with a head of lines, as people read them.
import assert from "node:assert/strict";
import { test } from "node:test";
import { dissectAnswer, dissectMessage } from "../../src/wire/message.ts";
import { assertCovers, fieldAt } from "../kit/covers.ts";

const request = Buffer.from(
  "POST /shop?x=1 HTTP/1.1\r\nHost: example.org\r\nX-Empty:\r\nX-Name:  two words \r\n\r\na=1",
);

test("a request: its line, each field, the empty line, the body", () => {
  const fields = dissectMessage(request, "request line");
  assertCovers(fields, 0, request.length);
  assert.equal(fieldAt(fields, "request line").value, "POST /shop?x=1 HTTP/1.1\\r\\n");
  assert.equal(fieldAt(fields, "Host").value, "example.org");
  assert.equal(fieldAt(fields, "X-Empty").value, "");
  assert.equal(fieldAt(fields, "X-Name").value, "two words");
  assert.equal(fieldAt(fields, "body").value, "a=1");
});

test("the output of a CGI program has no first line, and bare line feeds", () => {
  const output = Buffer.from("Status: 404 Not Found\nContent-Type: text/plain\n\nnot here\n");
  const fields = dissectMessage(output, undefined);
  assertCovers(fields, 0, output.length);
  assert.equal(fieldAt(fields, "Status").value, "404 Not Found");
  assert.equal(fieldAt(fields, "body").value, "not here\\n");
});

test("a line that is no header is said to be none", () => {
  const output = Buffer.from("Traceback (most recent call last)\n\n");
  assert.equal(dissectMessage(output, undefined)[0]?.name, "a line that is no header");
});

test("bytes that were cut off anywhere are still dissected to the last one", () => {
  for (let size = 0; size <= request.length; size++)
    assertCovers(
      dissectMessage(request.subarray(0, size), "request line"),
      0,
      size,
      `the first ${size} bytes`,
    );
});

const hinted = Buffer.from(
  "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 200 OK\r\nX-A: b\r\n\r\nok",
);

test("informational responses stand before the answer, each as one field, wherever the bytes end", () => {
  const fields = dissectAnswer(hinted);
  assert.deepEqual(
    fields.map(({ name }) => name),
    ["informational response", "informational response", "status line", "X-A", "empty line", "body"],
  );
  assert.equal(fieldAt(fields[0]?.fields ?? [], "Link").value, "</a>");
  for (let size = 0; size <= hinted.length; size++)
    assertCovers(dissectAnswer(hinted.subarray(0, size)), 0, size, `the first ${size} bytes`);
});

test("101 is an answer: what follows belongs to another protocol", () => {
  const fields = dissectAnswer(Buffer.from("HTTP/1.1 101 Switching Protocols\r\n\r\nHTTP/1.1 200 OK"));
  assert.equal(fields[0]?.name, "status line");
  assert.equal(fieldAt(fields, "body").value, "HTTP/1.1 200 OK");
});
