// The life of ASGI workers: they die, are blocked, stop or are replaced, and requests are affected as little as possible (edge case
// L3; as W13).
import assert from "node:assert/strict";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { asgi } from "../../../src/protocols/asgi/index.ts";
import { callable } from "../../../src/server/callable.ts";
import { RecordedExchange } from "../../../src/testing/recorded.ts";
import { makeFolder } from "../../kit/make-folder.ts";
import { pythons } from "../../kit/pythons.ts";
import { ending, type StartedAsgi, startAsgi } from "../../kit/start-asgi.ts";
import { until } from "../../kit/until.ts";

const pid = async (server: StartedAsgi): Promise<string> => (await server.ask("/pid")).body.toString();

test("a worker that dies takes what it has along: 502, a cut, 1011; another takes over", async (t) => {
  const server = await startAsgi(t);
  const before = await pid(server);
  const midway = server.exchange(`/die-midway?file=${server.file}`);
  await until(() => midway.chunks.length > 0);
  const idle = server.ask("/wait-for-end");
  const open = await server.open("/");
  const opening = server.socket("/never");
  const refused = once(opening, "unexpected-response");
  await server.recorded(/connecting/);
  server.touch();
  const [, response] = await refused;
  assert.equal(await ending(open), "1011 The process that ran the request ended.");
  assert.deepEqual(
    [(await midway.done).complete, (await idle).status, response.statusCode],
    [false, 502, 502],
  );
  assert.notEqual(await pid(server), before);
});

for (const [way, said] of [
  ["by a signal of somebody else's", /exited with status 143/],
  ["by sys.exit() in a task", /exited with status 3/],
] as const)
  test(`W13: a worker that ends ${way} loses what it has: 502, a cut, 1011; another takes over`, async (t) => {
    const server = await startAsgi(t);
    const before = await pid(server);
    const midway = server.exchange("/slow-events");
    await until(() => midway.chunks.length > 0);
    const idle = server.ask("/wait-for-end");
    const failing = server.ask("/fail-when-left");
    const closed = ending(await server.open("/"));
    await server.recorded(/^waiting/);
    await server.recorded(/^failing/);
    if (way.includes("signal")) process.kill(Number(before), "SIGTERM");
    else server.exchange("/exit-in-task");
    for (const asked of [idle, failing]) {
      const { status, body } = await asked;
      assert.deepEqual([status, /ERR_\w+/.exec(`${body}`)?.[0]], [502, "ERR_SALLYPORT_WORKER_DIED"]);
    }
    await server.logged(said);
    assert.equal((await midway.done).complete, false);
    assert.equal(await closed, "1011 The process that ran the request ended.");
    await server.logged(/ValueError: left alone/);
    if (way.includes("signal")) await server.logged(/the worker ends by SIGTERM/);
    assert.notEqual(await pid(server), before);
    assert.deepEqual(server.records().filter((word) => word === "shutdown").length, 1);
  });

const SLOW_TO_END = `import asyncio, os
async def app(scope, receive, send):
    if scope["type"] == "http":
        await send({"type": "http.response.start", "status": 200, "headers": []})
        return await send({"type": "http.response.body", "body": str(os.getpid()).encode()})
    await receive()
    await send({"type": "lifespan.startup.complete"})
    await receive()
    print("the shutdown has begun", flush=True)
    while not os.path.exists(os.environ["GO"]):
        await asyncio.sleep(0.01)
    await send({"type": "lifespan.shutdown.complete"})
`;

test("a worker that somebody else ends gets no more requests while it shuts down: another one does", async (t) => {
  const chdir = makeFolder(t);
  writeFileSync(join(chdir, "slow.py"), SLOW_TO_END);
  const server = await startAsgi(t, { chdir, env: { GO: join(chdir, "go") } }, {}, "slow:app");
  const before = await pid(server);
  process.kill(Number(before), "SIGTERM");
  // Those that it has read already when it says so are given back.
  const together = Promise.all(Array.from({ length: 20 }, () => pid(server)));
  await server.logged(/the shutdown has begun/);
  const after = await pid(server);
  assert.notEqual(after, before);
  for (const each of await together) assert.match(each, /^\d+$/);
  assert.doesNotThrow(() => process.kill(Number(before), 0), "it is still shutting down");
  writeFileSync(join(chdir, "go"), "");
});

