// Scaling and recycling by the command line, with two server processes that each have workers of their own.
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { makeFolder } from "../kit/make-folder.ts";
import { childrenOf, commandOf } from "../kit/processes.ts";
import { pythons } from "../kit/pythons.ts";
import { type Served, serve } from "../kit/serve.ts";
import { until } from "../kit/until.ts";

const here = makeFolder();
const PYTHON = pythons()[0]?.path as string;

writeFileSync(
  join(here, "leaking.py"),
  `import os, time
kept = []

def app(environ, start_response):
    if environ["PATH_INFO"] == "/leak": kept.append(bytearray(os.urandom(4096) * 2560))
    if environ["PATH_INFO"] == "/jump": kept.append(bytearray(b"x" * (400 << 20))); time.sleep(30)
    time.sleep(float(environ["QUERY_STRING"] or 0))
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [f"{os.getpid()} {os.getppid()}".encode()]
`,
);

async function start(t: TestContext, ...args: string[]): Promise<Served> {
  const server = await serve(["leaking:app", "--python", PYTHON, "--server-processes", "2", ...args], {
    cwd: here,
  });
  t.after(() => server.stop());
  return server;
}

/** Each with a connection of its own, so that both server processes are asked. */
async function ask(server: Served, target: string): Promise<{ status: number; text: string }> {
  const response = await fetch(server.url + target, { headers: { connection: "close" } });
  return { status: response.status, text: await response.text() };
}

const ok = async (server: Served, target: string): Promise<string> => {
  const { status, text } = await ask(server, target);
  assert.equal(status, 200, text);
  return text;
};

/** How many there are, of both server processes: not their guards, which are children, too. */
const workers = (server: Served): number =>
  childrenOf(server.pid)
    .flatMap(childrenOf)
    .filter((pid) => commandOf(pid).startsWith(PYTHON)).length;
const LINUX = { skip: process.platform === "linux" ? false : "Linux only" };

test(
  "--processes 0:2: each server process starts its first worker with its first request",
  LINUX,
  async (t) => {
    const server = await start(t, "--interface", "wsgi", "--processes", "0:2");
    await server.sees(/2 server processes serve/);
    assert.equal(workers(server), 0);
    const servers = new Set<string>();
    while (servers.size < 2) servers.add((await ok(server, "/")).split(" ")[1] as string);
    assert.ok(workers(server) >= 2 && workers(server) <= 4);
    await server.sees(/leaking:app grows from 0 to 1 processes: a request waits, and there is none/);
  },
);

test("--processes 1:2: a load starts the second worker of each server process", LINUX, async (t) => {
  const server = await start(t, "--processes", "1:2");
  await server.sees(/2 server processes serve/);
  await until(() => workers(server) === 2);
  const client = async (): Promise<void> => {
    while (workers(server) < 4) await ok(server, "/?0.05");
  };
  await Promise.all(Array.from({ length: 40 }, client));
  await server.sees(/leaking:app grows from 1 to 2 processes: \d+ requests wait, the first for \d+ ms/);
});

test("--max-memory: a leak of 10 MB a request is met without a failed request", LINUX, async (t) => {
  const server = await start(t, "--max-memory", "120M", "--memory-limit", "2G");
  const pids = new Set<string>();
  while (pids.size < 6) {
    pids.add((await ok(server, "/leak")).split(" ")[0] as string);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  await server.sees(/worker \d+ holds \d+ MiB of memory, more than 120 MiB; \d+ takes over/);
});

test("--memory-limit: a jump ends the worker, and only what was inside fails", LINUX, async (t) => {
  const server = await start(t, "--memory-limit", "300M", "--processes", "2");
  const jump = ask(server, "/jump");
  const others = Array.from({ length: 20 }, () => ok(server, "/?0.1"));
  const { status, text } = await jump;
  assert.equal(status, 502);
  assert.match(text, /ERR_SALLYPORT_MEMORY_LIMIT/);
  await Promise.all(others);
  await server.sees(/worker \d+ was ended: it held \d+ MiB of memory, and its limit is 300 MiB/);
});

test("--max-age and --max-requests: workers of both server processes are replaced, and no request fails", async (t) => {
  const server = await start(t, "--max-age", "2s", "--max-requests", "100");
  const pids = new Set<string>();
  while (pids.size < 6) {
    const answers = await Promise.all(Array.from({ length: 4 }, () => ok(server, "/")));
    for (const text of answers) pids.add(text.split(" ")[0] as string);
  }
  await server.sees(/worker \d+ has (run for \d+ s|served its share of requests); \d+ takes over/);
});

test("--embedded with --max-requests and --max-age: the server processes are replaced, and no request fails", async (t) => {
  const server = await start(t, "--embedded", "--max-age", "3s", "--max-requests", "500");
  const pids = new Set<string>();
  while (pids.size < 5) pids.add((await ok(server, "/")).split(" ")[0] as string);
  await server.sees(/server process \d+ has (run for \d+ s|served its share of requests); \d+ takes over/);
});

test("bounds are not for CGI programs", async () => {
  const program = join(here, "program");
  writeFileSync(program, "#!/bin/sh\n", { mode: 0o755 });
  await assert.rejects(serve([program, "--processes", "0:2"]), /--processes MIN:MAX is for Python apps/);
});
