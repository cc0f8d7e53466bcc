import assert from "node:assert/strict";
import { test } from "node:test";
import {
  type CgiResponse,
  ResponseReader,
  type ResponseReaderOptions,
} from "../../src/cgi/response-reader.ts";
import { SallyportError } from "../../src/exchange/index.ts";

/** The response, and all bytes after the header, when `text` arrives in pieces of `size`. */
function read(text: string, options: ResponseReaderOptions = {}, size = Number.POSITIVE_INFINITY) {
  const bytes = Buffer.from(text, "latin1");
  const reader = new ResponseReader(options);
  for (let at = 0; at < bytes.length; at += size) {
    const response = reader.feed(bytes.subarray(at, at + size));
    if (!response) continue;
    const late = bytes.subarray(at + size);
    return { response, body: response.kind === "document" ? Buffer.concat([response.rest, late]) : late };
  }
  throw reader.end();
}

function document(text: string, options?: ResponseReaderOptions) {
  const { response, body } = read(text, options);
  assert.equal(response.kind, "document");
  return { ...(response as Extract<CgiResponse, { kind: "document" }>).head, body: body.toString("latin1") };
}

const refuses = (text: string, code: string, options?: ResponseReaderOptions) =>
  assert.throws(
    () => read(text, options),
    (error) =>
      error instanceof SallyportError && error.code === `ERR_SALLYPORT_${code}` && error.status === 502,
  );

const PLAIN = "Content-Type: text/plain\nX-A:  b \nStatus: 404 Not There\n\nbody\n\nmore";

test("a document gives status, reason, headers in order, and its body", () => {
  assert.deepEqual(document(PLAIN), {
    status: 404,
    reason: "Not There",
    headers: ["Content-Type", "text/plain", "X-A", "b"],
    body: "body\n\nmore",
  });
});

for (const [name, text] of [
  ["LF", PLAIN],
  ["CRLF", PLAIN.replace(/\n/g, "\r\n").replace("body\r\n\r\n", "body\n\n")],
  ["mixed line ends", PLAIN.replace("b \n", "b \r\n")],
] as const) {
  test(`C7: ${name}, in one piece or split at any place, give the same`, () => {
    const expected = read(PLAIN);
    for (let size = 1; size <= text.length; size++) {
      const { response, body } = read(text, {}, size);
      assert.deepEqual({ ...response, rest: 0 }, { ...expected.response, rest: 0 });
      assert.deepEqual(body, expected.body);
    }
  });
}

for (const text of [
  "",
  "no header at all",
  "Content-Type: text/plain\n",
  "Content-Type: text/plain\r\n\r",
  "\n",
  "\r\nbody",
]) {
  test(`C6: ${JSON.stringify(text)} is no answer`, () => refuses(text, "CGI_NO_HEADER"));
}

for (const [why, line] of [
  ["without a colon", "Traceback (most recent call last)"],
  ["with a byte 0", "X-A: a\0b"],
  ["with an escape character", "X-A: \x1b[2J"],
  ["with a bare CR inside", "X-A: a\rX-B: b"],
  ["with a control in its name", "X\x01A: b"],
  ["with a space in its name", "X A: b"],
  ["with a space before the colon", "X-A : b"],
  ["with an empty name", ": b"],
  ["that continues the one before", " folded"],
  ["that is a status line, when that is not enabled (C16)", "HTTP/1.1 200 OK"],
] as const) {
  test(`C8: a line ${why} is refused, wherever it stands`, () => {
    refuses(`${line}\nContent-Type: a/b\n\n`, "CGI_BAD_HEADER");
    refuses(`Content-Type: a/b\n${line}\n\nbody`, "CGI_BAD_HEADER");
  });
}

test("C9: Transfer-Encoding and other fields of the connection are dropped", () => {
  const text =
    "Transfer-Encoding: chunked\nConnection: close\nKeep-Alive: 5\nUpgrade: x\nTE: a\nX-A: b\n\n5\r\n";
  assert.deepEqual(document(text), { status: 200, reason: "", headers: ["X-A", "b"], body: "5\r\n" });
});

test("C9: two equal Content-Length are one", () => {
  assert.deepEqual(document("Content-Length: 5\ncontent-length: 5\n\nhello").headers, [
    "Content-Length",
    "5",
  ]);
});

test("of several Content-Type the last one is sent on", () => {
  const text = "Content-Type: text/plain\nX-A: b\ncontent-type: text/html\n\n";
  assert.deepEqual(document(text).headers, ["Content-Type", "text/html", "X-A", "b"]);
});

