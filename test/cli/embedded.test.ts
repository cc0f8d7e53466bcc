// `sallyport serve app:app --embedded`, alone and with several fronts.
import assert from "node:assert/strict";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { pythons } from "../pythons.ts";
import { type Served, serve } from "../serve.ts";
import { sallyport } from "./command.ts";

const APPS = fileURLToPath(new URL("../apps/embedded", import.meta.url));
const PYTHON = pythons()[0]?.path as string;

const start = (...args: string[]): Promise<Served> =>
  serve(["habits:app", "--embedded", "--python", PYTHON, ...args], { cwd: APPS });
const text = async (url: string): Promise<string> => (await fetch(url)).text();

test("one embedded front answers", async (t) => {
  const server = await start();
  t.after(() => server.stop());
  assert.equal(await text(`${server.url}/run`), "42\n");
});

test("a crash of embedded code costs that front's requests only, and is told of in words", async (t) => {
  const server = await start("--fronts", "2");
  t.after(() => server.stop());
  await assert.rejects(fetch(`${server.url}/crash`));
  await server.sees(/front \d+ was killed by SIGSEGV: the requests inside it were cut/);
  assert.match(server.stderr, /File ".*habits\.py", line \d+ in crash/);
  await assert.rejects(fetch(`${server.url}/leave`));
  await server.sees(/front \d+ exited with status 9/);
  assert.equal(await text(`${server.url}/run`), "42\n");
});

test("an application that never returns is replaced, its Python stack in the log", async (t) => {
  const server = await serve(["--config", "hang.json"], {
    cwd: APPS,
    env: { VIRTUAL_ENV: PYTHON.replace(/\/bin\/[^/]*$/, "") },
  });
  t.after(() => server.stop());
  const hanging = assert.rejects(fetch(`${server.url}/sleep?600`));
  await server.sees(/front \d+ has been held by an application/);
  await server.sees(/File ".*habits\.py", line \d+ in sleep/);
  await hanging;
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