test("a worker that is killed while it waits costs no request", async (t) => {
  const server = await startAsgi(t);
  for (let i = 0; i < 3; i++) {
    process.kill(Number(await pid(server)), "SIGKILL");
    // Sent before the death can be noticed.
    assert.equal((await server.ask("/hello")).status, 200);
  }
});

test("a blocked event loop is named, its new requests go to another worker, and it may come back", async (t) => {
  const server = await startAsgi(t, { processes: 2 });
  const blocked = server.ask("/block?seconds=4");
  await server.logged(/event loop of worker \d+ does not answer/);
  const others = await Promise.all(Array.from({ length: 50 }, () => server.ask("/hello")));
  assert.ok(others.every(({ status }) => status === 200));
  await server.logged(/answers again/);
  assert.equal((await blocked).body.toString(), "unblocked\n");
});

test("an event loop that is blocked too long gets 504, leaves its stack in the log, and is replaced", async (t) => {
  const server = await startAsgi(t, { blockedTimeout: 500 });
  const before = await pid(server);
  const open = await server.open("/");
  const blocked = server.ask("/block?seconds=3600");
  const closed = ending(open);
  assert.equal((await blocked).status, 504);
  assert.match(await closed, /^1011 /);
  await server.logged(/pages\.py.* in block/);
  assert.notEqual(await pid(server), before);
});

test("a response that does not begin in time gets 504; the worker and its other requests go on", async (t) => {
  const server = await startAsgi(t, { timeout: 300 });
  const before = await pid(server);
  const stream = server.exchange("/slow-events");
  await until(() => stream.chunks.length > 0);
  assert.equal((await server.ask("/wait-for-end")).status, 504);
  await server.recorded(/http\.disconnect/);
  const count = stream.chunks.length;
  await until(() => stream.chunks.length > count);
  assert.equal(await pid(server), before);
});

test("without a `timeout` a response may take its time", async (t) => {
  const server = await startAsgi(t);
  const asked = server.ask(`/never-receive?file=${server.file}`);
  await new Promise((resolve) => setTimeout(resolve, 600));
  server.touch();
  assert.equal((await asked).status, 200);
});

test("a reload loses no request: what is under way is finished by the old worker, which then shuts down", async (t) => {
  const server = await startAsgi(t);
  const before = await pid(server);
  const under = server.ask(`/never-receive?file=${server.file}`);
  await server.recorded(/running/);
  await server.gateway.reload?.();
  assert.notEqual(await pid(server), before);
  assert.equal(server.records().includes("shutdown"), false);
  server.touch();
  assert.equal((await under).body.toString(), "done\n");
  await server.recorded(/shutdown/);
});

test("a reload tells event streams to end, and their last words arrive; WebSockets are closed with 1012", async (t) => {
  const server = await startAsgi(t);
  const events = server.exchange("/events");
  await until(() => events.chunks.length > 0);
  const open = await server.open("/");
  const closed = ending(open);
  await server.gateway.reload?.();
  assert.match(await closed, /^1012/);
  const { body, complete } = await events.done;
  assert.deepEqual([body.toString(), complete], ["data: hello\n\ndata: bye\n\n", true]);
  assert.deepEqual(await server.recorded(/^closed/), "closed 1012 ");
});

test("what goes on all the same after a reload is cut when `drainTimeout` is over", async (t) => {
  const server = await startAsgi(t, { drainTimeout: 300 });
  const stream = server.exchange("/slow-events");
  await until(() => stream.chunks.length > 0);
  await server.gateway.reload?.();
  const { complete, error } = await stream.done;
  assert.deepEqual([complete, error?.code], [false, "ERR_SALLYPORT_STOPPING"]);
  await server.recorded(/cut/);
  await server.recorded(/shutdown/);
});

