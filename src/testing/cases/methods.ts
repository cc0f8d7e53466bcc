// Methods, and the responses that never have a body (RFC 9110, 6.4.1, 9.3, 15.3.5, 15.4.5).
// Tested by test/matrix/matrix.test.ts.
import type { Behaviour, Capability, Case } from "../case.ts";

const USUAL = ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];
/** Registered, and known to most parsers. */
const REGISTERED = ["PROPFIND", "REPORT", "MKCOL", "LOCK", "M-SEARCH", "PURGE"];

const describes = (method: string, needs: readonly Capability[] = []): Case => ({
  name: `the method ${method} reaches the application`,
  needs,
  request: { method },
  app: { kind: "describe" },
  expected: { status: 200, seen: { method } },
});

const FIVE: Behaviour = { kind: "answer", headers: ["Content-Type", "text/plain"], body: "12345" };

export const methods: readonly Case[] = [
  ...USUAL.map((method) => describes(method)),
  ...REGISTERED.map((method) => describes(method)),
  describes("BREW", ["anyMethod"]),
  describes("x-lower!case", ["anyMethod"]),
  describes("TRACE", ["traceMethod"]),
  {
    name: "OPTIONS * asks about the server as a whole",
    needs: ["asterisk"],
    request: { method: "OPTIONS", target: "*" },
    app: { kind: "answer", status: 204, headers: ["Allow", "GET, HEAD"] },
    expected: { status: 204, headers: { allow: "GET, HEAD" } },
  },
  {
    name: "a HEAD request is answered without a body, and the connection lives on",
    request: { method: "HEAD" },
    app: FIVE,
    expected: { status: 200, headers: { "content-type": "text/plain" }, body: "", persistent: true },
    next: [{ request: {}, app: FIVE, expected: { status: 200, body: "12345" } }],
  },
  {
    name: "the answer to HEAD may have the Content-Length of the answer to GET",
    request: { method: "HEAD" },
    app: { kind: "answer", headers: ["Content-Length", "5", "Content-Type", "text/plain"] },
    expected: { status: 200, headers: { "content-length": "5" }, body: "", persistent: true },
    next: [{ request: {}, app: FIVE, expected: { status: 200, body: "12345" } }],
  },
  {
    name: "what an application streams in answer to HEAD is not sent",
    request: { method: "HEAD" },
    app: { kind: "stream", pieces: ["some", "thing"] },
    expected: { status: 200, body: "", persistent: true },
    next: [{ request: {}, app: FIVE, expected: { status: 200, body: "12345" } }],
  },
  {
    name: "a response with 204 has neither body nor Content-Length",
    request: { method: "DELETE" },
    app: { kind: "answer", status: 204, headers: ["X-Kept", "yes"] },
    expected: {
      status: 204,
      headers: { "x-kept": "yes", "content-length": null },
      body: "",
      framing: "none",
    },
    next: [{ request: {}, app: FIVE, expected: { status: 200, body: "12345" } }],
  },
  {
    name: "a response with 304 has no body and keeps its ETag",
    request: { headers: ["If-None-Match", '"a"'] },
    app: { kind: "answer", status: 304, headers: ["ETag", '"a"'] },
    expected: { status: 304, headers: { etag: '"a"' }, body: "", framing: "none", persistent: true },
    next: [{ request: {}, app: FIVE, expected: { status: 200, body: "12345" } }],
  },
];
