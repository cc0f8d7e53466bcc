// Litestar, newest version, behind the whole server.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { missing } from "../kit/needs.ts";
import type { Served } from "../kit/serve.ts";
import { WebSocketClient } from "../kit/websocket-client.ts";
import { serveAsgi } from "./asgi-site.ts";
import { EventReader } from "./event-reader.ts";
import { json, upload } from "./site.ts";

describe("Litestar", { skip: missing("py:litestar") }, () => {
  let site: Served;
  const get = (path: string, init?: RequestInit) => fetch(site.url + path, init);

  before(async () => {
    site = await serveAsgi("app:app", "litestar_site");
  });
  after(() => site?.stop());

  test("parameters and bodies are checked by their types", async () => {
    assert.deepEqual(await json(get("/books/7?short=true")), { number: 7, short: true });
    const add = (book: unknown) => get("/books", { method: "POST", body: JSON.stringify(book) });
    const book = { title: "Ὀδύσσεια", year: 1488 };
    const added = await add(book);
    assert.deepEqual([added.status, await added.json()], [201, book]);
    assert.equal((await add({ title: "no year" })).status, 400);
  });

  test("an uploaded file arrives whole", async () => {
    const init = { method: "POST", body: upload("big.bin", Buffer.alloc(3_000_000, "u")) };
    assert.deepEqual(await json(get("/upload", init)), { name: "big.bin", size: 3_000_000 });
  });

  test("a stream arrives whole", async () => {
    const lines = Array.from({ length: 1000 }, (_, number) => `line ${number}\n`).join("");
    assert.equal(await (await get("/stream")).text(), lines);
  });

  test("server-sent events arrive one by one, and end", async () => {
    const events = await EventReader.open(`${site.url}/events`);
    assert.match(events.response.headers.get("content-type") ?? "", /^text\/event-stream/);
    const seen = [await events.next(), await events.next(), await events.next()];
    assert.deepEqual(
      seen.map((event) => event?.data),
      ["one", "two", "three"],
    );
    assert.equal(await events.next(), undefined);
  });

  test("a WebSocket listener answers each message, and bad JSON closes it as Litestar does", async () => {
    const client = await WebSocketClient.open(`${site.url}/shout`);
    assert.deepEqual(await client.say({ word: "hello" }).hearJson(), { word: "HELLO" });
    assert.equal((await client.say("{").closed).code, 4500);
  });

  test("the lifespan began before the first request, and ends with the server", async () => {
    const url = `${site.url}/where`;
    assert.deepEqual(await json(fetch(url)), { url, greeting: "hello from the lifespan" });
    await site.stop();
    assert.match(site.stderr, /told: shutdown/);
  });
});
