// Processes that are replaced at an age or above an amount of memory, without an effect on requests, and those that are ended.
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import type { Recorded } from "../../src/testing/recorded.ts";
import { makeFolder } from "../kit/make-folder.ts";
import { startAsgi } from "../kit/start-asgi.ts";
import { startWsgi } from "../kit/start-wsgi.ts";
import { until } from "../kit/until.ts";

const MB = 2 ** 20;
const COMMON = `import os, time
kept = []
def work(path):
    if path == "/leak": kept.append(bytearray(os.urandom(4096) * 2560))
    if path == "/jump": kept.append(bytearray(b"x" * (400 << 20)))
    return str(os.getpid()).encode()
`;
const WSGI = `${COMMON}
def application(environ, start_response):
    path = environ["PATH_INFO"]
    body = work(path)
    if path in ("/jump", "/slow"): time.sleep(30 if path == "/jump" else 3)
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [body]
`;
const ASGI = `${COMMON}
import asyncio
async def application(scope, receive, send):
    if scope["type"] != "http": raise RuntimeError("only http")
    path = scope["path"]
    body = work(path)
    if path in ("/jump", "/slow"): await asyncio.sleep(30 if path == "/jump" else 3)
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": body})
`;

type Options = NonNullable<Parameters<typeof startWsgi>[2]>;

async function start(t: TestContext, kind: "wsgi" | "asgi", options: Options) {
  const chdir = makeFolder(t);
  writeFileSync(join(chdir, "leaking.py"), kind === "wsgi" ? WSGI : ASGI);
  const { threads, ...others } = { ...options, chdir };
  return kind === "wsgi"
    ? startWsgi(t, "leaking", { ...others, threads })
    : startAsgi(t, others as object, {}, "leaking");
}

const KINDS = [
  { name: "WSGI, one thread", kind: "wsgi", options: {} },
  { name: "WSGI, threads", kind: "wsgi", options: { threads: 4 } },
  { name: "ASGI", kind: "asgi", options: {} },
] as const;
const LINUX = {
  skip: process.platform === "linux" ? false : "the memory of a process is read on Linux only",
};

for (const { name, kind, options } of KINDS) {
  test(
    `${name}: a leak of 10 MB a request meets the soft limit without a failed request`,
    LINUX,
    async (t) => {
      const server = await start(t, kind, {
        ...options,
        processes: 2,
        maxMemory: 120 * MB,
        memoryLimit: 2048 * MB,
      });
      const pids = new Set<string>();
      while (pids.size < 5) {
        const { status, body } = await server.ask("/leak");
        assert.equal(status, 200);
        pids.add(body.toString());
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
      await server.logged(/worker \d+ holds \d+ MiB of memory, more than 120 MiB; \d+ takes over/);
    },
  );

  test(
    `${name}: a jump above the hard limit ends the worker, and only what was inside fails`,
    LINUX,
    async (t) => {
      const server = await start(t, kind, { ...options, processes: 2, memoryLimit: 300 * MB });
      const jump = server.ask("/jump");
      await until(() => busy(server) === 1);
      const others: Promise<Recorded>[] = [];
      for (let i = 0; i < 20; i++) others.push(server.ask("/"));
      const { status, body } = await jump;
      assert.equal(status, 502);
      assert.match(body.toString(), /ERR_SALLYPORT_MEMORY_LIMIT/);
      const failed = (await Promise.all(others)).filter((other) => other.status !== 200);
      // An event loop, and threads, run others beside it.
      if (name === "WSGI, one thread") assert.equal(failed.length, 0);
      await server.logged(/worker \d+ was ended: it held \d+ MiB of memory, and its limit is 300 MiB/);
      await until(
        () => server.gateway.status?.().processes.filter(({ state }) => state === "idle").length === 2,
      );
      assert.equal((await server.ask("/")).status, 200);
    },
  );

  test(`${name}: workers are replaced at their age, one after the other, and no request fails`, async (t) => {
    const server = await start(t, kind, { ...options, processes: 2, maxAge: 1_500 });
    const pids = new Set<string>();
    while (pids.size < 5) {
      const answers = await Promise.all([server.ask("/"), server.ask("/"), server.ask("/")]);
      for (const { status, body } of answers) {
        assert.equal(status, 200);
        pids.add(body.toString());
      }
      const starting = server.gateway.status?.().processes.filter(({ state }) => state === "starting") ?? [];
      assert.ok(starting.length <= 1, `${starting.length} at once`);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    await server.logged(/worker \d+ has run for \d+ s; \d+ takes over/);
  });
}

const busy = (server: Awaited<ReturnType<typeof start>>): number =>
  server.gateway.status?.().processes.filter(({ state }) => state === "busy").length ?? 0;

test("a successor that cannot start is tried again with growing pauses, while the old worker serves", async (t) => {
  const chdir = makeFolder(t);
  const file = join(chdir, "aging.py");
  writeFileSync(file, WSGI);
  const server = await startWsgi(t, "aging", { chdir, maxAge: 500, env: { PYTHONDONTWRITEBYTECODE: "1" } });
  writeFileSync(file, "raise RuntimeError('broken meanwhile')\n");
  const failures = (): number => server.lines.filter(({ message }) => /no successor/.test(message)).length;
  await until(() => failures() >= 3);
  assert.equal((await server.ask("/")).status, 200);
  writeFileSync(file, WSGI);
  await server.logged(/worker \d+ has run for \d+ s; \d+ takes over/);
});

test("limits that contradict each other are refused", LINUX, async (t) => {
  await assert.rejects(start(t, "wsgi", { maxMemory: 200 * MB, memoryLimit: 100 * MB }), {
    code: "ERR_SALLYPORT_CONFIG_INVALID",
  });
});