test("before a stop, event streams are told and WebSockets closed, and plain requests go on (L3)", async (t) => {
  const server = await startAsgi(t);
  const events = server.exchange("/events");
  const under = server.ask(`/never-receive?file=${server.file}`);
  const open = await server.open("/");
  await until(() => events.chunks.length > 0);
  const closed = ending(open);
  server.gateway.leave?.();
  assert.match(await closed, /^1001/);
  assert.equal((await events.done).complete, true);
  server.touch();
  assert.equal((await under).status, 200);
  await server.gateway.close?.(10_000);
  assert.equal(server.records().filter((line) => line === "shutdown").length, 1);
});

test("a WebSocket that is only accepted while the server leaves is closed at once (L3)", async (t) => {
  const server = await startAsgi(t);
  const client = server.socket(`/late?file=${server.file}`);
  const closed = ending(client);
  await server.recorded(/connecting/);
  server.gateway.leave?.();
  server.touch();
  assert.match(await closed, /^1001/);
  await server.recorded(/closed 1001/);
});

test("at the end of its grace what is under way is cut, and the shutdown runs all the same (L3)", async (t) => {
  const server = await startAsgi(t);
  const under = server.exchange("/slow-events");
  await until(() => under.chunks.length > 0);
  await server.gateway.close?.(300);
  assert.equal((await under.done).complete, false);
  await server.recorded(/shutdown/);
});

test("startup runs before the first request, and its state is in the scope", async (t) => {
  const server = await startAsgi(t, { processes: 2 });
  assert.deepEqual(server.records(), ["startup", "startup"]);
});

function site(t: TestContext, source: string): string {
  const folder = makeFolder(t);
  writeFileSync(join(folder, "shop.py"), source);
  return folder;
}

const FAILING = `
async def app(scope, receive, send):
    await receive()
    await send({"type": "lifespan.startup.failed", "message": "no database"})
`;

test("a startup that fails fails the start, with the application's reason (A8)", async (t) => {
  const gateway = asgi("shop:app", { chdir: site(t, FAILING), python: "python3" });
  await assert.rejects(async () => gateway.start?.(), /the startup failed: no database/);
});

const SILENT = `
import asyncio

async def app(scope, receive, send):
    await asyncio.Event().wait()
`;

test("a startup that never answers fails the start after startTimeout (A8)", async (t) => {
  const options = { chdir: site(t, SILENT), python: "python3", startTimeout: 500 };
  const gateway = asgi("shop:app", options);
  await assert.rejects(async () => gateway.start?.(), /shop:app was not imported within 0.5 s/);
});

const WSGI_APP = `
def app(environ, start_response):
    start_response("200 OK", [])
    return [b"wsgi"]
`;
const ASGI_APP = `
async def app(scope, receive, send):
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"asgi"})
`;

for (const [name, source, useless] of [
  ["WSGI", WSGI_APP, { lifespan: "on" }],
  ["ASGI", ASGI_APP, { threads: 2 }],
] as const) {
  test(`an application of which nobody says what it is is found to be ${name}`, async (t) => {
    const gateway = callable("shop:app", { chdir: site(t, source), python: "python3" });
    t.after(() => gateway.close?.(1000));
    await gateway.start?.();
    const asked = new RecordedExchange();
    gateway.handle(asked);
    assert.equal((await asked.done).body.toString(), name.toLowerCase());
  });

  test(`options that an application of ${name} has no use for fail its start, and no worker stays`, async (t) => {
    const gateway = callable("shop:app", { chdir: site(t, source), python: "python3", ...useless });
    await assert.rejects(
      async () => gateway.start?.(),
      new RegExp(`shop:app is written for ${name}, and ${Object.keys(useless)} can be given `),
    );
  });
}

const LOOP_AT_IMPORT = `import asyncio
loop, done = asyncio.get_event_loop(), asyncio.Event()
async def work(): done.set()
task = loop.create_task(work())
async def app(scope, receive, send):
    await task
    await done.wait()
    assert asyncio.get_running_loop() is loop and asyncio.__spec__.loader is asyncio.__loader__
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": asyncio.__loader__.get_source("asyncio")[:0].encode() + b"done"})
`;

