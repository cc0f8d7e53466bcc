import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { createConnection, type Socket } from "node:net";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { makeFolder } from "../kit/make-folder.ts";
import { type Served, serve } from "../kit/serve.ts";

const here = makeFolder();

// Answers /hold when somebody asks for /release, and says on standard error what it has.
writeFileSync(
  join(here, "hold.mjs"),
  `let release;
export default async (request) => {
  const { pathname } = new URL(request.url);
  if (pathname === "/reject") Promise.reject(new Error("nobody caught this"));
  if (pathname === "/throw") setTimeout(() => { throw new Error("thrown late"); });
  if (pathname === "/hold") {
    process.stderr.write("holding\\n");
    await new Promise((resolve) => { release = resolve; process.on("SIGUSR2", resolve); });
  }
  return new Response("done " + pathname);
};
`,
);
// Cleans up at a signal as NestJS, Apollo Server and terminus do: then it sends the signal to itself once more.
writeFileSync(
  join(here, "again.mjs"),
  `import { kill } from "node:process";
const { kill: taken } = process;
const signals = {
  SIGTERM: () => process.kill(process.pid, "SIGTERM"),
  SIGINT: () => kill(process.pid, 2),
  SIGQUIT: () => taken(process.pid),
};
for (const [name, again] of Object.entries(signals))
  process.once(name, () => { again(); setTimeout(() => process.stderr.write("cleaned up\\n"), 100); });
export { default } from "./hold.mjs";
`,
);
// A NestJS application whose shutdown hooks are on: by itself it runs them at the signal.
writeFileSync(
  join(here, "nest.mjs"),
  `import app from "./hold.mjs";
const end = async (signal) => process.stderr.write("destroyed by " + signal + "\\n");
const SIGNALS = ["SIGTERM", "SIGINT", "SIGQUIT", "SIGHUP", "SIGUSR2"];
for (const name of SIGNALS) process.on(name, end);
export default {
  init: async () => {},
  getHttpAdapter: () => ({ getInstance: () => ({ fetch: app }) }),
  close: end,
  unsubscribeFromProcessSignals: () => SIGNALS.forEach((name) => process.off(name, end)),
};
`,
);
// Ends the process once its server has closed, as close-with-grace and most Dockerfiles' apps do.
writeFileSync(
  join(here, "closing.mjs"),
  `import { createServer } from "node:http";
const server = createServer(async (req, res) => {
  if (req.url === "/hold") {
    process.stderr.write("holding\\n");
    await new Promise((resolve) => { process.on("SIGUSR2", resolve); });
  }
  res.end("done " + req.url);
});
process.once("SIGTERM", () => server.close((error) => {
  process.stderr.write("closed " + error + "\\n");
  process.exit(3);
}));
export default server;
`,
);
writeFileSync(
  join(here, "slow.py"),
  "import sys, time\nprint('importing', file=sys.stderr, flush=True)\ntime.sleep(600)\n",
);
writeFileSync(
  join(here, "hang.py"),
  `import os, signal, sys, time
def app(environ, start_response):
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    print("hangs in", os.getpid(), file=sys.stderr, flush=True)
    time.sleep(600)
`,
);
writeFileSync(
  join(here, "version.py"),
  "from text import TEXT\ndef app(environ, start_response):\n    start_response('200 OK', [])\n    return [TEXT]\n",
);

const start = (...args: string[]): Promise<Served> => serve(["hold.mjs", ...args], { cwd: here });

/** A connection on which a request was sent. */
function asking(url: string, path: string): Socket {
  const socket = createConnection({ port: Number(new URL(url).port), host: "127.0.0.1" });
  socket.on("error", () => {}).write(`GET ${path} HTTP/1.1\r\nHost: localhost\r\n\r\n`);
  return socket;
}

async function read(socket: Socket): Promise<string> {
  let text = "";
  for await (const chunk of socket) text += chunk;
  return text;
}

for (const signal of ["SIGTERM", "SIGINT", "SIGQUIT"] as const) {
  test(`L3: ${signal} refuses new connections, lets the request under way finish, and ends with 0`, async () => {
    const server = await start();
    const busy = asking(server.url, "/hold");
    await server.sees(/^holding$/m);
    process.kill(server.pid, signal);
    while (await connects(server.url)) await new Promise(setImmediate);
    process.kill(server.pid, "SIGUSR2");
    assert.match(await read(busy), /done \/hold$/);
    assert.deepEqual(await server.exited, { code: 0, signal: null });
  });
}

