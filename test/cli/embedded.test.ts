// `sallyport serve app:app --embedded`, alone and with several server processes.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { fileURLToPath } from "node:url";
import { pythons } from "../pythons.ts";
import { type Served, serve } from "../serve.ts";
import { sallyport } from "./command.ts";

const APPS = fileURLToPath(new URL("../apps/embedded", import.meta.url));
const PYTHON = pythons()[0]?.path as string;

const BIN = fileURLToPath(new URL("../../bin/sallyport.js", import.meta.url));
/** A command that may never come to serve. */
const unserved = (args: string[]) =>
  spawn(process.execPath, [BIN, ...args], { stdio: ["ignore", "ignore", "pipe"] });
const start = (...args: string[]): Promise<Served> =>
  serve(["habits:app", "--embedded", "--python", PYTHON, ...args], { cwd: APPS });
const text = async (url: string): Promise<string> => (await fetch(url)).text();

test("one embedded server process answers", async (t) => {
  const server = await start();
  t.after(() => server.stop());
  assert.equal(await text(`${server.url}/run`), "42\n");
});

test("a crash of embedded code costs that server process's requests only, and is told of in words", async (t) => {
  const server = await start("--server-processes", "2");
  t.after(() => server.stop());
  await assert.rejects(fetch(`${server.url}/crash`));
  await server.sees(/server process \d+ was killed by SIGSEGV: the requests inside it were cut/);
  assert.match(server.stderr, /File ".*habits\.py", line \d+ in crash/);
  await assert.rejects(fetch(`${server.url}/leave`));
  await server.sees(/server process \d+ exited with status 9/);
  assert.equal(await text(`${server.url}/run`), "42\n");
});

test("an application that never returns is replaced, its Python stack in the log", async (t) => {
  const server = await serve(["--config", "hang.json"], {
    cwd: APPS,
    env: { VIRTUAL_ENV: PYTHON.replace(/\/bin\/[^/]*$/, "") },
  });
  t.after(() => server.stop());
  const hanging = assert.rejects(fetch(`${server.url}/sleep?600`));
  await server.sees(/server process \d+ has been held by an application/);
  await server.sees(/File ".*habits\.py", line \d+ in sleep/);
  await hanging;
  assert.equal(await text(`${server.url}/run`), "42\n");
});

/** Serves one of the embedded applications by a configuration with these settings, in one server process. */
function alone(t: TestContext, app: string, settings: object, more: object = {}): string[] {
  const folder = mkdtempSync(join(tmpdir(), "alone-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const apps = { app: { wsgi: app, mode: "embedded", python: PYTHON, chdir: APPS, ...more } };
  const config = {
    listen: ["127.0.0.1:0"],
    log: { access: "off" },
    serverProcessTimeout: "10m",
    ...settings,
    apps,
  };
  writeFileSync(join(folder, "config.json"), JSON.stringify(config));
  return ["--config", join(folder, "config.json")];
}

test("SIGTERM ends the one server process that hangs in a request, when its grace is over", async (t) => {
  const server = await serve(alone(t, "habits:app", { grace: "1s" }));
  const hanging = assert.rejects(fetch(`${server.url}/hold`));
  await server.sees(/holding/);
  assert.deepEqual(await server.stop(), { code: 0, signal: null });
  assert.match(server.stderr, /it is ended; its stack follows/);
  assert.match(server.stderr, /File ".*habits\.py", line \d+ in hold/);
  await hanging;
});

test("SIGTERM ends the one server process that hangs while the application is imported", async (t) => {
  const server = unserved(["serve", ...alone(t, "hangs:app", { grace: "1s" })]);
  t.after(() => server.kill("SIGKILL"));
  let told = "";
  server.stderr.setEncoding("utf8").on("data", (text: string) => {
    told += text;
    if (text.includes("holding")) server.kill("SIGTERM");
  });
  const [code] = await once(server, "close");
  assert.equal(code, 0, told);
  assert.match(told, /File ".*hangs\.py", line \d+ in <module>/);
});

test("an import that takes longer than startTimeout ends the start, its stack in the log", async (t) => {
  const args = alone(t, "hangs:app", {}, { startTimeout: "1s" });
  const { code, stderr } = await sallyport(["serve", ...args], APPS);
  assert.equal(code, 1, stderr);
  assert.match(stderr, /server process \d+ did not start within \d+ s: it is ended; its stack follows/);
  assert.match(stderr, /File ".*hangs\.py", line \d+ in <module>/);
});

test("one server process that hangs is replaced, as are several", async (t) => {
  const server = await serve(alone(t, "habits:app", { serverProcessTimeout: "2s" }));
  t.after(() => server.stop());
  await assert.rejects(fetch(`${server.url}/hold`));
  assert.equal(await text(`${server.url}/run`), "42\n");
});

test("an application that closes descriptor 3 does not close the server's own", async (t) => {
  // While it is imported: later a client may have that number.
  const server = await serve(alone(t, "closes_low:app", {}));
  t.after(() => server.stop());
  for (let i = 0; i < 20; i++) assert.equal(await text(`${server.url}/run`), "42\n");
  await new Promise((resolve) => setTimeout(resolve, 1_500)); // some of the messages that went to clients
  assert.equal(await text(`${server.url}/run`), "42\n");
  assert.doesNotMatch(server.stderr, /server process \d+/);
});

test("a server process whose own descriptors were closed says so and is replaced", async (t) => {
  const server = await serve(alone(t, "habits:app", {}));
  t.after(() => server.stop());
  await fetch(`${server.url}/close_own`).catch(() => {});
  await server.sees(/an application closed descriptors of the server's/);
  await server.sees(/server process \d+ exited with status 1/);
  assert.equal(await text(`${server.url}/run`), "42\n");
});

test("what embedded mode cannot do is said at the start, with exit code 1", async () => {
  const run = (...args: string[]) =>
    sallyport(["serve", ...args, "--port", "0", "--python", PYTHON, "--embedded"], APPS);
  const [asgi, absent, threads] = await Promise.all([
    run("asgi_app:app"),
    run("nowhere:app"),
    run("habits:app", "--threads", "4"),
  ]);
  assert.deepEqual([asgi.code, absent.code, threads.code], [1, 1, 1]);
  assert.match(asgi.stderr, /is an ASGI application; embedded mode is WSGI's, serve it in daemon mode/);
  assert.match(absent.stderr, /there is no module 'nowhere'/);
  assert.match(threads.stderr, /threads can be said of daemon mode only/);
});
