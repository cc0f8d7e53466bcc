// A request as it is asked about, and the bytes that stand for it.
import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, test } from "node:test";
import { silentLog } from "../../src/exchange/index.ts";
import { bytesOfRequest, methodOf, partsOfUrl, passThrough } from "../../src/explain/request.ts";
import { ASKED } from "./ask.ts";

const text = (more: object): string =>
  bytesOfRequest({ ...ASKED, body: Buffer.alloc(0), fields: [], ...more }).toString();

describe("the bytes", () => {
  test("have the fields that any client adds", () => {
    assert.equal(text({ method: "GET", target: "/" }), "GET / HTTP/1.1\r\nHost: example.org\r\n\r\n");
    assert.match(
      text({ body: Buffer.from("a=1") }),
      /\r\nContent-Length: 3\r\nContent-Type: application\/x-www-form-urlencoded\r\n\r\na=1$/,
    );
  });

  test("leave out those that were given", () => {
    assert.equal(
      text({ method: "GET", target: "/", fields: ["host: other"] }),
      "GET / HTTP/1.1\r\nhost: other\r\n\r\n",
    );
    assert.doesNotMatch(
      text({ body: Buffer.from("{}"), fields: ["Content-Type: application/json"] }),
      /urlencoded/,
    );
  });

  test("keep the target as it was written", () => {
    assert.match(text({ method: "GET", target: "/a/../b//%2e?x=%zz" }), /^GET \/a\/\.\.\/b\/\/%2e\?x=%zz /);
  });
});

describe("the URL", () => {
  test("is a path, or has scheme and host, too", () => {
    assert.deepEqual(partsOfUrl("/a?b", "h:1"), { scheme: "http", authority: "h:1", target: "/a?b" });
    assert.deepEqual(partsOfUrl("HTTPS://example.org", "h"), {
      scheme: "https",
      authority: "example.org",
      target: "/",
    });
    assert.deepEqual(partsOfUrl("http://e.org?x", "h"), {
      scheme: "http",
      authority: "e.org",
      target: "/?x",
    });
  });

  test("anything else is refused", () => {
    for (const url of ["shop", "ftp://x/", "http://", ""])
      assert.throws(() => partsOfUrl(url, "h"), { code: "ERR_SALLYPORT_USAGE" });
  });
});

test("the method is the given one, or the usual one", () => {
  assert.equal(methodOf(undefined, false), "GET");
  assert.equal(methodOf(undefined, true), "POST");
  assert.equal(methodOf("DELETE", true), "DELETE");
  assert.throws(() => methodOf("A B", false), { code: "ERR_SALLYPORT_USAGE" });
});

test("a request passes where TMPDIR is too long for a socket's path, and leaves nothing there", async (t) => {
  const { TMPDIR } = process.env;
  const place = mkdtempSync(join(tmpdir(), "sallyport-"));
  t.after(() => {
    if (TMPDIR === undefined) delete process.env.TMPDIR;
    else process.env.TMPDIR = TMPDIR;
    rmSync(place, { recursive: true });
  });
  const long = join(place, "t".repeat(100));
  mkdirSync(long);
  process.env.TMPDIR = long;
  const { bytes } = await passThrough(ASKED, {}, silentLog, (exchange) =>
    exchange.respond({ status: 200, reason: "", headers: [] }, "here"),
  );
  assert.match(bytes.toString(), /\r\n\r\nhere$/);
  assert.deepEqual([readdirSync(long), readdirSync(place).length], [[], 1]);
});
