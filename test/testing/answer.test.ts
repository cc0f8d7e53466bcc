// The suite's own reader of answers: whole, byte by byte, cut, and not HTTP at all.
import assert from "node:assert/strict";
import type { Socket } from "node:net";
import { Duplex } from "node:stream";
import { test } from "node:test";
import { type Answer, AnswerReader } from "../../src/testing/answer.ts";

/** What the reader makes of `text`, which comes in pieces of `step` bytes and then ends, by a reset if `reset`. */
async function read(
  text: string,
  { method = "GET", step = text.length, reset = false } = {},
): Promise<Answer> {
  const socket = new Duplex({ read() {}, write: (_chunk, _encoding, done) => done() });
  const { answer, done } = new AnswerReader(socket as unknown as Socket).read(method);
  for (let at = 0; at < text.length; at += step) socket.push(text.slice(at, at + step), "latin1");
  if (reset) setImmediate(() => socket.destroy(new Error("reset")));
  else socket.push(null);
  await done;
  return answer;
}

const bodyOf = ({ body }: Answer): string => Buffer.concat(body).toString("latin1");

const CHUNKED = [
  "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n",
  "HTTP/1.1 200 Fine\r\nTransfer-Encoding: chunked\r\nX: 1\r\nx:  2 \r\n\r\n",
  "3\r\nabc\r\nA\r\n0123456789\r\n0\r\nX-Sum: 13\r\n\r\n",
].join("");

for (const step of [1, 2, 7, 1000]) {
  test(`a chunked answer is read in pieces of ${step} bytes`, async () => {
    const answer = await read(CHUNKED, { step });
    assert.equal(answer.status, 200);
    assert.equal(answer.reason, "Fine");
    assert.deepEqual(answer.headers, ["Transfer-Encoding", "chunked", "X", "1", "x", "2"]);
    assert.deepEqual(answer.informs, [103]);
    assert.equal(bodyOf(answer), "abc0123456789");
    assert.deepEqual(answer.trailers, ["X-Sum", "13"]);
    assert.ok(answer.complete && answer.persistent);
  });
}

test("an answer cut anywhere is not complete", async () => {
  for (let size = 0; size < CHUNKED.length; size++) {
    const answer = await read(CHUNKED.slice(0, size));
    assert.equal(answer.complete, false, `after ${size} bytes`);
  }
});

test("an answer that lasts until the end is complete after an end, and not after a reset", async () => {
  const text = "HTTP/1.1 200 OK\r\n\r\nabc";
  const [ended, reset] = [await read(text), await read(text, { reset: true })];
  assert.deepEqual([ended.complete, ended.persistent, bodyOf(ended)], [true, false, "abc"]);
  assert.deepEqual([reset.complete, bodyOf(reset)], [false, "abc"]);
});

test("an answer that has no body ends with its head", async () => {
  for (const [method, status] of [
    ["HEAD", 200],
    ["GET", 204],
    ["GET", 304],
  ] as const) {
    const answer = await read(`HTTP/1.1 ${status} X\r\nContent-Length: 5\r\n\r\n12345`, { method });
    assert.deepEqual([answer.complete, answer.size, answer.framing], [true, 0, "none"]);
  }
});

const BROKEN: readonly [what: string, text: string][] = [
  ["a status line of another protocol", "ICY 200 OK\r\n\r\n"],
  ["a line ended by LF alone", "HTTP/1.1 200 OK\n\n"],
  ["a field without a colon", "HTTP/1.1 200 OK\r\nabc\r\n\r\n"],
  ["a blank before the colon", "HTTP/1.1 200 OK\r\nX : 1\r\n\r\n"],
  ["both length and chunks", "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n"],
  ["two lengths", "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\na"],
  ["a length that is no number", "HTTP/1.1 200 OK\r\nContent-Length: 1x\r\n\r\na"],
  ["a chunk size that is no number", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n"],
  ["a chunk longer than it says", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nabc\r\n"],
];
for (const [what, text] of BROKEN) {
  test(`${what} is not HTTP`, async () => {
    const answer = await read(text);
    assert.ok(answer.broken);
    assert.equal(answer.complete, false);
  });
}
