// Where the requests of real workers are in their Python code: in each mode, and while the interpreter is held.
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import type { Gateway, ProcessStacks, RequestStack } from "../../src/exchange/index.ts";
import { makeFolder } from "../kit/make-folder.ts";
import { pythons } from "../kit/pythons.ts";
import { startAsgi } from "../kit/start-asgi.ts";
import { startWsgi } from "../kit/start-wsgi.ts";
import { until } from "../kit/until.ts";

/**
 * Waits until `name` is there, in different ways; each line that a stack must name ends with its name. A loop looks rarely: a
 * system call lets other threads run, and so is where they would always find it.
 */
const WAYS = `import asyncio, ctypes, os, threading, time
HERE = os.path.dirname(os.path.abspath(__file__))
def free(name): return os.path.exists(os.path.join(HERE, name))
def sleeping():
    while not free("go"): time.sleep(0.05)  # sleeping
def looping():
    count = 0
    while not free("go"):
        for _ in range(1_000_000): count += 1  # looping
def held():
    ctypes.PyDLL(None).usleep(4_000_000)  # held: a PyDLL keeps the interpreter's lock
def closing():
    os.closerange(5, 6)
    others = [open(os.path.join(HERE, "other"), "w") for _ in range(3)]
    assert 5 in [other.fileno() for other in others]
    sleeping()
    assert os.path.getsize(os.path.join(HERE, "other")) == 0
def forking():
    pid = os.fork()
    if pid == 0:
        try:
            os.fstat(5)
        except OSError:
            os._exit(7)
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 7
    sleeping()  # forking
`;
const WSGI = `${WAYS}
def application(environ, start_response):
    way = globals().get(environ["PATH_INFO"][1:])
    if way: way()  # application
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [str(threading.active_count()).encode()]
`;
const ASGI = `${WAYS}
from concurrent.futures import ThreadPoolExecutor
async def awaiting():
    while not free("go"): await asyncio.sleep(0.05)  # awaiting
async def pooled():
    await asyncio.get_running_loop().run_in_executor(None, sleeping)  # pooled
async def task():
    await asyncio.create_task(awaiting())  # task
async def gathered():
    await asyncio.gather(asyncio.sleep(0), awaiting())  # gathered
async def waited():
    await asyncio.wait([asyncio.ensure_future(awaiting())])  # waited
async def application(scope, receive, send):
    if scope["type"] != "http": raise RuntimeError("only http")
    way = globals().get(scope["path"][1:])
    if way:
        waiting = way()  # application
        if waiting is not None: await waiting  # application
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"1"})
`;

interface App {
  readonly gateway: Gateway;
  ask(target: string): Promise<{ readonly status: number; readonly body: Buffer }>;
  /** Lets all requests go on. */
  go(): void;
}

async function start(t: TestContext, kind: "wsgi" | "asgi", options: object = {}): Promise<App> {
  const chdir = makeFolder(t);
  writeFileSync(join(chdir, "site_app.py"), kind === "wsgi" ? WSGI : ASGI);
  const all = { chdir, processes: 1, ...options };
  const { gateway, ask } =
    kind === "wsgi" ? await startWsgi(t, "site_app", all) : await startAsgi(t, all, {}, "site_app");
  return { gateway, ask: (target) => ask(target), go: () => writeFileSync(join(chdir, "go"), "") };
}

const stacksOf = async ({ gateway }: App): Promise<readonly ProcessStacks[]> =>
  (await gateway.stacks?.()) ?? [];

