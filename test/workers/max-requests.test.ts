// Worker processes that have taken their share of requests (`maxRequests`) are replaced without any effect on requests.
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { makeFolder } from "../kit/make-folder.ts";
import { startAsgi } from "../kit/start-asgi.ts";
import { startWsgi } from "../kit/start-wsgi.ts";

test("WSGI workers are replaced after their share, and no request is lost or waits for it", async (t) => {
  const folder = makeFolder(t);
  writeFileSync(
    join(folder, "pid.py"),
    `import os
def application(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [str(os.getpid()).encode()]
`,
  );
  const server = await startWsgi(t, "pid", { chdir: folder, processes: 2, maxRequests: 40 });
  const counts = new Map<string, number>();
  const give = Date.now() + 60_000;
  while (counts.size < 5 && Date.now() < give) {
    const answers = await Promise.all(Array.from({ length: 4 }, () => server.ask("/")));
    for (const { status, body } of answers) {
      assert.equal(status, 200);
      counts.set(body.toString(), (counts.get(body.toString()) ?? 0) + 1);
    }
  }
  assert.ok(counts.size >= 5, `${counts.size} processes`);
  await server.logged(/worker \d+ has served its share of requests; \d+ takes over/);
});

test("the shutdown of a replaced ASGI worker runs", async (t) => {
  const server = await startAsgi(t, { maxRequests: 10 });
  const first = (await server.ask("/pid")).body.toString();
  const give = Date.now() + 60_000;
  let pid = first;
  while (pid === first && Date.now() < give) pid = (await server.ask("/pid")).body.toString();
  assert.notEqual(pid, first);
  await server.recorded(/^shutdown$/);
});

test("a successor that cannot start leaves the old worker in its place", async (t) => {
  const folder = makeFolder(t);
  const write = (text: string): void => writeFileSync(join(folder, "soon_broken.py"), text);
  write("def application(environ, start_response):\n    start_response('200 OK', [])\n    return [b'old']\n");
  const server = await startWsgi(t, "soon_broken", {
    chdir: folder,
    maxRequests: 10,
    env: { PYTHONDONTWRITEBYTECODE: "1" },
  });
  write("raise RuntimeError('broken meanwhile')\n");
  const logged = server.logged(/no successor for worker \d+: .*broken meanwhile/);
  for (let i = 0; i < 12; i++) assert.equal((await server.ask("/")).body.toString(), "old");
  await logged;
  assert.equal((await server.ask("/")).body.toString(), "old");
});

test("a worker whose successor could not start is replaced once one can", async (t) => {
  const folder = makeFolder(t);
  const write = (text: string): void => writeFileSync(join(folder, "mended.py"), text);
  const answers = (word: string): void =>
    write(`def application(environ, start_response):
    start_response("200 OK", [])
    return [b"${word}"]
`);
  answers("old");
  const env = { PYTHONDONTWRITEBYTECODE: "1" };
  const server = await startWsgi(t, "mended", { chdir: folder, maxRequests: 10, env });
  write("raise RuntimeError('broken for now')\n");
  for (let i = 0; i < 12; i++) assert.equal((await server.ask("/")).body.toString(), "old");
  await server.logged(/no successor for worker \d+: .*broken for now/);
  answers("mended");
  await server.logged(/worker \d+ has served its share of requests; \d+ takes over/);
  assert.equal((await server.ask("/")).body.toString(), "mended");
});

test("a reload during a reload brings the newest version, whichever starts faster", async (t) => {
  const folder = makeFolder(t);
  const write = (word: string, imported = ""): void =>
    writeFileSync(
      join(folder, "versions.py"),
      `import os, sys, time
print("importing ${word}", file=sys.stderr)
${imported}
def application(environ, start_response):
    start_response("200 OK", [])
    return [b"${word}"]
`,
    );
  write("one");
  const env = { PYTHONDONTWRITEBYTECODE: "1" };
  const server = await startWsgi(t, "versions", { chdir: folder, env });
  // Slower to start than the next version, which may come meanwhile.
  write(
    "two",
    "for _ in range(30):\n    time.sleep(0.1)\n    if os.path.exists('three'): time.sleep(1); break",
  );
  const first = server.gateway.reload?.();
  await server.logged(/importing two/);
  write("three", "open('three', 'w').close()");
  await Promise.all([first, server.gateway.reload?.()]);
  assert.equal((await server.ask("/")).body.toString(), "three");
});

test("a pool that is closed during a reload leaves no process behind", async (t) => {
  const folder = makeFolder(t);
  const write = (text: string): void => writeFileSync(join(folder, "endless.py"), text);
  const application = "def application(environ, start_response):\n    pass\n";
  write(application);
  const server = await startWsgi(t, "endless", {
    chdir: folder,
    env: { PYTHONDONTWRITEBYTECODE: "1" },
  });
  write(`import os, sys, time
print("pid", os.getpid(), file=sys.stderr)
time.sleep(1)
${application}`);
  const reload = assert.rejects(server.gateway.reload?.() as Promise<void>, {
    code: "ERR_SALLYPORT_STOPPING",
  });
  const { message } = await server.logged(/^pid \d+$/);
  await server.gateway.close?.(5_000);
  await reload;
  assert.throws(() => process.kill(Number(message.slice(4)), 0), { code: "ESRCH" });
});
