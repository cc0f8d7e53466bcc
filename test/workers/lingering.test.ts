// Workers that do not exit, since their application has a thread that never ends: they are replaced at once, and ended.
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import type { Gateway } from "../../src/exchange/index.ts";
import { asgi } from "../../src/protocols/asgi/index.ts";
import { wsgi } from "../../src/protocols/wsgi/index.ts";
import { type Recorded, RecordedExchange } from "../../src/testing/recorded.ts";
import { type KeptLog, keepLog } from "../kit/keep-log.ts";
import { makeFolder } from "../kit/make-folder.ts";
import { gone, isAlive } from "../kit/processes.ts";

const APP = `import os, socket, threading, time

def forever():
    while True: time.sleep(0.2)
threading.Thread(target=forever).start()

def application(environ, start_response):
    if environ["PATH_INFO"] == "/exit": raise SystemExit
    start_response("200 OK", [])
    return [str(os.getpid()).encode()]

async def coroutine(scope, receive, send):
    if scope["path"] == "/exit":
        link = socket.socket(fileno=os.dup(3))
        return link.shutdown(socket.SHUT_RDWR)
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": str(os.getpid()).encode()})
`;

interface Started extends KeptLog {
  readonly gateway: Gateway;
  ask(target: string): Promise<Recorded>;
  /** The process that answers. */
  pid(): Promise<number>;
}

type Make = (options: object) => Gateway;
const WSGI: Make = (options) => wsgi("endless:application", options);
const ASGI: Make = (options) => asgi("endless:coroutine", { ...options, lifespan: "off" });

async function started(t: TestContext, make: Make, options: object = {}): Promise<Started> {
  const folder = makeFolder(t);
  writeFileSync(join(folder, "endless.py"), APP);
  const kept = keepLog();
  const gateway = make({ chdir: folder, python: "python3", log: kept.log, ...options });
  t.after(() => gateway.close?.(0));
  await gateway.start?.();
  const ask = (target: string): Promise<Recorded> => {
    const exchange = new RecordedExchange({ target, log: kept.log });
    gateway.handle(exchange);
    return exchange.done;
  };
  return { ...kept, gateway, ask, pid: async () => Number((await ask("/")).body.toString()) };
}

const KINDS: [string, Make, object][] = [
  ["WSGI", WSGI, {}],
  ["WSGI with threads", WSGI, { threads: 2 }],
  ["ASGI", ASGI, {}],
];

for (const [kind, make, options] of KINDS)
  test(`what a reload leaves behind is ended: ${kind}`, async (t) => {
    const server = await started(t, make, options);
    const before = await server.pid();
    await server.gateway.reload?.();
    assert.notEqual(await server.pid(), before);
    await gone(before);
  });

test("each worker that has served its share is ended", async (t) => {
  const server = await started(t, WSGI, { maxRequests: 2 });
  const first = await server.pid();
  while ((await server.pid()) === first);
  const { message } = await server.logged(/was done and did not exit/);
  assert.match(message, new RegExp(`worker ${first} .*threads that are not daemons`));
  await gone(first);
});

test("a worker whose application ends it is replaced at once, and ended", async (t) => {
  const server = await started(t, WSGI, { queueTimeout: 8_000 });
  const before = await server.pid();
  const [ended, ...others] = await Promise.all([server.ask("/exit"), ...[1, 2, 3].map(server.pid)]);
  assert.equal(ended?.status, 500);
  const after = await server.pid();
  assert.notEqual(after, before);
  assert.deepEqual([others, isAlive(before)], [[after, after, after], true]);
  await gone(before);
  assert.equal(await server.pid(), after);
});

test("an event loop that has lost its link is replaced at once, and ended", async (t) => {
  const server = await started(t, ASGI, { blockedTimeout: 0 });
  const before = await server.pid();
  assert.equal((await server.ask("/exit")).status, 502);
  const after = await server.pid();
  assert.notEqual(after, before);
  await gone(before);
  assert.equal(await server.pid(), after);
});
