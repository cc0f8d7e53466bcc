// Quart, newest version, behind the whole server.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { missing } from "../kit/needs.ts";
import type { Served } from "../kit/serve.ts";
import { WebSocketClient } from "../kit/websocket-client.ts";
import { serveAsgi } from "./asgi-site.ts";
import { json, sha256 } from "./site.ts";

describe("Quart", { skip: missing("py:quart") }, () => {
  let site: Served;
  const get = (path: string, init?: RequestInit) => fetch(site.url + path, init);

  before(async () => {
    site = await serveAsgi("app:app", "quart_site");
  });
  after(() => site?.stop());

  test("a template is rendered, with a path outside ASCII and what the start of the app prepared", async () => {
    const text = await (await get("/hello/J%C3%BCrgen%20%E3%81%82")).text();
    assert.equal(text, "Hello, Jürgen あ! hello from before_serving");
  });

  test("a form keeps repeated fields", async () => {
    const body = new URLSearchParams("a=1&b=%C3%A9&a=2");
    assert.deepEqual(await json(get("/form", { method: "POST", body })), { a: ["1", "2"], b: ["é"] });
  });

  test("a large body is digested as it comes", async () => {
    const body = Buffer.from(Array.from({ length: 8_000_000 }, (_, index) => (index * 7) % 256));
    const answer = await json(get("/digest", { method: "POST", body }));
    assert.deepEqual(answer, { size: body.length, sha256: sha256(body) });
  });

  test("a stream arrives whole", async () => {
    const lines = Array.from({ length: 1000 }, (_, number) => `line ${number}\n`).join("");
    assert.equal(await (await get("/stream")).text(), lines);
  });

  test("an exception in a view is Quart's 500, with its traceback in the log", async () => {
    assert.equal((await get("/boom")).status, 500);
    await site.sees(/RuntimeError: boom in a view/);
  });

  test("a WebSocket answers until its client leaves", async () => {
    const client = await WebSocketClient.open(`${site.url}/upper`);
    assert.equal(await client.say("hello").hear(), "HELLO");
    assert.equal((await client.close(1000)).code, 1000);
  });

  test("after_serving runs when the server stops", async () => {
    await site.stop();
    assert.match(site.stderr, /told: shutdown/);
  });
});
