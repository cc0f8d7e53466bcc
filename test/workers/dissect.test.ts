// Frames of the link as people read them: what the server writes for a request.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { writeScope } from "../../src/protocols/asgi/scope.ts";
import { writeEnviron } from "../../src/protocols/wsgi/environ.ts";
import { RecordedExchange } from "../../src/testing/recorded.ts";
import { CommonParts } from "../../src/workers/common-parts.ts";
import { dissectFrames } from "../../src/workers/dissect.ts";
import { FROM_WORKER, FrameWriter, TO_WORKER } from "../../src/workers/link.ts";
import { marshal } from "../../src/workers/marshal.ts";
import { assertCovers, fieldAt } from "../kit/covers.ts";

const exchange = (): RecordedExchange =>
  new RecordedExchange({
    method: "POST",
    target: "/shop/k%C3%A4se?x=1",
    mount: "/shop",
    headers: ["Host", "example.org", "X-Long", "v".repeat(300)],
    body: "a=1",
  });

const written = (write: (writer: FrameWriter) => void): Buffer => {
  const writer = new FrameWriter();
  write(writer);
  return Buffer.concat(
    writer.take().map((piece) => (typeof piece === "string" ? Buffer.from(piece, "latin1") : piece)),
  );
};

const transport = (writer: FrameWriter) => ({ writer, commonParts: new CommonParts() }) as never;

describe("a WSGI request", () => {
  const bytes = written((writer) => writeEnviron(transport(writer), 5, exchange(), Buffer.from("a=1")));
  const [frame] = dissectFrames(bytes);

  test("every byte belongs to one field", () => assertCovers(dissectFrames(bytes), 0, bytes.length));

  test("is one frame, and its payload the environ", () => {
    assert.equal(frame?.value, "REQUEST of stream 5");
    const environ = fieldAt(frame?.fields ?? [], "payload").fields ?? [];
    assert.equal(fieldAt(environ, "SCRIPT_NAME").value, "'/shop'");
    assert.equal(fieldAt(environ, "PATH_INFO").value, "'/k\u00c3\u00a4se'");
    assert.equal(fieldAt(environ, "wsgi.input").value, "b'a=1'");
  });
});

test("an ASGI request's scope has lists and tuples inside", () => {
  const bytes = written((writer) => writeScope(transport(writer), 5, exchange()));
  const fields = dissectFrames(bytes);
  assertCovers(fields, 0, bytes.length);
  const scope = fieldAt(fields[0]?.fields ?? [], "payload").fields ?? [];
  assert.equal(fieldAt(scope, "type").value, "'http'");
  assert.equal(fieldAt(scope, "headers", "value", "0", "0").value, "b'host'");
  assert.equal(fieldAt(scope, "path").value, "'/shop/käse'");
});

test("every value that the server can marshal is read", () => {
  const value = {
    none: null,
    yes: true as const,
    number: 7,
    text: "ü€",
    long: "x".repeat(300),
    list: [1, [2]],
    bytes: Buffer.of(0),
  };
  const bytes = written((writer) => writer.text(TO_WORKER.INIT, 0, marshal(value)));
  const fields = dissectFrames(bytes);
  assertCovers(fields, 0, bytes.length);
  const payload = fieldAt(fields[0]?.fields ?? [], "payload").fields ?? [];
  const shown = Object.fromEntries(payload.map((field) => [field.name, field.value]));
  assert.equal(shown.none, "None");
  assert.equal(shown.text, "'ü€'");
  assert.equal(shown.list, "2 values");
  assert.equal(shown.bytes, "b'\\x00'");
});

describe("an answer", () => {
  const head = Buffer.from("\x03200 OK\r\nContent-Length: 2\r\nDate: now\r\n", "latin1");
  const length = Buffer.alloc(4);
  length.writeUInt32LE(head.length);

  test("in one frame: the length of its head, its flags, its fields, its body", () => {
    const bytes = written((writer) =>
      writer.frame(FROM_WORKER.RESPONSE, 5, Buffer.concat([length, head, Buffer.from("hi")])),
    );
    const fields = dissectFrames(bytes);
    assertCovers(fields, 0, bytes.length);
    const inside = fields[0]?.fields ?? [];
    assert.equal(fieldAt(inside, "head", "flags").value, "3 (a Content-Length, a Date)");
    assert.equal(fieldAt(inside, "head", "Content-Length").value, "2");
    assert.equal(fieldAt(inside, "body").value, "hi");
  });

  test("in pieces: a head, and what the worker wants to read", () => {
    const bytes = written((writer) => {
      writer.frame(FROM_WORKER.HEAD, 5, head);
      writer.count(FROM_WORKER.WANT, 5, 70_000);
    });
    const fields = dissectFrames(bytes);
    assertCovers(fields, 0, bytes.length);
    assert.equal(fieldAt(fields[0]?.fields ?? [], "status").value, "200 OK\\r\\n");
    assert.equal(fieldAt(fields[1]?.fields ?? [], "count").value, "70000");
  });
});

test("bytes that were cut off anywhere are still dissected to the last one", () => {
  const bytes = written((writer) => writeEnviron(transport(writer), 5, exchange(), Buffer.from("a=1")));
  for (let size = 0; size <= bytes.length; size++)
    assertCovers(dissectFrames(bytes.subarray(0, size)), 0, size, `the first ${size} bytes`);
});