for (const lengths of [["5", "6"], ["5, 5"], ["+5"], ["-1"], ["0x5"], [""], ["5 5"], ["9".repeat(20)]]) {
  test(`C9: the Content-Length ${JSON.stringify(lengths)} is refused`, () => {
    refuses(`${lengths.map((length) => `Content-Length: ${length}\n`).join("")}\nhello`, "CGI_BAD_HEADER");
  });
}

for (const status of [
  "20x",
  "2000",
  "20",
  "",
  "abc",
  "100 Continue",
  "101",
  "600",
  "+200",
  "200OK",
  "\u0662\u0660\u0660",
]) {
  test(`C10: Status ${JSON.stringify(status)} is refused`, () =>
    refuses(`Status: ${status}\n\n`, "CGI_BAD_HEADER"));
}

test("C10: two Status lines are refused", () => refuses("Status: 200\nStatus: 200\n\n", "CGI_BAD_HEADER"));

test("C10: without Status the answer is 200, and Status needs no reason", () => {
  assert.equal(document("X-A: b\n\n").status, 200);
  assert.deepEqual(document("status: 204\n\n"), { status: 204, reason: "", headers: [], body: "" });
});

test("C11: a path as Location alone is a local redirect", () => {
  assert.deepEqual(read("Location: /other?a=b\n\n").response, {
    kind: "localRedirect",
    location: "/other?a=b",
  });
  assert.equal(read("Content-Type: text/html\nLocation: /other\n\nignored").response.kind, "localRedirect");
});

for (const location of ["http://example.com/", "//example.com/", "/other#part", "relative"]) {
  test(`C11: Location ${location} without Status sends the client there with 302`, () => {
    const head = document(`Location: ${location}\n\n`);
    assert.deepEqual([head.status, head.headers], [302, ["Location", location]]);
  });
}

test("C11: Location with Status and a body is passed on as given", () => {
  assert.deepEqual(document("Status: 301 Moved\nLocation: /there\n\nbody"), {
    status: 301,
    reason: "Moved",
    headers: ["Location", "/there"],
    body: "body",
  });
});

test("C11: a path as Location beside a cookie sends the client there, so that the cookie is not lost", () => {
  const head = document("Location: /there\nSet-Cookie: a=b\n\n");
  assert.deepEqual([head.status, head.headers], [302, ["Location", "/there", "Set-Cookie", "a=b"]]);
});

test("C11: an empty or doubled Location, or a space in a local one, is refused", () => {
  for (const text of ["Location:\n\n", "Location: /a\nLocation: /b\n\n", "Location: /a b\n\n"])
    refuses(text, "CGI_BAD_HEADER");
});

test("C12: no Content-Type is made up", () => {
  assert.deepEqual(document("Status: 200\n\n<html>").headers, []);
});

test("bytes above 127 pass as they are", () => {
  assert.deepEqual(document("X-A: caf\xe9\n\n\xff").headers, ["X-A", "caf\xe9"]);
});

test("an endless header line is given up at the limit, in few pieces or in many", () => {
  refuses("x".repeat(32_769), "CGI_HEADER_TOO_LARGE");
  assert.throws(() => read("x".repeat(40_000), {}, 1), /no end within 32768/);
  refuses(`X: ${"x".repeat(100)}\n\n`, "CGI_HEADER_TOO_LARGE", { limit: 100 });
});

test("a flood of lines is given up at the limit", () => {
  refuses("X: y\n".repeat(10_000), "CGI_HEADER_TOO_LARGE");
  refuses(`${"X: y\n".repeat(501)}\n`, "CGI_HEADER_TOO_LARGE");
});

test("a large body behind a small header is no large header", () => {
  assert.equal(document(`X: y\n\n${"x".repeat(100_000)}`).body.length, 100_000);
});

test("C16: an nph program's status line is used when that is enabled", () => {
  const head = document("HTTP/1.1 404 Not There\r\nX-A: b\r\n\r\nbody", { nph: true });
  assert.deepEqual(head, { status: 404, reason: "Not There", headers: ["X-A", "b"], body: "body" });
  assert.equal(document("HTTP/1.0 200\n\n", { nph: true }).status, 200);
});

for (const line of [
  "HTTP/1.1 20x",
  "HTTP/2 200 OK",
  "HTTP/1.1 2000 OK",
  "HTTP/1.1  200",
  "X-A: b",
  "HTTP/1.1 100 Continue",
  "HTTP/1.1 200 \x1b",
]) {
  test(`C16: an nph program's ${JSON.stringify(line)} is refused`, () => {
    refuses(`${line}\r\n\r\n`, "CGI_BAD_HEADER", { nph: true });
  });
}
