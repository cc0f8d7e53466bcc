// Starlette, newest version, behind the whole server: files, middleware, sessions, leaving clients, WebSockets.
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { after, before, describe, test } from "node:test";
import { missing } from "../kit/needs.ts";
import type { Served } from "../kit/serve.ts";
import { WebSocketClient } from "../kit/websocket-client.ts";
import { SITES, serveAsgi } from "./asgi-site.ts";
import { RawClient } from "./raw-client.ts";
import { curl, json } from "./site.ts";

const NUMBERS = `${SITES}starlette_site/static/numbers.txt`;

const skip = missing("py:starlette", "py:sse_starlette", "py:itsdangerous", "curl");

let site: Served;
const get = (path: string, headers: Record<string, string> = {}, init: RequestInit = {}) =>
  fetch(site.url + path, { headers, ...init });

before(async () => {
  if (!skip) site = await serveAsgi("app:app", "starlette_site");
});
after(() => site?.stop());

describe("Starlette: responses and files", { skip }, () => {
  test("a response passes through BaseHTTPMiddleware, which adds to it", async () => {
    const response = await get("/");
    assert.equal(response.headers.get("x-stamp"), "stamped");
    assert.equal(await response.text(), "hello\n");
  });

  test("a stream passes through middleware line by line", async () => {
    assert.equal(await (await get("/stream")).text(), "line 0\nline 1\nline 2\nline 3\nline 4\n");
  });

  test("GZipMiddleware compresses what is worth it, for those who can read it", async () => {
    const headers = await curl("--compressed", "-D", "-", "-o", "/dev/null", `${site.url}/compressible`);
    assert.match(headers, /^content-encoding: gzip\r$/im);
    assert.equal(
      await curl("--compressed", `${site.url}/compressible`),
      "all work and no play\n".repeat(500),
    );
    assert.doesNotMatch(await curl("-D", "-", `${site.url}/compressible`), /^content-encoding/im);
  });

  test("FileResponse gives the whole file, with its name, length and ETag", async () => {
    const response = await get("/file", { "Accept-Encoding": "identity" });
    const text = await readFile(NUMBERS, "utf8");
    assert.equal(await response.text(), text);
    assert.equal(response.headers.get("content-length"), String(text.length));
    assert.match(response.headers.get("content-disposition") ?? "", /filename="numbers\.txt"/);
    assert.ok(response.headers.get("etag"));
  });

  test("middleware that reads a FileResponse's body gets it", async () => {
    const response = await get("/read-by-middleware", { "Accept-Encoding": "identity" });
    assert.deepEqual([response.status, await response.text()], [200, await readFile(NUMBERS, "utf8")]);
  });

  test("FileResponse gives one range, several ranges, and 416 for what is not there", async () => {
    const text = await readFile(NUMBERS, "utf8");
    const range = (bytes: string) => get("/file", { Range: bytes, "Accept-Encoding": "identity" });
    const one = await range("bytes=11-21");
    assert.deepEqual([one.status, await one.text()], [206, text.slice(11, 22)]);
    assert.equal(one.headers.get("content-range"), `bytes 11-21/${text.length}`);
    const last = await range("bytes=-11");
    assert.equal(await last.text(), text.slice(-11));
    const several = await range("bytes=0-9, 110-119");
    assert.match(several.headers.get("content-type") ?? "", /^multipart\/byteranges/);
    assert.match(await several.text(), /number 000[\s\S]*Content-Range: bytes 110-119[\s\S]*number 010/i);
    assert.equal((await range(`bytes=${text.length}-`)).status, 416);
  });

  test("a static file is 304 when the client has it, and HEAD gives no body", async () => {
    const etag = (await get("/static/chat.js")).headers.get("etag") ?? "";
    assert.equal((await get("/static/chat.js", { "If-None-Match": etag })).status, 304);
    const head = await curl("-I", `${site.url}/static/chat.js`);
    const { length } = await readFile(`${SITES}starlette_site/static/chat.js`);
    assert.match(head, new RegExp(`^content-length: ${length}\r$`, "im"));
  });
});

describe("Starlette: clients", { skip }, () => {
  test("a session lives in its cookie", async () => {
    const first = await get("/visits");
    const cookie = first.headers.getSetCookie()[0]?.split(";")[0] ?? "";
    assert.deepEqual(await first.json(), { visits: 1 });
    assert.deepEqual(await json(get("/visits", { Cookie: cookie })), { visits: 2 });
    const forgotten = await get("/forget", { Cookie: cookie });
    assert.match(forgotten.headers.getSetCookie()[0] ?? "", /^session=null;/);
  });

  test("url_for gives the address that the client used", async () => {
    assert.equal((await json(get("/where"))).static, `${site.url}/static/chat.js`);
  });

  test("request.is_disconnected tells that the client has left", async () => {
    const client = new RawClient(site.url).get("/wait");
    await site.sees(/told: waiting/);
    client.socket.destroy();
    await site.sees(/told: is_disconnected/);
  });

  test("a stream that nobody reads is held back, and ends when the client leaves", async () => {
    const client = new RawClient(site.url).get("/endless");
    await client.sees(/\r\n\r\n/);
    client.socket.pause();
    assert.equal((await get("/")).status, 200);
    client.socket.destroy();
    await site.sees(/told: endless ended/);
  });
});

describe("Starlette: WebSockets", { skip }, () => {
  test("JSON goes in and out of a WebSocket, and the application learns of its end", async () => {
    const client = await WebSocketClient.open(`${site.url}/json`);
    const value = { deep: [1, { text: "あ" }], none: null };
    assert.deepEqual(await client.say(value).hearJson(), { echo: value });
    assert.equal((await client.close(1000)).code, 1000);
    await site.sees(/told: json left/);
  });

  test("binary messages of every length class come back byte for byte", async () => {
    const client = await WebSocketClient.open(`${site.url}/bytes`);
    for (const length of [0, 1, 125, 126, 65_535, 65_536, 1_000_000]) {
      const data = Buffer.from(Array.from({ length }, (_, index) => (index * 7) % 256));
      const back = await client.say(data).hear();
      assert.ok(Buffer.isBuffer(back) && back.equals(data), `${length} bytes`);
    }
    await client.close();
  });

  test("a subprotocol is chosen, headers are added, and the closing code and reason arrive", async () => {
    const client = await WebSocketClient.open(`${site.url}/choosy`, ["chat.v1", "chat.v2"]);
    assert.equal(client.socket.protocol, "chat.v2");
    assert.equal(await client.hear(), "welcome");
    assert.deepEqual(await client.closed, { code: 4001, reason: "enough, ça suffit" });
  });

  test("a WebSocket may be refused with a whole response", async () => {
    const { head, body } = await WebSocketClient.refused(`${site.url}/choosy`, ["chat.v1"]);
    assert.deepEqual([head.statusCode, head.headers["x-wants"]], [426, "chat.v2"]);
    assert.deepEqual(JSON.parse(body), { offered: ["chat.v1"] });
  });

  test("a WebSocket that is closed before it is accepted is 403, as is one without a route", async () => {
    assert.equal((await WebSocketClient.refused(`${site.url}/closed`)).head.statusCode, 403);
    assert.equal((await WebSocketClient.refused(`${site.url}/nowhere`)).head.statusCode, 403);
  });
});
