// The life of WSGI workers: they die, hang, are busy or replaced, and requests are affected as little as possible (edge case W13).
import assert from "node:assert/strict";
import { cpSync, existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { PushedBody, SallyportError } from "../../../src/exchange/index.ts";
import { wsgi } from "../../../src/protocols/wsgi/index.ts";
import { makeFolder } from "../../kit/make-folder.ts";
import { VENV_PYTHON } from "../../kit/needs.ts";
import { pythons } from "../../kit/pythons.ts";
import { APPS, type StartedWsgi, startWsgi } from "../../kit/start-wsgi.ts";

const pid = async (server: StartedWsgi): Promise<unknown> => (await server.json("/process")).pid;

const DEATHS: [page: string, how: RegExp][] = [
  ["/exit-at-once", /exited with status 7/],
  ["/segfault", /killed by SIGSEGV/],
  ["/kill-self", /killed by SIGKILL/],
];
for (const [page, how] of DEATHS) {
  test(`${page}: the request inside gets 502, in words, and another worker takes over`, async (t) => {
    const server = await startWsgi(t, "awkward");
    const before = await pid(server);
    const answer = await server.ask(page);
    assert.deepEqual([answer.status, answer.complete], [502, true]);
    assert.equal(answer.body.toString().includes("ERR_SALLYPORT_WORKER_DIED"), true);
    assert.match((await server.logged(/the worker that ran the request/)).message, how);
    assert.notEqual(await pid(server), before);
  });
}

test("however many requests kill their workers, the next one is there at once", async (t) => {
  const server = await startWsgi(t, "awkward", { processes: 2 });
  for (let i = 0; i < 8; i++) {
    assert.equal((await server.ask("/kill-self")).status, 502);
    assert.equal((await server.ask("/hello")).status, 200);
  }
  const told = server.lines.map(({ message }) => message).filter((text) => /another starts/.test(text));
  assert.deepEqual([told.length, told.filter((text) => /another starts in/.test(text))], [8, []]);
});

test("a worker that dies midway cuts its response, and only that", async (t) => {
  const server = await startWsgi(t, "awkward", { processes: 2 });
  const dying = server.exchange({ target: "/exit-midway" });
  const others = Array.from({ length: 40 }, () => server.ask("/hello"));
  const cut = await dying.done;
  assert.deepEqual(
    [cut.body.toString(), cut.complete, cut.error?.fault],
    ["about to die\n", false, "worker"],
  );
  for (const other of await Promise.all(others))
    assert.deepEqual([other.status, other.complete], [200, true]);
});

test("requests that wait behind the one that kills its worker are answered by the next worker", async (t) => {
  const server = await startWsgi(t, "awkward");
  const answers = await Promise.all([
    server.ask("/exit-at-once"),
    ...Array.from({ length: 30 }, () => server.ask("/hello")),
  ]);
  assert.deepEqual(
    answers.map(({ status }) => status),
    [502, ...Array.from({ length: 30 }, () => 200)],
  );
});

for (const page of ["/system-exit", "/keyboard-interrupt", "/generator-exit"]) {
  test(`${page}: 500 with the traceback in the log, and the server goes on`, async (t) => {
    const server = await startWsgi(t, "awkward");
    assert.equal((await server.ask(page)).status, 500);
    await server.logged(/SystemExit|KeyboardInterrupt|GeneratorExit/);
    assert.equal((await server.ask("/hello")).status, 200);
  });
}

test("a worker that hangs gets 504 after the timeout, its stack is logged, and it is replaced", async (t) => {
  const server = await startWsgi(t, "awkward", { timeout: 300 });
  const before = await pid(server);
  const [hung, next] = await Promise.all([server.ask("/hang"), server.ask("/hello")]);
  assert.equal(hung.status, 504);
  assert.equal(next.status, 200);
  await server.logged(/processes\.py.* in hang/);
  assert.notEqual(await pid(server), before);
});

test("with threads, a request beside the one that hangs is finished before the worker ends", async (t) => {
  const folder = makeFolder(t);
  const go = join(folder, "go");
  const server = await startWsgi(t, "awkward", { timeout: 1000, threads: 2 });
  const hung = server.ask("/hang");
  await until(() => server.records().includes("hanging"));
  const beside = server.exchange({ target: `/step-by-step?${go}` });
  assert.equal((await hung).status, 504);
  writeFileSync(go, "");
  const { body, complete } = await beside.done;
  assert.deepEqual([body.toString(), complete], ["first\nsecond\n", true]);
});

test("a response that has begun may take longer than the timeout, each item leaving at once (W12)", async (t) => {
  const folder = makeFolder(t);
  const go = join(folder, "go");
  const server = await startWsgi(t, "awkward", { timeout: 300 });
  const slow = server.exchange({ target: `/step-by-step?${go}` });
  await until(() => slow.chunks.length === 1);
  await new Promise((resolve) => setTimeout(resolve, 900));
  writeFileSync(go, "");
  const { body, complete } = await slow.done;
  assert.deepEqual([body.toString(), complete], ["first\nsecond\n", true]);
});

for (const how of ["an upload that waits for 100 Continue", "an upload that is not set aside"])
  test(`${how} may take longer than the timeout: it is the client who takes it`, async (t) => {
    const expects = how.includes("100");
    const server = await startWsgi(t, "awkward", { timeout: 300, bufferBody: expects });
    const headers = ["Host", "localhost", ...(expects ? ["Expect", "100-continue"] : [])];
    let asked = false;
    const wanted = (): void => {
      asked = true;
    };
    const body = new PushedBody(5, { wanted, pause() {}, resume() {} });
    const answer = server.ask("/read-all", { method: "POST", headers, body });
    await until(() => asked);
    for (const byte of "abcde") {
      await new Promise((resolve) => setTimeout(resolve, 500));
      body.push(Buffer.from(byte));
    }
    body.end();
    const { status, body: said } = await answer;
    assert.deepEqual([status, JSON.parse(said.toString()).length], [200, 5]);
  });

test("the queue is bounded: one request too many gets 503, and those that waited too long do", async (t) => {
  const server = await startWsgi(t, "awkward", { queue: 3, queueTimeout: 500, timeout: 0 });
  const hanging = server.exchange({ target: "/hang" });
  await until(() => server.records().includes("hanging"));
  const statuses: Promise<number>[] = [];
  for (let i = 0; i < 20; i++) statuses.push(server.ask("/hello").then(({ status }) => status));
  // The worker that hangs has prefetched some; they are answered when it is gone.
  const full = await Promise.race(
    statuses.map(async (status, i) => ((await status) === 503 ? i : new Promise(() => {}))),
  );
  assert.equal(typeof full, "number");
  await server.logged(/3 requests are waiting for a worker already/);
  await server.logged(/no worker was free within 0.5 s/);
  hanging.hangUp();
  await server.gateway.close?.(0);
  await Promise.all(statuses);
});

test("clients that wait for 100 Continue and then send nothing leave a worker to the others", async (t) => {
  const server = await startWsgi(t, "awkward", { processes: 2 });
  const headers = ["Host", "localhost", "Expect", "100-continue"];
  const asked: string[] = [];
  const slow = Array.from({ length: 4 }, (_, i) => {
    const wanted = (): void => void asked.push(`${i}`);
    const body = new PushedBody(3, { wanted, pause() {}, resume() {} });
    return { body, answer: server.ask("/read-all", { method: "POST", headers, body }) };
  });
  for (let i = 0; i < 20; i++) assert.equal((await server.ask("/hello")).status, 200);
  await until(() => asked.length === 4);
  for (const { body } of slow) {
    body.push(Buffer.from("abc"));
    body.end();
  }
  for (const { answer } of slow) assert.match((await answer).body.toString(), /"length": 3/);
});

test("a client that leaves the queue frees its place", async (t) => {
  const server = await startWsgi(t, "awkward", { queue: 2, timeout: 0 });
  const blocking = server.exchange({ target: "/hang" });
  await until(() => server.records().includes("hanging"));
  const ahead = Array.from({ length: 15 }, () => server.exchange({ target: "/hello" }));
  const left = [server.exchange({ target: "/hello" }), server.exchange({ target: "/hello" })];
  for (const exchange of left) exchange.hangUp();
  const next = [server.exchange({ target: "/hello" }), server.exchange({ target: "/hello" })];
  assert.deepEqual(
    next.map(({ closed }) => closed),
    [false, false],
  );
  for (const exchange of [blocking, ...ahead, ...next]) exchange.hangUp();
});

test("a reload replaces every worker without losing a request, and a bad one keeps the old", async (t) => {
  const folder = makeFolder(t);
  const version = (text: string): void => writeFileSync(join(folder, "site.txt"), text);
  writeFileSync(
    join(folder, "versioned.py"),
    `import time
text = open("site.txt", "rb").read()
assert text != b"broken", "the new version is broken"
def application(environ, start_response):
    time.sleep(0.002)
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [text]
`,
  );
  version("one");
  const server = await startWsgi(t, "versioned", { chdir: folder, processes: 2 });
  const answers: Promise<{ status: number; body: Buffer }>[] = [];
  const ask = setInterval(() => answers.push(server.ask("/")), 2);
  t.after(() => clearInterval(ask));
  version("two");
  await server.gateway.reload?.();
  assert.equal((await server.ask("/")).body.toString(), "two");
  version("broken");
  await assert.rejects(async () => server.gateway.reload?.(), /the new version is broken/);
  assert.equal((await server.ask("/")).body.toString(), "two");
  clearInterval(ask);
  const all = await Promise.all(answers);
  assert.equal(all.length > 10, true);
  assert.deepEqual([...new Set(all.map(({ status }) => status))], [200]);
});

test("close lets a request under way finish, and ends every process", async (t) => {
  const folder = makeFolder(t);
  const go = join(folder, "go");
  const server = await startWsgi(t, "awkward");
  const worker = (await pid(server)) as number;
  const under = server.exchange({ target: `/step-by-step?${go}` });
  await until(() => under.chunks.length === 1);
  const closing = server.gateway.close?.(Number.POSITIVE_INFINITY);
  assert.equal((await server.ask("/hello")).status, 503);
  await delay(20); // a timer of more than 2^31-1 ms would have fired
  writeFileSync(go, "");
  assert.equal((await under.done).complete, true);
  await closing;
  assert.equal(existsSync(`/proc/${worker}`), false);
});

test("a slow client does not hold its worker: what it does not take waits in memory, then in a file", async (t) => {
  const server = await startWsgi(t, "awkward");
  const size = 20_000_000;
  const slow = server.exchange({ target: `/huge-output?${size}` });
  slow.stalled = true;
  assert.equal((await server.ask("/hello")).body.toString(), "hello\n");
  assert.equal(slow.closed, false);
  slow.release();
  const { bytes, complete } = await slow.done;
  assert.deepEqual([bytes, complete], [size, true]);
});

for (const mode of ["daemon", "embedded"] as const)
  test(`${mode} mode: a body over \`maxBody\` is 413, whether it is here at once, announced or neither`, async (t) => {
    const server = await startWsgi(t, "say_request", { mode, maxBody: 3, python: pythons()[0]?.path });
    const pushed = (length?: number): PushedBody => new PushedBody(length, { pause() {}, resume() {} });
    const unknown = pushed();
    unknown.push(Buffer.from("abcd"));
    for (const body of ["abcd", pushed(4), unknown])
      assert.equal((await server.ask("/", { method: "POST", body })).status, 413);
    const { status, body } = await server.ask("/", { method: "POST", body: "abc" });
    assert.deepEqual([status, body.toString().split("\n").at(-1)], [207, "read=3"]);
  });

test("`maxBody` is not for bodies that stream", async (t) => {
  const server = await startWsgi(t, "say_request", { maxBody: 3, bufferBody: false });
  const { status, body } = await server.ask("/", { method: "POST", body: "abcd" });
  assert.deepEqual([status, body.toString().split("\n").at(-1)], [207, "read=4"]);
});

test("a huge single item arrives whole", async (t) => {
  const server = await startWsgi(t, "awkward");
  const { bytes, complete } = await server.ask("/huge-item");
  assert.deepEqual([bytes, complete], [64 << 20, true]);
});

test("handlers of logging that open /dev/stdout and /dev/stderr, as is usual in containers, write to the log", async (t) => {
  const folder = makeFolder(t);
  const application = `import logging
for name in ("stdout", "stderr"):
    logger = logging.getLogger(name)
    logger.addHandler(logging.FileHandler("/dev/" + name))
    logger.error("opened %s", name)
def app(environ, start_response):
    open("/dev/stdout", "w").write("by its name\\n")
    start_response("204 No Content", [])
    return []
`;
  writeFileSync(join(folder, "opens.py"), application);
  for (const options of [{}, { threads: 2 }]) {
    const server = await startWsgi(t, "opens", { chdir: folder, ...options });
    assert.equal((await server.ask("/")).status, 204);
    for (const line of [/^opened stdout$/, /^opened stderr$/, /^by its name$/]) await server.logged(line);
  }
});

test("an application that cannot be imported says why, with its traceback and without ours", async (t) => {
  const folder = makeFolder(t);
  writeFileSync(join(folder, "raises.py"), "def deep():\n    raise ValueError('no database')\ndeep()\n");
  writeFileSync(join(folder, "syntax.py"), "def broken(:\n");
  writeFileSync(
    join(folder, "lines.py"),
    "error = ValueError('no key\\n  see the manual')\nif hasattr(error, 'add_note'): error.add_note('a note')\nraise error\n",
  );
  writeFileSync(join(folder, "imports.py"), "import not_installed_here\n");
  writeFileSync(join(folder, "exits.py"), "import os\nprint('bye', flush=True)\nos._exit(4)\n");
  writeFileSync(join(folder, "names.py"), "def wsgi_app(environ, start_response): pass\nnumber = 5\n");
  writeFileSync(join(folder, "asynchronous.py"), "async def app(scope, receive, send): pass\n");
  const cases: [target: string, message: RegExp, detail: RegExp | undefined][] = [
    ["raises", /importing 'raises' failed: ValueError: no database/, /in deep/],
    ["lines", /importing 'lines' failed: ValueError: no key \(in CPython/, /see the manual/],
    ["syntax", /SyntaxError: /, /syntax\.py", line 1/],
    ["imports", /No module named 'not_installed_here'/, /imports\.py", line 1/],
    ["exits", /exited with status 4 while it imported exits/, /bye/],
    ["missing", /there is no module 'missing'; looked in/, undefined],
    ["names", /has neither 'application' nor 'app'/, undefined],
    ["names:other", /module 'names' has no 'other'; it has wsgi_app/, undefined],
    ["names:number", /names:number is of type int, not something to call/, undefined],
    ["asynchronous", /is an ASGI application/, undefined],
  ];
  for (const [target, message, detail] of cases) {
    await assert.rejects(
      async () => wsgi(target, { chdir: folder, python: "python3" }).start?.(),
      (error) => {
        assert.equal(error instanceof SallyportError && error.code, "ERR_SALLYPORT_APP_IMPORT");
        assert.match((error as SallyportError).message, message);
        if (detail) assert.match((error as SallyportError).detail ?? "", detail);
        assert.doesNotMatch(
          (error as SallyportError).detail ?? "",
          /sallyport\/(loader|worker)\.py|importlib/,
        );
        return true;
      },
    );
  }
});

test("threads that an application has replaced by greenlets are refused, and one thread serves it", async (t) => {
  const folder = makeFolder(t);
  writeFileSync(
    join(folder, "green.py"),
    `from gevent import monkey
monkey.patch_all()
def application(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"green"]
`,
  );
  const options = { chdir: folder, python: VENV_PYTHON };
  await assert.rejects(async () => wsgi("green", { ...options, threads: 2 }).start?.(), {
    code: "ERR_SALLYPORT_APP_IMPORT",
    message: /replaced threads by greenlets.*2 threads were asked for: leave out the patch/,
  });
  const server = await startWsgi(t, "green", options);
  assert.equal((await server.ask("/")).body.toString(), "green");
});

test("threads that a debugger follows, which wraps what starts them, serve an application", async (t) => {
  const folder = makeFolder(t);
  // As debugpy and PyCharm's debugger do (pydevd's patch_thread_modules).
  writeFileSync(
    join(folder, "traced.py"),
    `import _thread, threading

started = []

def wrapped(start):
    def start_traced(*args, **options):
        started.append(args)
        return start(*args, **options)
    return start_traced

for module in (_thread, threading):
    for name in ("start_new_thread", "start_joinable_thread", "_start_new_thread", "_start_joinable_thread"):
        if hasattr(module, name):
            setattr(module, name, wrapped(getattr(module, name)))

def application(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"traced" if started else b"not traced"]
`,
  );
  const server = await startWsgi(t, "traced", { chdir: folder, python: VENV_PYTHON, threads: 2 });
  assert.equal((await server.ask("/")).body.toString(), "traced");
});

test("an interpreter that is not there is named, with the places that were looked at", async () => {
  await assert.rejects(
    async () => wsgi("x", { python: "/nowhere/python" }).start?.(),
    /no Python interpreter at \/nowhere\/python/,
  );
});

test("a working directory that is not there is named", async () => {
  await assert.rejects(
    async () => wsgi("x", { chdir: "/nowhere", python: "python3" }).start?.(),
    /there is no directory \/nowhere/,
  );
});

test("factories and attribute paths are found", async (t) => {
  const folder = makeFolder(t);
  cpSync(join(APPS, "awkward"), join(folder, "awkward"), { recursive: true });
  writeFileSync(
    join(folder, "made.py"),
    "import awkward\nclass site:\n    wsgi = staticmethod(awkward.application)\ndef create():\n    return awkward.application\n",
  );
  for (const target of ["made:create()", "made:site.wsgi"]) {
    const server = await startWsgi(t, target, { chdir: folder });
    assert.equal((await server.ask("/hello")).status, 200, target);
  }
});

test("applications run under wsgiref.validate without a complaint (W10)", async (t: TestContext) => {
  const server = await startWsgi(t, "validated");
  const { lines } = server;
  const path = await server.json("/%E3%81%82/%2e?q=%20");
  assert.equal(path.PATH_INFO, "/\xe3\x81\x82/.");
  assert.equal(path.QUERY_STRING, "q=%20");
  assert.equal((await server.ask("/echo", { method: "POST", body: "a=1" })).body.toString(), "a=1");
  assert.equal((await server.ask("/lines", { method: "POST", body: "a\nb" })).body.toString(), "a\nb");
  assert.equal((await server.ask("/written")).body.toString(), "written, then iterated\n");
  assert.equal((await server.ask("/generated")).body.toString(), "item 0\nitem 1\nitem 2\n");
  assert.equal((await server.ask("/logged")).body.toString(), "logged\n");
  assert.equal((await server.ask("/empty")).status, 204);
  assert.deepEqual(
    lines.filter(({ level }) => level === "error"),
    [],
  );
  assert.equal(
    lines.some(({ message }) => /Assertion|Warning/.test(message)),
    false,
  );
});

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 5));
}
