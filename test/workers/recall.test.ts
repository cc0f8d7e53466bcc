// What was sent ahead to a worker whose response has no deadline: it is asked back, for other workers or for the queue.
import assert from "node:assert/strict";
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { silentLog } from "../../src/exchange/index.ts";
import { createServer } from "../../src/server/create.ts";
import { makeFolder } from "../kit/make-folder.ts";
import { until } from "../kit/until.ts";

const here = makeFolder(); // there until the servers have stopped

/**
 * "/events" ends when there is a file "over", "/held" begins to answer when there is a file "free". "/quiet" is quiet after its
 * first piece, "/late" after a first piece that comes late, and "/silent" from the beginning: each then says why it has ended.
 */
const APP = `
import os, time

def app(environ, start_response):
    path = environ["PATH_INFO"]
    open("begun" + path[1:], "w").close()
    if path == "/held":
        ended("free")
    start_response("200 OK", [])
    return PAGES.get(path, quick)()

def ended(name):
    until = time.monotonic() + 8
    while not os.path.exists(name):
        if time.monotonic() > until:
            return b"tired"
        time.sleep(0.02)
    return b"over"

def quick():
    return [b"quick"]

def events():
    while not os.path.exists("over"):
        yield b"event"
        time.sleep(0.02)

def quiet():
    yield b"begun"
    yield ended("over")

def late():
    time.sleep(0.2)
    yield from quiet()

def silent():
    return [ended("over")]

PAGES = {"/events": events, "/quiet": quiet, "/late": late, "/silent": silent}
`;

async function start(t: TestContext, settings: object) {
  const folder = mkdtempSync(join(here, "app-"));
  writeFileSync(join(folder, "app.py"), APP);
  const shop = { wsgi: "app:app", chdir: folder, queueTimeout: 1, ...settings };
  const server = createServer({ listen: ["127.0.0.1:0"], apps: { shop } }, { log: silentLog });
  const [url = ""] = await server.start();
  t.after(async () => {
    write("over");
    write("free");
    await server.stop(1000);
  });
  const write = (name: string): void => writeFileSync(join(folder, name), "");
  const get = (path: string) => fetch(url + path, { headers: { connection: "close" } });
  /** Begins a response that goes on, and gives what reads its next piece. */
  const events = async () => {
    const body = (await get("/events")).body?.getReader();
    await body?.read();
    return async () => new TextDecoder().decode((await body?.read())?.value);
  };
  const begun = (page: string) => until(() => existsSync(join(folder, `begun${page}`)));
  return { get, events, begun, write, remove: (name: string) => rmSync(join(folder, name)) };
}

for (const threads of [1, 2])
  test(`${threads} threads, all with responses that do not end: what waits there is 503 after queueTimeout`, async (t) => {
    const { get, events, write, remove } = await start(t, { threads });
    // So many are sent ahead of quick responses.
    for (let i = 0; i < 20; i++)
      await Promise.all(Array.from({ length: 16 }, () => get("/").then((r) => r.text())));
    const streams = [];
    for (let i = 0; i < threads; i++) streams.push(await events());
    const waiting = await Promise.all([get("/"), get("/"), get("/")]);
    for (const answer of waiting) {
      assert.equal(answer.status, 503);
      assert.match(await answer.text(), /QUEUE_TIMEOUT/);
    }
    for (const next of streams) assert.match(await next(), /event/);
    write("over");
    assert.equal(await (await get("/")).text(), "quick");
    remove("over");
    await events(); // it is held again, and then not
    write("over");
    assert.equal(await (await get("/")).text(), "quick");
  });

test("what was sent ahead behind a response that does not end is answered by another worker", async (t) => {
  const { get, events, write } = await start(t, { processes: 2, queueTimeout: 30 });
  const next = await events();
  const held = get("/held");
  const quick = Promise.all([get("/"), get("/"), get("/")]);
  write("free");
  assert.equal(await (await held).text(), "quick");
  for (const answer of await quick) assert.equal(await answer.text(), "quick");
  assert.match(await next(), /event/);
});

for (const [kind, page, settings] of [
  ["a response that is quiet", "quiet", {}],
  ["a response that is quiet after a late beginning", "late", {}],
  ["a request without a deadline", "silent", { timeout: 0 }],
] as const)
  test(`nothing waits behind ${kind} while another worker is free`, async (t) => {
    const { get, begun, write } = await start(t, { processes: 2, queueTimeout: 30, ...settings });
    const slow = get(`/${page}`).then((answer) => answer.text());
    await begun(page);
    if (page === "quiet") await delay(50); // its first piece has arrived
    if (page === "silent") await delay(600); // two checks of the deadlines
    const held = get("/held");
    await begun("held");
    const quick = Promise.all([get("/"), get("/"), get("/"), get("/")]);
    write("free");
    assert.equal(await (await held).text(), "quick");
    for (const answer of await quick) assert.equal(await answer.text(), "quick");
    write("over");
    assert.match(await slow, /over/);
  });
