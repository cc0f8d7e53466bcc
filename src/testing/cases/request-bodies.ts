// Request bodies of all sizes and framings (RFC 9112, 6.3, 7.1), and applications that do not read them (9.3).
// Tested by test/matrix/matrix.test.ts.
import type { Bytes, Case } from "../case.ts";
import { ALL_BYTES, SIZES } from "./sizes.ts";

const CHUNK = 10_000;

const echoes = (name: string, body: Bytes, chunk?: number): Case => ({
  name,
  request: { method: "POST", body, ...(chunk === undefined ? {} : { chunk }) },
  app: { kind: "echo" },
  expected: { status: 200, body },
});

export const requestBodies: readonly Case[] = [
  ...SIZES.map((size) => echoes(`a request body of ${size} bytes arrives unchanged`, { size })),
  ...SIZES.map((size) =>
    echoes(`a request body of ${size} bytes in chunks of ${CHUNK} arrives unchanged`, { size }, CHUNK),
  ),
  echoes("a request body in chunks of one byte arrives unchanged", { size: 300 }, 1),
  echoes("a request body may have any byte", ALL_BYTES),
  echoes("a request body that looks like a chunk's end is a body", "\r\n0\r\n\r\n"),
  echoes("a request body that looks like a request is a body", "GET / HTTP/1.1\r\nHost: x\r\n\r\n", 7),
  {
    name: "a request without a body announces none, or one of no bytes (S3)",
    request: {},
    app: { kind: "describe" },
    expected: [
      { status: 200, seen: { length: null, size: 0 } },
      { status: 200, seen: { length: 0, size: 0 } },
    ],
  },
  {
    name: "an announced body of no bytes is empty",
    request: { method: "POST", body: "" },
    app: { kind: "describe" },
    expected: { status: 200, seen: { size: 0 } },
  },
  {
    name: "the length of a body reaches the application",
    request: { method: "PUT", body: { size: 70_000 } },
    app: { kind: "describe" },
    expected: { status: 200, seen: { length: 70_000, size: 70_000 } },
  },
  {
    name: "a chunked body has no length, or the right one (C3)",
    request: { method: "PUT", body: { size: 70_000 }, chunk: 999 },
    app: { kind: "describe" },
    expected: [
      { status: 200, seen: { length: null, size: 70_000 } },
      { status: 200, seen: { length: 70_000, size: 70_000 } },
    ],
  },
  {
    name: "a GET request may have a body",
    needs: ["bodyOnGet"],
    request: { method: "GET", body: "12345" },
    app: { kind: "describe" },
    expected: { status: 200, seen: { method: "GET", size: 5 } },
  },
  {
    name: "the trailers of a request reach the application",
    needs: ["requestTrailers"],
    request: { method: "POST", body: "12345", chunk: 2, trailers: ["X-Sum", "15"] },
    app: { kind: "describe" },
    expected: { status: 200, seen: { size: 5, trailers: { "x-sum": "15" } } },
  },
  {
    name: "trailers do not become headers (H12)",
    request: { method: "POST", body: "12345", chunk: 2, trailers: ["Authorization", "x", "X-Sum", "15"] },
    app: { kind: "describe" },
    expected: {
      status: 200,
      seen: { size: 5, headers: { authorization: null }, trailers: { authorization: null } },
    },
  },
  {
    name: "a small unread body is not taken for the next request",
    request: { method: "POST", body: "GET /x HTTP/1.1\r\nHost: x\r\n\r\n" },
    app: { kind: "answer", status: 403, body: "no" },
    expected: { status: 403, body: "no" },
    next: [{ request: {}, app: { kind: "answer", body: "yes" }, expected: { status: 200, body: "yes" } }],
  },
  {
    name: "a large unread body does not hinder the answer (H19)",
    request: { method: "POST", body: { size: 1_048_576 } },
    app: { kind: "answer", status: 403, body: { size: 5_000 } },
    expected: { status: 403, body: { size: 5_000 } },
    next: [{ request: {}, app: { kind: "answer", body: "yes" }, expected: { status: 200, body: "yes" } }],
  },
  {
    name: "a large unread chunked body does not hinder the answer (H19)",
    request: { method: "POST", body: { size: 1_048_576 }, chunk: 4_096 },
    app: { kind: "answer", status: 403, body: "no" },
    expected: { status: 403, body: "no" },
  },
  {
    name: "a client that waits for 100 Continue gets it (H18)",
    request: { method: "POST", headers: ["Expect", "100-continue"], body: { size: 2_000 } },
    client: "awaitsContinue",
    app: { kind: "describe" },
    expected: { status: 200, seen: { size: 2_000 }, informs: [100] },
  },
  {
    name: "a client that waits for 100 Continue is answered without it when the application reads no body (H18)",
    needs: ["lazyContinue"],
    request: { method: "POST", headers: ["Expect", "100-continue"], body: { size: 2_000 } },
    client: "awaitsContinue",
    app: { kind: "answer", status: 403, body: "no" },
    expected: { status: 403, body: "no", informs: [] },
  },
];