for (const signal of ["SIGTERM", "SIGINT", "SIGQUIT"] as const) {
  test(`L3: an app that sends ${signal} to its own process again when it has cleaned up cuts no request`, async () => {
    const server = await serve(["again.mjs"], { cwd: here });
    const busy = asking(server.url, "/hold");
    await server.sees(/^holding$/m);
    process.kill(server.pid, signal);
    await Promise.race([server.sees(/^cleaned up$/m), server.exited]);
    process.kill(server.pid, "SIGUSR2");
    assert.match(await read(busy), /done \/hold$/);
    assert.deepEqual(await server.exited, { code: 0, signal: null });
  });
}

test("L3: NestJS's shutdown hooks run when the last request is answered, and get the signal's name", async () => {
  const server = await serve(["nest.mjs"], { cwd: here });
  const busy = asking(server.url, "/hold");
  await server.sees(/^holding$/m);
  process.kill(server.pid, "SIGTERM");
  while (await connects(server.url)) await new Promise(setImmediate);
  assert.doesNotMatch(server.stderr, /destroyed/);
  process.kill(server.pid, "SIGUSR2");
  assert.match(await read(busy), /done \/hold$/);
  assert.deepEqual(await server.exited, { code: 0, signal: null });
  assert.deepEqual(server.stderr.match(/destroyed.*/g), ["destroyed by SIGTERM"]);
});

test("L3: an app that ends the process once its server has closed cuts no request", async () => {
  const server = await serve(["closing.mjs"], { cwd: here });
  const busy = asking(server.url, "/hold");
  await server.sees(/^holding$/m);
  process.kill(server.pid, "SIGTERM");
  while (await connects(server.url)) await new Promise(setImmediate);
  process.kill(server.pid, "SIGUSR2");
  assert.match(await read(busy), /done \/hold\b/);
  assert.deepEqual(await server.exited, { code: 3, signal: null });
  assert.match(server.stderr, /^closed undefined$/m);
});

for (const args of [[], ["--server-processes", "2"]])
  test(`SIGUSR2, which reloads PHP-FPM, ends no server ${args.join(" ")}`, async (t) => {
    const server = await start(...args);
    t.after(() => server.stop());
    process.kill(server.pid, "SIGUSR2");
    await server.sees(/SIGUSR2 means nothing to this server: SIGHUP reloads it/);
    assert.equal(await (await fetch(server.url)).text(), "done /");
  });

async function connects(url: string): Promise<boolean> {
  const socket = createConnection({ port: Number(new URL(url).port), host: "127.0.0.1" });
  const connected = await once(socket, "connect").then(
    () => true,
    () => false,
  );
  socket.destroy();
  return connected;
}

test("L3: a second signal ends it at once with 1", async () => {
  const server = await start("--grace", "1h");
  const busy = asking(server.url, "/hold");
  await server.sees(/^holding$/m);
  process.kill(server.pid, "SIGTERM");
  while (await connects(server.url)) await new Promise(setImmediate);
  process.kill(server.pid, "SIGTERM");
  assert.deepEqual(await server.exited, { code: 1, signal: null });
  busy.destroy();
});

test("L3: a second signal takes the worker processes along, also one that hangs", async () => {
  const server = await serve(["hang:app", "--grace", "1h"], { cwd: here });
  const busy = asking(server.url, "/");
  const [, pid] = await server.sees(/hangs in (\d+)/);
  process.kill(server.pid, "SIGTERM");
  while (await connects(server.url)) await new Promise(setImmediate);
  process.kill(server.pid, "SIGTERM");
  assert.deepEqual(await server.exited, { code: 1, signal: null });
  while (existsSync(`/proc/${pid}/exe`)) await new Promise(setImmediate);
  busy.destroy();
});

test("L3: what outlasts --grace is cut, and the end is still in good order", async () => {
  const server = await start("--grace", "50ms");
  const busy = asking(server.url, "/hold");
  await server.sees(/^holding$/m);
  process.kill(server.pid, "SIGTERM");
  assert.deepEqual(await server.exited, { code: 0, signal: null });
  assert.match(await read(busy), /^HTTP\/1\.1 503 [\s\S]*ERR_SALLYPORT_STOPPING\n$/);
});