for (const { path, version } of pythons())
  test(`CPython ${version}: what an import begins on the current loop goes on when requests come, whatever says that it is ASGI`, async (t) => {
    const chdir = site(t, LOOP_AT_IMPORT);
    for (const gateway of [
      callable("shop:app", { chdir, python: path }),
      asgi("shop:app", { chdir, python: path }),
    ]) {
      t.after(() => gateway.close?.(1000));
      await gateway.start?.();
      const asked = new RecordedExchange();
      gateway.handle(asked);
      assert.equal((await asked.done).body.toString(), "done");
    }
  });

const LOOP_IN_THREAD = `import importlib.util, threading
assert importlib.util.find_spec("asyncio").loader.is_package("asyncio")
box, ready = [], threading.Event()
def work():
    import asyncio
    try:
        asyncio.get_event_loop()
    except RuntimeError:
        box.append(asyncio.new_event_loop())
    ready.set()
    box[0].run_forever()
threading.Thread(target=work, daemon=True).start()
ready.wait()
async def side(): return b"done"
async def app(scope, receive, send):
    import asyncio
    done = await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(side(), box[0]))
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": done})
`;

const LOOP_IN_REQUEST = `import sys
def app(environ, start_response):
    assert "asyncio" not in sys.modules
    import asyncio
    try:
        found = repr(asyncio.get_event_loop()).encode()
    except RuntimeError:
        found = b"done"
    start_response("200 OK", [])
    return [found]
`;

for (const [name, source, more] of [
  ["a thread of an application that imports asyncio first", LOOP_IN_THREAD, {}],
  ["a WSGI application that imports asyncio within a request", LOOP_IN_REQUEST, { threads: 2 }],
] as const)
  test(`${name} is given no event loop`, async (t) => {
    const gateway = callable("shop:app", { chdir: site(t, source), python: "python3", ...more });
    t.after(() => gateway.close?.(1000));
    await gateway.start?.();
    const asked = new RecordedExchange();
    gateway.handle(asked);
    assert.equal((await asked.done).body.toString(), "done");
  });

const ZIPPED = `import os, sys, zipfile
library, path = os.path.dirname(os.__file__), os.path.join(os.path.dirname(__file__), "library.zip")
with zipfile.ZipFile(path, "w") as file:
    for name in os.listdir(os.path.join(library, "asyncio")):
        if name.endswith(".py"):
            file.write(os.path.join(library, "asyncio", name), f"asyncio/{name}")
sys.path.insert(0, path)
import asyncio
assert asyncio.__file__.startswith(path)
async def app(scope, receive, send):
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"done"})
`;

for (const { path, version } of pythons())
  test(`CPython ${version}: asyncio is imported from a zip file, too`, async (t) => {
    const gateway = callable("shop:app", { chdir: site(t, ZIPPED), python: path });
    t.after(() => gateway.close?.(1000));
    await gateway.start?.();
    const asked = new RecordedExchange();
    gateway.handle(asked);
    assert.equal((await asked.done).body.toString(), "done");
  });

test("a loop that is to be uvloop and is not there is named as the cause, whatever says that the app is ASGI", async (t) => {
  const chdir = site(t, `import sys\nsys.modules["uvloop"] = None\n${LOOP_AT_IMPORT}`);
  for (const make of [callable, asgi]) {
    const gateway = make("shop:app", { chdir, python: "python3", loop: "uvloop" });
    t.after(() => gateway.close?.(1000));
    await assert.rejects(async () => gateway.start?.(), /^SallyportError: the event loop is to be uvloop/);
  }
});

test("an application that has become one of the other interface is refused by the reload, and the old one stays", async (t) => {
  const folder = site(t, ASGI_APP);
  const gateway = callable("shop:app", { chdir: folder, python: "python3" });
  t.after(() => gateway.close?.(1000));
  await gateway.start?.();
  writeFileSync(join(folder, "shop.py"), `${WSGI_APP}# longer, so that no compiled file is believed\n`);
  await assert.rejects(async () => gateway.reload?.(), /is of WSGI now and was of ASGI before/);
  const asked = new RecordedExchange();
  gateway.handle(asked);
  assert.equal((await asked.done).body.toString(), "asgi");
});
