// Request bodies in files for Python: none is left over, whoever of client, worker and server ends first.
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { open } from "node:fs/promises";
import { Agent, request } from "node:http";
import { join } from "node:path";
import { mock, test } from "node:test";
import { PushedBody } from "../../src/exchange/index.ts";
import { makeFolder } from "../kit/make-folder.ts";
import { pythons } from "../kit/pythons.ts";
import { type Served, serve } from "../kit/serve.ts";
import { APPS, startWsgi } from "../kit/start-wsgi.ts";

const PYTHON = pythons()[0]?.path as string;
const BODY = Buffer.alloc(200_000, "private ");
/** Of this process alone: the bodies of others, which run at the same time, are theirs. */
const TEMPORARY = makeFolder();
process.env.TMPDIR = TEMPORARY;

async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await new Promise((resolve) => setTimeout(resolve, 10));
}

function files(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map(({ name }) => name);
}

/** Sends bodies of requests that never end, so that some are in files when the server ends. */
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
      const folder = makeFolder(t);
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
      // After SIGKILL only the guard can remove it, a moment later.
      await until(() => files(folder).length === 0);
      if (signal === "SIGTERM") assert.deepEqual(readdirSync(folder), []);
    });
  }
}

/** Around the sizes from which a body is a block, and behind its head, a stream, or a file. */
const SIZES = [1, 16_383, 16_384, 32_768, 40_000, 65_535, 65_536, 65_537, 81_000, 100_000, 300_000];

for (const [mode, app, ...args] of [
  ["one process", "awkward"],
  ["threads", "awkward", "--processes", "2", "--threads", "4"],
  ["embedded", "awkward", "--embedded"],
  ["server processes", "awkward", "--server-processes", "2"],
  ["ASGI", "pages", "--chdir", "../asgi", "--processes", "2"],
] as const) {
  test(`bodies of all sizes arrive as they were sent, while others come and go: ${mode}`, async (t) => {
    const server = await serve([app, "--python", PYTHON, ...args], { cwd: APPS });
    t.after(() => server.stop());
    const agent = new Agent({ keepAlive: true, maxSockets: 8 });
    t.after(() => agent.destroy());
    const sizes = Array.from({ length: 20 }, () => SIZES).flat();
    await Promise.all(
      sizes.map(async (size, number) => {
        const body = randomBytes(size);
        // Some leave again, in the middle or when they have sent all.
        if (number % 7 === 0) return leave(server.url, body, number % 2 === 0 ? size : size >> 1);
        assert.ok(body.equals(await echoed(server.url, agent, body)), `${size} bytes`);
      }),
    );
  });
}

function echoed(url: string, agent: Agent, body: Buffer): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const asked = request(`${url}/echo`, {
      method: "POST",
      agent,
      headers: { "content-length": body.length },
    });
    asked.once("error", reject);
    asked.once("response", (response) => {
      response.toArray().then((pieces) => resolve(Buffer.concat(pieces)), reject);
    });
    asked.end(body);
  });
}

function leave(url: string, body: Buffer, sent: number): Promise<void> {
  return new Promise((resolve) => {
    const asked = request(`${url}/echo`, { method: "POST", headers: { "content-length": body.length } });
    asked.once("error", () => {});
    asked.once("close", resolve);
    asked.write(body.subarray(0, sent), () => asked.destroy());
  });
}

test("a request whose client leaves while it waits for a busy worker is no error, and is not begun", async (t) => {
  const server = await startWsgi(t, "awkward");
  const go = join(makeFolder(t), "go");
  const busy = server.exchange({ target: `/wait-for-file?${go}` });
  await until(() => server.records().includes("waiting"));
  const waiting = Array.from({ length: 8 }, () => {
    const body = new PushedBody(undefined, { pause() {}, resume() {} }, 1e9);
    body.push(BODY);
    body.end();
    return server.exchange({ target: "/close-after-end", method: "POST", body });
  });
  // So that some are sent to the worker.
  await new Promise((resolve) => setTimeout(resolve, 300));
  for (const exchange of waiting) exchange.hangUp();
  await new Promise((resolve) => setTimeout(resolve, 100));
  writeFileSync(go, "");
  assert.equal((await busy.done).status, 200);
  assert.equal((await server.ask("/hello")).status, 200);
  assert.deepEqual(
    server.lines.filter(({ level }) => level === "error"),
    [],
  );
  assert.ok(!server.records().includes("close"));
});

test("an upload for which the disk has no room is 507 with a code of its own, and the next one is served", async (t) => {
  const server = await startWsgi(t, "awkward");
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

test("a body whose file was removed is an error of the server's, not of the application", async (t) => {
  const server = await startWsgi(t, "awkward");
  const go = join(makeFolder(t), "go");
  const busy = server.exchange({ target: `/wait-for-file?${go}` });
  await until(() => server.records().includes("waiting"));
  const body = new PushedBody(undefined, { pause() {}, resume() {} }, 1e9);
  body.push(BODY);
  body.end();
  const asked = server.exchange({ target: "/echo", method: "POST", body });
  await until(() => bodies().some((path) => statSync(path).size === BODY.length));
  for (const path of bodies()) rmSync(path);
  writeFileSync(go, "");
  assert.deepEqual([(await busy.done).status, (await asked.done).status], [200, 500]);
  const { fields } = await server.logged(/set aside in a file that cannot be opened/);
  assert.deepEqual([fields.code, fields.fault], ["ERR_SALLYPORT_INTERNAL", "worker"]);
});

function bodies(): string[] {
  return readdirSync(TEMPORARY)
    .filter((name) => name.startsWith("sallyport-bodies-"))
    .flatMap((name) => readdirSync(join(TEMPORARY, name)).map((file) => join(TEMPORARY, name, file)));
}
