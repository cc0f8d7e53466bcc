// Several server processes, each with Python processes of its own: WSGI in daemon mode, and ASGI.
import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { pythons } from "../pythons.ts";
import { type Served, serve } from "../serve.ts";

const here = mkdtempSync(join(tmpdir(), "cluster-"));
after(() => rmSync(here, { recursive: true, force: true }));
let versions = 0;
const PYTHON = pythons()[0]?.path as string;

writeFileSync(
  join(here, "wsgi_site.py"),
  `import os, sys
VERSION = "one"
print("worker", os.getpid(), file=sys.stderr)

def app(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [f"{os.getpid()} {os.getppid()} {environ['wsgi.multiprocess']} {VERSION}".encode()]
`,
);
writeFileSync(
  join(here, "asgi_site.py"),
  `import os, sys
VERSION = "one"

async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        await receive()
        print("startup", os.getpid(), file=sys.stderr)
        await send({"type": "lifespan.startup.complete"})
        await receive()
        print("shutdown", os.getpid(), file=sys.stderr)
        await send({"type": "lifespan.shutdown.complete"})
        return
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/plain")]})
    await send({"type": "http.response.body", "body": f"{os.getpid()} {os.getppid()} True {VERSION}".encode()})
`,
);

const start = (app: string): Promise<Served> =>
  serve([app, "--python", PYTHON, "--server-processes", "2"], { cwd: here });

interface Answer {
  readonly worker: number;
  readonly server: number;
  readonly multiprocess: string;
  readonly version: string;
}

async function ask(url: string): Promise<Answer> {
  const text = await (await fetch(url, { headers: { connection: "close" } })).text();
  const [worker, server, multiprocess = "", version = ""] = text.split(" ");
  return { worker: Number(worker), server: Number(server), multiprocess, version };
}

/** Answers of two different server processes. */
async function both(url: string): Promise<Answer[]> {
  const seen = new Map<number, Answer>();
  const give = Date.now() + 30_000;
  while (seen.size < 2 && Date.now() < give)
    for (const answer of await Promise.all(Array.from({ length: 8 }, () => ask(url))))
      seen.set(answer.server, answer);
  assert.equal(seen.size, 2);
  return [...seen.values()];
}

async function gone(pid: number): Promise<boolean> {
  const give = Date.now() + 20_000;
  while (isAlive(pid) && Date.now() < give) await new Promise((resolve) => setTimeout(resolve, 20));
  return !isAlive(pid);
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

for (const [app, file] of [
  ["wsgi_site:app", "wsgi_site.py"],
  ["asgi_site:app", "asgi_site.py"],
] as const) {
  test(`${app}: each server process has a worker of its own, and SIGTERM ends them all`, async () => {
    const server = await start(app);
    const answers = await both(server.url);
    assert.equal(new Set(answers.map(({ worker }) => worker)).size, 2);
    assert.ok(answers.every(({ multiprocess }) => multiprocess === "True"));
    assert.equal((await server.stop()).code, 0);
    for (const { worker, server } of answers) assert.ok((await gone(worker)) && (await gone(server)));
  });

  test(`${app}: SIGHUP brings the new version to every server process, and the old workers end`, async (t) => {
    const server = await start(app);
    t.after(() => server.stop());
    const before = await both(server.url);
    edited(file, "one", "two");
    t.after(() => edited(file, "two", "one"));
    process.kill(server.pid, "SIGHUP");
    await server.sees(/all server processes were replaced/);
    assert.deepEqual(
      (await both(server.url)).map(({ version }) => version),
      ["two", "two"],
    );
    for (const { worker } of before) assert.ok(await gone(worker));
  });
}

test("a new version that cannot be imported leaves the old server processes in place", async (t) => {
  const server = await start("wsgi_site:app");
  t.after(() => server.stop());
  await both(server.url);
  edited("wsgi_site.py", '"one"', "1 / 0");
  t.after(() => edited("wsgi_site.py", "1 / 0", '"one"'));
  process.kill(server.pid, "SIGHUP");
  await server.sees(/ZeroDivisionError/);
  await server.sees(/the reload failed and the old server processes go on/);
  assert.ok((await both(server.url)).every(({ version }) => version === "one"));
});

test("ASGI: every server process has its lifespan, from startup to shutdown, in the one log", async () => {
  const server = await start("asgi_site:app");
  const workers = (await both(server.url)).map(({ worker }) => worker);
  await server.stop();
  for (const word of ["startup", "shutdown"])
    for (const worker of workers) assert.match(server.stderr, new RegExp(`${word} ${worker}`));
});

/** Another version of a module. */
function edited(file: string, from: string, to: string): void {
  const path = join(here, file);
  const text = readFileSync(path, "utf8");
  assert.ok(text.includes(from));
  writeFileSync(path, text.replace(from, to));
  // Python tells the age of what it compiled in whole seconds.
  versions += 10;
  const later = Date.now() / 1000 + versions;
  utimesSync(path, later, later);
}
