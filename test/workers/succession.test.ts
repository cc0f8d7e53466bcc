// Worker processes that have taken their share of requests (`maxRequests`) are replaced, and nobody notices.
import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { served } from "../protocols/asgi/served.ts";
import { daemon } from "../protocols/wsgi/daemon.ts";

test("WSGI workers are replaced after their share, and no request is lost or waits for it", async (t) => {
  const folder = mkdtempSync(join(tmpdir(), "sallyport-test-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  writeFileSync(
    join(folder, "pid.py"),
    `import os
def application(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [str(os.getpid()).encode()]
`,
  );
  const server = await daemon(t, "pid", { directory: folder, processes: 2, maxRequests: 40 });
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
  const server = await served(t, { maxRequests: 10 });
  const first = (await server.ask("/pid")).body.toString();
  const give = Date.now() + 60_000;
  let pid = first;
  while (pid === first && Date.now() < give) pid = (await server.ask("/pid")).body.toString();
  assert.notEqual(pid, first);
  await server.recorded(/^shutdown$/);
});

test("a successor that cannot start leaves the old worker in its place", async (t) => {
  const folder = mkdtempSync(join(tmpdir(), "sallyport-test-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const write = (text: string): void => writeFileSync(join(folder, "soon_broken.py"), text);
  write("def application(environ, start_response):\n    start_response('200 OK', [])\n    return [b'old']\n");
  const server = await daemon(t, "soon_broken", {
    directory: folder,
    maxRequests: 10,
    env: { PYTHONDONTWRITEBYTECODE: "1" },
  });
  write("raise RuntimeError('broken meanwhile')\n");
  const logged = server.logged(/no successor for worker \d+: .*broken meanwhile/);
  for (let i = 0; i < 12; i++) assert.equal((await server.ask("/")).body.toString(), "old");
  await logged;
  assert.equal((await server.ask("/")).body.toString(), "old");
});
