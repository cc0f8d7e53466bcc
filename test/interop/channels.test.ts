// Django under ASGI with Channels, newest versions, behind the whole server: views of both kinds, and a chat in groups.
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { after, before, describe, test } from "node:test";
import { missing } from "../kit/needs.ts";
import type { Served } from "../kit/serve.ts";
import { WebSocketClient } from "../kit/websocket-client.ts";
import { SITES, serveAsgi } from "./asgi-site.ts";
import { RawClient } from "./raw-client.ts";
import { json, sha256, upload } from "./site.ts";

describe("Django with Channels", { skip: missing("py:django", "py:channels") }, () => {
  let site: Served;
  const get = (path: string, init?: RequestInit) => fetch(site.url + path, init);

  before(async () => {
    site = await serveAsgi("asgi:application", "channels_site");
  });
  after(() => site?.stop());

  test("an ordinary view runs in a thread and knows its address", async () => {
    const url = `${site.url}/sync/?q=%C3%A9`;
    assert.deepEqual(await json(fetch(url)), { main: false, url, remote: "127.0.0.1" });
  });

  test("an asynchronous view runs in the loop", async () => {
    assert.deepEqual(await json(get("/async/?q=%C3%A9")), { loop: true, get: { q: "é" } });
  });

  test("an asynchronous stream arrives whole", async () => {
    const rows = Array.from({ length: 1000 }, (_, number) => `row ${number}\n`).join("");
    assert.equal(await (await get("/stream/")).text(), rows);
  });

  test("a stream is cancelled when its client leaves", async () => {
    const client = new RawClient(site.url).get("/forever/");
    await client.sees(/tick\n/);
    client.socket.destroy();
    await site.sees(/told: ticks cancelled/);
  });

  test("an uploaded file arrives unchanged", async () => {
    const bytes = Buffer.from(Array.from({ length: 4_000_000 }, (_, index) => (index * 7) % 256));
    const init = { method: "POST", body: upload("big.bin", bytes) };
    assert.deepEqual(await json(get("/upload/", init)), { name: "big.bin", sha256: sha256(bytes) });
  });

  test("a file is downloaded by its name", async () => {
    const response = await get("/source/");
    assert.match(response.headers.get("content-disposition") ?? "", /attachment; filename="urls\.py"/);
    assert.equal(await response.text(), await readFile(`${SITES}channels_site/urls.py`, "utf8"));
  });

  test("an exception in a view is Django's 500, with its traceback in the log", async () => {
    assert.equal((await get("/boom/")).status, 500);
    await site.sees(/RuntimeError: boom in a view/);
  });

  test("a room hears what is said in it, nothing of other rooms, and knows the session of its visitors", async () => {
    const visited = await get("/visits/");
    const cookie = visited.headers.getSetCookie()[0]?.split(";")[0] ?? "";
    const enter = (room: string, headers = {}) =>
      WebSocketClient.open(`${site.url}/chat/${room}/`, [], { headers, origin: site.url });
    const ann = await enter("red", { Cookie: cookie });
    assert.deepEqual(await ann.hearJson(), { room: "red", visits: 1 });
    const bob = await enter("red");
    assert.deepEqual(await bob.hearJson(), { room: "red", visits: null });
    const cyd = await enter("blue");
    await cyd.hear();
    ann.say({ text: "hello, red" });
    assert.deepEqual([await ann.hearJson(), await bob.hearJson()], Array(2).fill({ said: "hello, red" }));
    await bob.close(1000);
    assert.deepEqual(await ann.hearJson(), { said: "somebody left (1000)" });
    cyd.say({ text: "hello, blue" });
    assert.deepEqual(await cyd.hearJson(), { said: "hello, blue" });
    await Promise.all([ann.close(), cyd.close()]);
  });

  test("a consumer in a thread talks text and bytes, and closes with its own code and reason", async () => {
    const client = await WebSocketClient.open(`${site.url}/threaded/`, [], { origin: site.url });
    assert.equal(await client.say("abc").hear(), "cba");
    assert.deepEqual(await client.say(Buffer.from([1, 2, 3])).hear(), Buffer.from([3, 2, 1]));
    assert.deepEqual(await client.say("stop").closed, { code: 4002, reason: "as you wish" });
  });

  test("a consumer that does not accept, and a foreign Origin, are 403", async () => {
    const refused = WebSocketClient.open(`${site.url}/threaded/?no`, [], { origin: site.url });
    await assert.rejects(refused, /403/);
    const stranger = { origin: "http://evil.example" };
    await assert.rejects(WebSocketClient.open(`${site.url}/threaded/`, [], stranger), /403/);
  });
});
