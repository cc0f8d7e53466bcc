// The clients that people use, at an ASGI site: httpx, aiohttp, websockets and curl, over HTTP/1.1 and HTTP/2, with TLS and
// without.
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { after, before, describe, test } from "node:test";
import { type Certificate, makeCertificate } from "../kit/make-certificate.ts";
import { missing } from "../kit/needs.ts";
import type { Served } from "../kit/serve.ts";
import { SITES, serveAsgi } from "./asgi-site.ts";
import { curl, visit } from "./site.ts";

const NEEDS = ["py:httpx", "py:h2", "py:aiohttp", "py:websockets", "py:sse_starlette", "curl", "openssl"];
const NUMBERS = `${SITES}starlette_site/static/numbers.txt`;
const BODY = Buffer.alloc(256 * 8000, Buffer.from(Array.from({ length: 256 }, (_, index) => index)));

/** What asgi_httpx.py must have seen. */
const seenByHttpx = (version: "1.1" | "2") => ({
  versions: [version === "2" ? "HTTP/2" : "HTTP/1.1"],
  hello: "hello\n",
  whole: 40,
  digest: { size: BODY.length, sha256: createHash("sha256").update(BODY).digest("hex"), version },
  beats: ["beat 0", "beat 1", "beat 2"],
});

const SEEN_BY_AIOHTTP = {
  hello: "hello\n",
  visits: 2,
  size: 1_000_000,
  gzip: ["gzip", 10_500],
  echo: [100_000, true],
  choosy: ["chat.v2", "welcome", 4001, "enough, ça suffit"],
};

const SEEN_BY_WEBSOCKETS = {
  extensions: ["permessage-deflate"],
  joined: "in three fragments",
  whole: true,
  choosy: ["lobby", "welcome", [4001, "enough, ça suffit"]],
  refused: [426, { offered: [] }],
  crowd: 50,
};

describe("clients of an ASGI site", { skip: missing(...NEEDS) }, () => {
  let plain: Served;
  let secure: Served;
  let certificate: Certificate;

  before(async () => {
    certificate = makeCertificate();
    plain = await serveAsgi("app:app", "starlette_site");
    secure = await serveAsgi("app:app", "starlette_site", ...certificate.options);
  });
  after(async () => {
    await plain?.stop();
    await secure?.stop();
    certificate?.remove();
  });

  test("httpx speaks HTTP/1.1: forty at once, a streamed upload, and events that it leaves", async () => {
    assert.deepEqual(await visit("asgi_httpx.py", plain.url, "1"), seenByHttpx("1.1"));
    await plain.sees(/told: httpx ended/);
  });

  test("httpx speaks HTTP/1.1 over TLS", async () => {
    assert.deepEqual(await visit("asgi_httpx.py", secure.url, "1", certificate.cert), seenByHttpx("1.1"));
  });

  test("httpx speaks HTTP/2 over TLS: forty streams at once, and events that it leaves", async () => {
    assert.deepEqual(await visit("asgi_httpx.py", secure.url, "2", certificate.cert), seenByHttpx("2"));
    await secure.sees(/told: httpx ended/);
  });

  test("httpx speaks HTTP/2 in cleartext, on the same port", async () => {
    assert.deepEqual(await visit("asgi_httpx.py", plain.url, "2"), seenByHttpx("2"));
  });

  test("aiohttp gets pages, keeps cookies, uploads, and talks over a compressed WebSocket", async () => {
    assert.deepEqual(await visit("asgi_aiohttp.py", plain.url), SEEN_BY_AIOHTTP);
  });

  test("aiohttp does the same over TLS", async () => {
    assert.deepEqual(await visit("asgi_aiohttp.py", secure.url, certificate.cert), SEEN_BY_AIOHTTP);
  });

  test("websockets sends fragments, pings, is refused, and fifty of them talk at once", async () => {
    assert.deepEqual(await visit("asgi_websockets.py", plain.url), SEEN_BY_WEBSOCKETS);
  });

  test("websockets does the same over TLS", async () => {
    assert.deepEqual(await visit("asgi_websockets.py", secure.url, certificate.cert), SEEN_BY_WEBSOCKETS);
  });

  const version = async (url: string, ...args: string[]) => {
    const trust = ["--cacert", certificate.cert, "-o", "/dev/null", "-w", "%{http_version} %{http_code}"];
    return curl(...trust, ...args, `${url}/static/numbers.txt`);
  };

  test("curl gets the version that it asks for", async () => {
    assert.equal(await version(plain.url), "1.1 200");
    assert.equal(await version(plain.url, "--http1.0"), "1.1 200");
    assert.equal(await version(plain.url, "--http2-prior-knowledge"), "2 200");
    assert.equal(await version(secure.url, "--http1.1"), "1.1 200");
    assert.equal(await version(secure.url, "--http2"), "2 200");
  });

  test("curl uploads and downloads over HTTP/2 byte for byte", async () => {
    const trust = ["--http2", "--cacert", certificate.cert];
    const text = await readFile(NUMBERS, "utf8");
    assert.equal(await curl(...trust, `${secure.url}/static/numbers.txt`), text);
    const digest = await curl(...trust, "--data-binary", `@${NUMBERS}`, `${secure.url}/digest`);
    const sha256 = createHash("sha256").update(text).digest("hex");
    assert.deepEqual(JSON.parse(digest), { size: text.length, sha256, version: "2" });
  });
});