test("a signal while a Python app is still being imported ends the server and the process", async () => {
  const bin = fileURLToPath(new URL("../../bin/sallyport.js", import.meta.url));
  const child = spawn(process.execPath, [bin, "serve", "slow:app", "--port", "0"], {
    cwd: here,
    stdio: ["ignore", "inherit", "pipe"],
  });
  const closed = once(child, "close"); // the pipe closes when the worker, which shares it, is gone as well
  let text = "";
  for await (const chunk of child.stderr) {
    text += chunk;
    if (text.includes("importing")) break;
  }
  child.kill("SIGTERM");
  assert.deepEqual(await closed, [0, null]);
  assert.doesNotMatch(text, /listening on/);
});

test("SIGHUP brings a new generation of a Python app; one that is broken leaves the old one at work", async () => {
  writeFileSync(join(here, "text.py"), "TEXT = b'one'\n");
  const server = await serve(["version:app", "--log-level", "info"], {
    cwd: here,
    env: { PYTHONDONTWRITEBYTECODE: "1" },
  });
  const text = async () => (await fetch(server.url)).text();
  assert.equal(await text(), "one");
  writeFileSync(join(here, "text.py"), "TEXT = b'second'\n");
  process.kill(server.pid, "SIGHUP");
  await server.sees(/app app was reloaded/);
  assert.equal(await text(), "second");
  writeFileSync(join(here, "text.py"), "TEXT = \n");
  process.kill(server.pid, "SIGHUP");
  await server.sees(/the reload failed and the old generation goes on: [\s\S]*SyntaxError/);
  assert.equal(await text(), "second");
  assert.deepEqual(await server.stop(), { code: 0, signal: null });
});

test("SIGUSR1 opens the access log anew, and no debugger", async () => {
  const file = join(here, "access.log");
  const server = await start("--access-log", file);
  await (await fetch(`${server.url}/a`)).text();
  while (!readFileSync(file, "utf8").includes("/a")) await new Promise(setImmediate);
  renameSync(file, `${file}.1`);
  process.kill(server.pid, "SIGUSR1");
  while (!existsSync(file)) await new Promise(setImmediate);
  await (await fetch(`${server.url}/b`)).text();
  await server.stop();
  assert.match(readFileSync(file, "utf8"), /"GET \/b HTTP/);
  assert.doesNotMatch(server.stderr, /[Dd]ebugger/);
});

test("SIGUSR1 opens the access log anew in every server process, in every format", async () => {
  for (const format of ["json", "combined", "$request_method $uri $pid"]) {
    const file = join(here, `many-${format.length}.log`);
    const server = await start("--access-log", file, "--access-format", format, "--server-processes", "2");
    const ask = async (path: string): Promise<void> => {
      // Connections of their own, so that both processes get some.
      const headers = { Connection: "close" };
      await Promise.all(Array.from({ length: 20 }, () => fetch(server.url + path, { headers })));
    };
    const count = (path: string, wanted: RegExp): number =>
      existsSync(path) ? (readFileSync(path, "utf8").match(wanted)?.length ?? 0) : 0;
    await ask("/old");
    while (count(file, /\/old/g) < 20) await new Promise(setImmediate);
    renameSync(file, `${file}.1`);
    process.kill(server.pid, "SIGUSR1");
    while (!existsSync(file)) await new Promise(setImmediate);
    while (count(file, /\/new/g) < 20) await ask("/new");
    await server.stop();
    assert.equal(count(file, /\/old/g), 0);
    assert.equal(count(`${file}.1`, /\/old/g), 20);
  }
});

test("an access log on a full disk is reported once, and requests go on", async () => {
  const server = await start("--access-log", "/dev/full");
  for (let i = 0; i < 30; i++) assert.equal((await fetch(`${server.url}/x`)).status, 200);
  await server.sees(/the access log cannot be written.*ENOSPC/);
  assert.equal(await (await fetch(`${server.url}/x`)).text(), "done /x");
  await server.stop();
  assert.equal(server.stderr.match(/the access log cannot be written/g)?.length, 1);
});

test("an unhandled rejection of an app is logged with its stack, and the server goes on", async () => {
  const server = await start();
  assert.equal(await (await fetch(`${server.url}/reject`)).text(), "done /reject");
  await server.sees(/ERROR an uncaught error: .*nobody caught this\n[\s\S]*hold\.mjs:4/);
  assert.equal(await (await fetch(`${server.url}/x`)).text(), "done /x");
  await server.stop();
});

test("an exception that an app lets escape is logged, and the server ends in good order with 1", async () => {
  const server = await start();
  await fetch(`${server.url}/throw`).then(
    (response) => response.text(),
    () => "",
  );
  await server.sees(/ERROR an uncaught error: .*thrown late/);
  assert.deepEqual(await server.exited, { code: 1, signal: null });
});