/** The comments of the application's lines, outermost first. */
const namesIn = ({ frames }: RequestStack): string[] =>
  frames.flatMap(({ source }) => /# (\w+)$/.exec(source)?.[1] ?? []);

/** The requests, once all of these are where they should be. */
async function seen(app: App, places: Readonly<Record<string, string>>): Promise<RequestStack[]> {
  let requests: RequestStack[] = [];
  await until(async () => {
    requests = (await stacksOf(app)).flatMap((each) => each.requests);
    return Object.entries(places).every(([target, name]) =>
      requests.some((each) => each.target === target && namesIn(each).at(-1) === name),
    );
  });
  return requests;
}

const MODES = [
  { named: "WSGI, one thread", kind: "wsgi", options: {}, place: "thread" },
  { named: "WSGI, threads", kind: "wsgi", options: { threads: 2 }, place: "thread" },
  { named: "ASGI, a blocked loop", kind: "asgi", options: {}, place: "loop" },
] as const;

for (const { named, kind, options, place } of MODES) {
  for (const way of ["sleeping", "looping", "forking"]) {
    test(`${named}: the line of a request that is ${way}; serving goes on`, async (t) => {
      const app = await start(t, kind, options);
      assert.deepEqual(await stacksOf(app), []);
      const answer = app.ask(`/${way}`);
      const line = way === "forking" ? "sleeping" : way;
      const [request, ...others] = await seen(app, { [`/${way}`]: line });
      assert.ok(request);
      assert.deepEqual(others, []);
      assert.equal(request.method, "GET");
      assert.equal(request.place, place);
      const expected = ["application", ...(way === "forking" ? ["forking"] : []), line];
      assert.deepEqual(namesIn(request), expected);
      const last = request.frames.findLast(({ app: own }) => own);
      assert.match(last?.file ?? "", /site_app\.py$/);
      assert.ok((last?.line ?? 0) > 0);
      assert.ok(!request.frames.some(({ file }) => file.includes("/sallyport/")));
      await until(async () => ((await stacksOf(app))[0]?.requests[0]?.age ?? 0) > 0);
      app.go();
      assert.equal((await answer).status, 200);
      assert.equal((await app.ask("/")).status, 200);
      assert.deepEqual(await stacksOf(app), []);
    });
  }

  test(`${named}: code in C that holds the interpreter is said to be too busy; it answers later questions`, async (t) => {
    const app = await start(t, kind, options);
    const answer = app.ask("/held");
    let held: ProcessStacks | undefined;
    await until(async () => {
      held = (await stacksOf(app)).find(({ reason }) => reason);
      return held !== undefined;
    });
    assert.match(held?.reason ?? "", /too busy to give its stack/);
    assert.deepEqual(
      held?.requests.map(({ target, frames }) => [target, frames.length]),
      [["/held", 0]],
    );
    await answer;
    const next = app.ask("/sleeping");
    await seen(app, { "/sleeping": "sleeping" });
    app.go();
    await next;
  });
}

test("WSGI: two at once in threads", async (t) => {
  const app = await start(t, "wsgi", { threads: 2 });
  const answers = [app.ask("/sleeping"), app.ask("/looping")];
  const requests = await seen(app, { "/sleeping": "sleeping", "/looping": "looping" });
  assert.deepEqual(
    requests.map(({ place }) => place),
    ["thread", "thread"],
  );
  app.go();
  await Promise.all(answers);
});

test("WSGI: the thread that answers is none of the application's", async (t) => {
  const app = await start(t, "wsgi");
  assert.equal((await app.ask("/")).body.toString(), "1");
});

test("WSGI: an application that has closed the descriptor is served on, and the answer says so", async (t) => {
  const app = await start(t, "wsgi", { threads: 2 });
  const answer = app.ask("/closing");
  let process: ProcessStacks | undefined;
  await until(async () => {
    [process] = await stacksOf(app);
    return process?.reason?.includes("is closed") === true;
  });
  assert.deepEqual(
    process?.requests.map(({ target }) => target),
    ["/closing"],
  );
  app.go();
  assert.equal((await answer).status, 200);
  assert.equal((await app.ask("/")).status, 200);
});

for (const { path, version } of pythons())
  for (const kind of ["wsgi", "asgi"] as const)
    test(`CPython ${version}, ${kind}: coroutines and threads are found`, async (t) => {
      const app = await start(t, kind, { python: path, ...(kind === "wsgi" ? { threads: 2 } : {}) });
      const ways =
        kind === "wsgi"
          ? { "/sleeping": "sleeping", "/looping": "looping" }
          : { "/pooled": "sleeping", "/gathered": "awaiting" };
      const answers = Object.keys(ways).map((target) => app.ask(target));
      await seen(app, ways);
      app.go();
      for (const answer of answers) assert.equal((await answer).status, 200);
    });

const WAITS = {
  "/awaiting": ["application", "awaiting"],
  "/pooled": ["application", "pooled", "sleeping"],
  "/task": ["application", "task", "awaiting"],
  "/gathered": ["application", "gathered", "awaiting"],
  "/waited": ["application", "waited", "awaiting"],
};

for (const loop of ["asyncio", "auto"] as const)
  test(`ASGI (${loop}): coroutines, and the tasks and threads that they wait for`, async (t) => {
    const app = await start(t, "asgi", { loop });
    const answers = Object.keys(WAITS).map((target) => app.ask(target));
    const innermost = Object.entries(WAITS).map(([target, names]) => [target, names.at(-1) ?? ""]);
    const requests = await seen(app, Object.fromEntries(innermost));
    for (const request of requests) {
      assert.equal(request.place, "task");
      assert.deepEqual(namesIn(request), WAITS[request.target as keyof typeof WAITS]);
    }
    app.go();
    for (const answer of answers) assert.equal((await answer).status, 200);
  });

test("ASGI: no more than 32 requests are told, the others counted", async (t) => {
  const app = await start(t, "asgi");
  const answers = Array.from({ length: 40 }, () => app.ask("/awaiting"));
  let [process] = await stacksOf(app);
  await until(async () => {
    [process] = await stacksOf(app);
    return process?.others === 8 && process.requests.every(({ frames }) => frames.length > 0);
  });
  assert.equal(process?.requests.length, 32);
  app.go();
  await Promise.all(answers);
});
