// Request bodies that wait in files for Python: what is left of them, and what becomes of those whose client has left.
import assert from "node:assert/strict";
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { open } from "node:fs/promises";
import { request } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { mock, type TestContext, test } from "node:test";
import { PushedBody } from "../../src/exchange/index.ts";
import { APPS, daemon } from "../protocols/wsgi/daemon.ts";
import { pythons } from "../pythons.ts";
import { type Served, serve } from "../serve.ts";

const PYTHON = pythons()[0]?.path as string;
const BODY = Buffer.alloc(200_000, "private ");

function folderOf(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), "sallyport-test-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await new Promise((resolve) => setTimeout(resolve, 10));
}

function files(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map(({ name }) => name);
}

/** Sends bodies without an end to their request, so that some wait in files when the server goes. */
function uploading(server: Served, count: number): void {
  for (let i = 0; i < count; i++) {
    const upload = request(`${server.url}/echo`, {
      method: "POST",
      headers: { "content-length": 1_000_000 },
    });
    upload.on("error", () => {});
    upload.write(BODY);
  }
}

for (const [mode, ...args] of [
  ["daemon"],
  ["embedded", "--embedded"],
  ["server processes", "--server-processes", "2"],
]) {
  for (const signal of ["SIGTERM", "SIGKILL"] as const) {
    test(`no body stays on the disk when the server ends under load: ${mode}, ${signal}`, async (t) => {
      const folder = folderOf(t);
      const grace = ["--grace", "1"];
      const server = await serve(["awkward", "--python", PYTHON, ...grace, ...args], {
        cwd: APPS,
        env: { TMPDIR: folder },
      });
      t.after(() => server.stop());
      uploading(server, 6);
      await until(() => files(folder).length >= 6);
      process.kill(server.pid, signal);
      await server.exited;
      // The guard needs a moment more when nobody else can.
      await until(() => files(folder).length === 0);
      if (signal === "SIGTERM") assert.deepEqual(readdirSync(folder), []);
    });
  }
}

test("a request whose client leaves while it waits for a busy worker is nobody's error, and is not begun", async (t) => {
  const server = await daemon(t, "awkward");
  const go = join(folderOf(t), "go");
  const busy = server.exchange({ target: `/wait-for-file?${go}` });
  await until(() => server.records().includes("waiting"));
  const waiting = Array.from({ length: 8 }, () => {
    const body = new PushedBody(undefined, { pause() {}, resume() {} }, 1e9);
    body.push(BODY);
    body.end();
    return server.exchange({ target: "/close-after-end", method: "POST", body });
  });
  // Time for some to be sent to the worker.
  await new Promise((resolve) => setTimeout(resolve, 300));
  for (const exchange of waiting) exchange.hangUp();
  await new Promise((resolve) => setTimeout(resolve, 100));
  writeFileSync(go, "");
  assert.equal((await busy.done).status, 200);
  assert.equal((await server.ask("/hello")).status, 200);
  assert.deepEqual(
    server.entries.filter(({ level }) => level === "error"),
    [],
  );
  assert.ok(!server.records().includes("close"));
});

test("an upload for which the disk has no room is 507 with a code of its own, and the next one is served", async (t) => {
  const server = await daemon(t, "awkward");
  const any = await open("/dev/null");
  await any.close();
  const full = Object.assign(new Error("ENOSPC: no space left on device, write"), { code: "ENOSPC" });
  const write = mock.method(Object.getPrototypeOf(any), "write", () => Promise.reject(full));
  t.after(() => write.mock.restore());
  const upload = (): PushedBody => {
    const body = new PushedBody(undefined, { pause() {}, resume() {} }, 1e9);
    body.push(BODY);
    body.end();
    return body;
  };
  const refused = await server.ask("/echo", { method: "POST", body: upload() });
  assert.equal(refused.status, 507);
  assert.match(refused.body.toString(), /ERR_SALLYPORT_DISK_FULL/);
  assert.match((await server.logged(/could not be written/)).message, /sallyport-bodies-\w+\/sallyport-/);
  write.mock.restore();
  assert.equal((await server.ask("/echo", { method: "POST", body: upload() })).body.length, BODY.length);
});

test("a body that somebody tidied away is an error of the server's, not of the application", async (t) => {
  const server = await daemon(t, "awkward");
  const go = join(folderOf(t), "go");
  const busy = server.exchange({ target: `/wait-for-file?${go}` });
  await until(() => server.records().includes("waiting"));
  const before = new Set(bodies());
  const body = new PushedBody(undefined, { pause() {}, resume() {} }, 1e9);
  body.push(BODY);
  body.end();
  const asked = server.exchange({ target: "/echo", method: "POST", body });
  await until(() => bodies().some((path) => !before.has(path)));
  await new Promise((resolve) => setTimeout(resolve, 200));
  for (const path of bodies()) if (!before.has(path)) rmSync(path);
  writeFileSync(go, "");
  assert.deepEqual([(await busy.done).status, (await asked.done).status], [200, 500]);
  const { fields } = await server.logged(/set aside in a file that cannot be opened/);
  assert.deepEqual([fields.code, fields.fault], ["ERR_SALLYPORT_INTERNAL", "worker"]);
});

/** The files of this process. */
function bodies(): string[] {
  return readdirSync(tmpdir())
    .filter((name) => name.startsWith("sallyport-bodies-"))
    .flatMap((name) => readdirSync(join(tmpdir(), name)).map((file) => join(tmpdir(), name, file)));
}
