// Threads that do not come back: after their client has left or their response was complete they only take a place; without a
// response they hang. What other threads answer goes on.
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { wsgiSpec } from "../../src/protocols/wsgi/gateway.ts";
import { RecordedExchange } from "../../src/testing/recorded.ts";
import { PythonApplication } from "../../src/workers/index.ts";
import { keepLog } from "../kit/keep-log.ts";
import { makeFolder } from "../kit/make-folder.ts";
import { gone } from "../kit/processes.ts";
import { type StartedWsgi, startWsgi } from "../kit/start-wsgi.ts";
import { until } from "../kit/until.ts";

/** "/download" ends when there is a file "over". */
const APP = `import os, time

def application(environ, start_response):
    path = environ["PATH_INFO"]
    if path == "/hang":
        forever()
    start_response("200 OK", [("Content-Type", "text/plain")])
    return PAGES[path]()

def forever():
    time.sleep(60)

def download():
    while not os.path.exists("over"):
        yield b"piece"
        time.sleep(0.05)
    yield b"complete"

def quiet():
    yield b"begun"
    forever()

class Untidy(list):
    def close(self):
        forever()

PAGES = {"/download": download, "/quiet": quiet, "/untidy": lambda: Untidy([b"complete"]), "/pid": lambda: [str(os.getpid()).encode()]}
`;

/** Milliseconds. */
const TIMEOUT = 1_000;

function folderOf(t: TestContext): string {
  const folder = makeFolder(t);
  writeFileSync(join(folder, "taken.py"), APP);
  return folder;
}

async function started(t: TestContext, threads: number) {
  const folder = folderOf(t);
  const server = await startWsgi(t, "taken", { chdir: folder, threads, timeout: TIMEOUT });
  /** Begins a response, and resolves when its first piece is there. */
  const begun = async (target: string): Promise<RecordedExchange> => {
    const exchange = server.exchange({ target });
    await until(() => exchange.chunks.length > 0);
    return exchange;
  };
  return { ...server, begun, complete: () => writeFileSync(join(folder, "over"), "") };
}

const pid = async (server: StartedWsgi): Promise<number> =>
  Number((await server.ask("/pid")).body.toString());
const matching = ({ lines }: StartedWsgi, pattern: RegExp): number =>
  lines.filter(({ message }) => pattern.test(message)).length;

for (const [what, target] of [
  ["whose client has left", "/quiet"],
  ["whose response is complete", "/untidy"],
] as const)
  test(`a thread ${what} takes a place, no more, until nothing else runs: then another worker takes over`, async (t) => {
    const server = await started(t, 3);
    const before = await pid(server);
    const download = await server.begun("/download");
    const left = await server.begun(target);
    if (target === "/quiet") left.hangUp();
    await server.logged(/has a thread that did not come back within 1 s/);
    const { length } = download.chunks;
    await until(() => download.chunks.length > length + 10); // some more checks
    assert.equal(await pid(server), before);
    assert.equal(matching(server, /did not come back within/), 1);
    assert.equal(matching(server, /hangs|takes over/), 0);
    const { done } = download;
    server.complete();
    assert.match((await done).body.toString(), /complete$/);
    await server.logged(/has a thread that does not come back; \d+ takes over/);
    await gone(before);
    assert.notEqual(await pid(server), before);
  });

test("a worker is replaced at once when all its threads have clients that have left", async (t) => {
  const server = await started(t, 2);
  const before = await pid(server);
  for (const left of [await server.begun("/quiet"), await server.begun("/quiet")]) left.hangUp();
  assert.notEqual(await pid(server), before);
  await gone(before);
});

test("what is answered beside a thread that hangs is not cut, and the worker ends after it", async (t) => {
  const server = await started(t, 3);
  const before = await pid(server);
  const download = await server.begun("/download");
  assert.equal((await server.ask("/hang")).status, 504);
  await server.logged(/hangs: it is replaced, and ended after its other requests/);
  assert.notEqual(await pid(server), before);
  await delay(10_500); // longer than a process that does not exit is given
  const { done } = download;
  server.complete();
  assert.match((await done).body.toString(), /complete$/);
  await server.logged(/in forever/); // its stack
  await gone(before);
});

test("what is answered beside a thread that hangs is cut after drainTimeout", async (t) => {
  const kept = keepLog();
  const options = { chdir: folderOf(t), python: "python3", threads: 2, drainTimeout: 500, log: kept.log };
  const gateway = new PythonApplication("taken", options, [wsgiSpec({ timeout: TIMEOUT })]);
  t.after(() => gateway.close(0));
  await gateway.start();
  const ask = (target: string): RecordedExchange => {
    const exchange = new RecordedExchange({ target, log: kept.log });
    gateway.handle(exchange);
    return exchange;
  };
  const before = Number((await ask("/pid").done).body.toString());
  const download = ask("/download").done;
  assert.equal((await ask("/hang").done).status, 504);
  assert.equal((await download).error?.code, "ERR_SALLYPORT_STOPPING");
  await gone(before);
});
