// A response head as the application's half writes it (RFC 3875, 6).
import assert from "node:assert/strict";
import { test } from "node:test";
import { cgiResponseHead } from "../../src/cgi/head.ts";
import { ResponseReader } from "../../src/cgi/response-reader.ts";

const head = (status: number, ...headers: string[]) => ({ status, reason: "", headers });

test("a head is a Status field, the fields in order, and an empty line", () => {
  const text = cgiResponseHead(
    head(404, "Content-Type", "text/plain", "Set-Cookie", "a=1", "Set-Cookie", "b=2"),
  );
  assert.equal(
    text,
    "Status: 404 Not Found\r\nContent-Type: text/plain\r\nSet-Cookie: a=1\r\nSet-Cookie: b=2\r\n\r\n",
  );
});

test("servers that want a status line get one", () => {
  const text = cgiResponseHead({ status: 299, reason: "Odd", headers: [] }, { form: "http", bodyless: true });
  assert.equal(text, "HTTP/1.1 299 Odd\r\n\r\n");
});

test("a status without a usual phrase has none", () => {
  assert.equal(cgiResponseHead(head(299), { bodyless: true }), "Status: 299\r\n\r\n");
});

test("a known length is told once, and never where there is no body", () => {
  assert.match(cgiResponseHead(head(200), { length: 5 }), /\r\nContent-Length: 5\r\n/);
  assert.equal(
    cgiResponseHead(head(200, "content-length", "5"), { length: 5 }).match(/content-length/gi)?.length,
    1,
  );
  assert.doesNotMatch(cgiResponseHead(head(304), { length: 0, bodyless: true }), /Content-Length/);
  assert.doesNotMatch(
    cgiResponseHead(head(204, "Content-Length", "0"), { bodyless: true }),
    /Content-Length/,
  );
  assert.match(cgiResponseHead(head(200, "Content-Length", "9"), { bodyless: true }), /Content-Length: 9/);
});

test("of several lengths the first is told, to which the body is held", () => {
  const twice = cgiResponseHead(head(200, "Content-Length", "2", "X-A", "b", "content-length", "5"));
  assert.deepEqual(twice.match(/^content-length: .*$/gim), ["Content-Length: 2"]);
  assert.match(twice, /\r\nX-A: b\r\n/);
});

test("C12: a body without a type is bytes, not text/html", () => {
  assert.match(cgiResponseHead(head(200)), /\r\nContent-Type: application\/octet-stream\r\n/);
  assert.doesNotMatch(cgiResponseHead(head(200), { length: 0 }), /Content-Type/);
});

test("fields of the connection and a second Status do not pass", () => {
  const text = cgiResponseHead(
    head(200, "Connection", "close", "Transfer-Encoding", "chunked", "status", "500", "Content-Type", "a/b"),
  );
  assert.equal(text, "Status: 200 OK\r\nContent-Type: a/b\r\n\r\n");
});

test("W7: nothing can split the response", () => {
  const bad = { code: "ERR_SALLYPORT_APP_PROTOCOL" };
  assert.throws(() => cgiResponseHead(head(200, "A", "b\r\nC: d")), bad);
  assert.throws(() => cgiResponseHead(head(200, "A", "b\0")), bad);
  assert.throws(() => cgiResponseHead(head(200, "A\nB", "c")), bad);
  assert.throws(() => cgiResponseHead({ status: 200, reason: "x\ny", headers: [] }), bad);
  for (const status of [0, 101, 600, 999, 1000, 200.5])
    assert.throws(() => cgiResponseHead(head(status)), bad);
});

test("C9: a Content-Length that is no number is refused", () => {
  for (const value of ["1x", "-1", "", "0x5", "1".repeat(16)])
    assert.throws(() => cgiResponseHead({ status: 200, reason: "", headers: ["Content-Length", value] }), {
      code: "ERR_SALLYPORT_APP_PROTOCOL",
    });
});

test("the server's half reads what is written here", () => {
  const text = cgiResponseHead(head(201, "Content-Type", "a/b", "Location", "/x"), { length: 2 });
  const response = new ResponseReader().feed(Buffer.from(`${text}ok`, "latin1"));
  assert.ok(response?.kind === "document");
  assert.equal(response.head.status, 201);
  assert.equal(Buffer.from(response.rest).toString(), "ok");
});
