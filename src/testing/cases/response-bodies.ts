// Response bodies of all sizes and framings, and lengths that lie (RFC 9112, 6.3; RFC 9110, 8.6).
// Tested by test/matrix/matrix.test.ts.
import type { Behaviour, Bytes, Case } from "../case.ts";
import { ALL_BYTES, SIZES } from "./sizes.ts";

const answers = (name: string, body: Bytes): Case => ({
  name,
  request: {},
  app: { kind: "answer", body },
  expected: { status: 200, body, persistent: true },
});

const streams = (name: string, pieces: readonly Bytes[], body: Bytes): Case => ({
  name,
  request: {},
  app: { kind: "stream", pieces },
  expected: { status: 200, body, persistent: true },
});

const AGAIN = {
  request: {},
  app: { kind: "answer", body: "again" },
  expected: { status: 200, body: "again" },
} as const;

const announcing = (length: number, pieces: readonly Bytes[]): Behaviour => ({
  kind: "stream",
  headers: ["Content-Length", String(length), "Content-Type", "text/plain"],
  pieces,
});

export const responseBodies: readonly Case[] = [
  ...SIZES.map((size) => answers(`a response body of ${size} bytes arrives unchanged`, { size })),
  ...SIZES.map((size) =>
    streams(`a response body of ${size} bytes in one piece of a stream arrives unchanged`, [{ size }], {
      size,
    }),
  ),
  streams("a response body in many pieces arrives unchanged", Array(200).fill("x"), "x".repeat(200)),
  streams("an empty piece does not end a response (F4)", ["", "a", "", "b", ""], "ab"),
  streams("a stream without pieces is an empty response", [], ""),
  answers("a response body may have any byte", ALL_BYTES),
  answers("a response body that looks like a chunk's end is a body", "0\r\n\r\n"),
  answers("a response body that looks like a head is a body (F14)", "Status: 500 No\r\nX-Evil: 1\r\n\r\n"),
  answers("a response body may begin with line breaks", "\r\n\r\n\n\nx"),
  {
    name: "a Content-Length of the application is sent",
    request: {},
    app: announcing(6, ["abc", "def"]),
    expected: { status: 200, headers: { "content-length": "6" }, framing: "length", body: "abcdef" },
    next: [AGAIN],
  },
  {
    name: "a response shorter than its Content-Length is cut visibly (C9, W5)",
    request: {},
    app: announcing(10, ["abc"]),
    expected: [{ status: [500, 502] }, { complete: false }],
    next: [AGAIN],
  },
  {
    name: "of a response longer than its Content-Length no more than that is sent (C9, W5)",
    request: {},
    app: announcing(4, ["abc", "def"]),
    expected: [
      { status: [500, 502] },
      { status: 200, body: "abcd", framing: "length" },
      { status: 200, complete: false },
    ],
    next: [AGAIN],
  },
  {
    name: "a Content-Length that is no number is refused",
    request: {},
    app: { kind: "answer", headers: ["Content-Length", "1x", "Content-Type", "text/plain"], body: "a" },
    expected: [{ status: [500, 502] }, { status: 200, headers: { "content-length": "1" }, body: "a" }],
    next: [AGAIN],
  },
  {
    name: "an application does not choose the transfer coding (W8)",
    request: {},
    app: {
      kind: "answer",
      headers: ["Transfer-Encoding", "chunked", "Content-Type", "text/plain"],
      body: "a",
    },
    expected: [{ status: [500, 502] }, { status: 200, body: "a" }],
    next: [AGAIN],
  },
  {
    name: "an HTTP/1.0 client gets no chunks",
    request: { version: "1.0" },
    app: { kind: "stream", pieces: ["ab", "cd"] },
    expected: { status: 200, headers: { "transfer-encoding": null }, body: "abcd" },
  },
  {
    name: "an HTTP/1.0 client may keep its connection when the length is known",
    request: { version: "1.0", headers: ["Connection", "keep-alive"] },
    app: announcing(4, ["abcd"]),
    expected: { status: 200, body: "abcd", persistent: true },
    next: [AGAIN],
  },
  {
    name: "the trailers of a response reach the client",
    needs: ["responseTrailers"],
    request: { headers: ["TE", "trailers"] },
    app: {
      kind: "stream",
      headers: ["Trailer", "X-Sum"],
      pieces: ["ab", "cd"],
      trailers: ["X-Sum", "4"],
    },
    expected: { status: 200, body: "abcd", trailers: { "x-sum": "4" } },
    next: [AGAIN],
  },
];
