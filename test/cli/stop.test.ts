// The stop, as whoever gives the signal sees it: what is waited for, what is cut, and what clients and applications are told.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { chmodSync, writeFileSync } from "node:fs";
import { get } from "node:http";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { fileURLToPath } from "node:url";
import { WebSocket } from "ws";
import { StopReport } from "../../src/server/stop-report.ts";
import { makeFolder } from "../kit/make-folder.ts";
import { missing } from "../kit/needs.ts";
import { type Served, serve } from "../kit/serve.ts";
import { until } from "../kit/until.ts";

const here = makeFolder();
const BIN = fileURLToPath(new URL("../../bin/sallyport.js", import.meta.url));
const file = (name: string, text: string): void => writeFileSync(join(here, name), text);

// Answers /hold when the file "release" is there.
file(
  "held.py",
  `import asyncio, os, sys
async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        await receive()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await asyncio.sleep(float(os.environ.get("SHUTDOWN", "0")))
        print("the shutdown has run", file=sys.stderr, flush=True)
        return await send({"type": "lifespan.shutdown.complete"})
    if scope["type"] == "websocket":
        await receive()
        await send({"type": "websocket.accept"})
        while (await receive())["type"] != "websocket.disconnect":
            pass
        return
    if scope["path"].startswith("/hold"):
        print("holding", file=sys.stderr, flush=True)
        while not os.path.exists("release" + scope["path"][5:]):
            await asyncio.sleep(0.01)
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"answered"})
`,
);

const start = (...args: string[]): Promise<Served> => serve(["held:app", ...args], { cwd: here });

/** The body, or the code of the error. */
const ask = (url: string): Promise<string> =>
  new Promise((resolve) => {
    get(url, { agent: false }, async (response) => {
      try {
        let text = "";
        for await (const chunk of response) text += chunk;
        resolve(`${response.statusCode} ${text}`);
      } catch (error) {
        resolve((error as NodeJS.ErrnoException).code ?? "");
      }
    }).on("error", ({ code }: NodeJS.ErrnoException) => resolve(code ?? ""));
  });

const count = (server: Served, pattern: RegExp): number => server.stderr.match(pattern)?.length ?? 0;

for (const more of [[], ["--server-processes", "2"]]) {
  const mode = more.length > 0 ? "two server processes" : "one";

  test(`${mode}: where nothing is under way, only the end is told`, async () => {
    const server = await start(...more);
    const { code } = await server.stop();
    assert.equal(code, 0);
    assert.match(server.stderr, /^stopped$/m);
    assert.doesNotMatch(server.stderr, /waiting/);
  });

  test(`${mode}: requests under way are counted once, and answered`, async () => {
    const name = `/hold-${more.length}`;
    const server = await start(...more);
    const answers = [1, 2, 3].map(() => ask(server.url + name));
    await until(() => count(server, /holding/g) === 3);
    const ended = server.stop();
    await server.sees(/^waiting for 3 requests; a second signal cuts them$/m);
    file(`release-${more.length}`, "");
    assert.deepEqual(await Promise.all(answers), Array(3).fill("200 answered"));
    assert.equal((await ended).code, 0);
    assert.match(server.stderr, /^stopped: all requests were answered$/m);
    assert.equal(count(server, /waiting for/g), 1);
  });

  test(`${mode}: requests that take longer than the grace are cut and counted; the shutdown runs all the same`, async () => {
    const args = ["--grace", "1s", "--env", "SHUTDOWN=4", ...more];
    const server = await start(...args);
    const answers = [1, 2].map(() => ask(`${server.url}/hold-for-ever`));
    await until(() => count(server, /holding/g) === 2);
    await server.stop();
    await Promise.all(answers);
    assert.match(server.stderr, /^stopped: 2 requests were cut after \d+(\.\d)? s$/m);
    assert.equal(count(server, /the shutdown has run/g), more.length > 0 ? 2 : 1, server.stderr);
    assert.match(server.stderr, /INFO .*stopping: .* after \d+\.\d s; there are 1 s for all of it/);
  });

  test(`${mode}: WebSockets are told of a restart by 1012, of the end by 1001`, async () => {
    const server = await start(...more);
    const open = (): Promise<{ closed: Promise<number> }> =>
      new Promise((resolve, reject) => {
        const socket = new WebSocket(server.url.replace("http", "ws"));
        const closed = new Promise<number>((done) => socket.once("close", done));
        socket.once("open", () => resolve({ closed })).once("error", reject);
      });
    const first = await open();
    process.kill(server.pid, "SIGHUP");
    assert.equal(await first.closed, 1012);
    await server.sees(/was reloaded|were replaced/);
    const last = await open();
    const ended = server.stop();
    assert.equal(await last.closed, 1001);
    await ended;
    assert.doesNotMatch(server.stderr, / cut /);
  });
}

test("a JSON log has the same, and a log of warnings none of it", async () => {
  const json = await start("--log-format", "json");
  await json.stop();
  const lines = json.stderr.trim().split("\n");
  assert.equal(JSON.parse(lines.at(-1) ?? "").message, "stopped");
  const quiet = await start("--log-level", "warn");
  await quiet.stop();
  assert.doesNotMatch(quiet.stderr, /stopped/);
});

const PTY = `import os, pty, sys
status = pty.spawn(sys.argv[1:])
sys.exit(os.waitstatus_to_exitcode(status))
`;

test("on a terminal the number goes down; Ctrl-C again cuts", async (t: TestContext) => {
  const command = [process.execPath, BIN, "serve", "held:app", "--port", "0", "--access-log", "off"];
  const terminal = spawn("python3", ["-c", PTY, ...command], { cwd: here });
  t.after(() => terminal.kill("SIGKILL"));
  let seen = "";
  terminal.stdout.setEncoding("utf8").on("data", (text: string) => {
    seen += text;
  });
  await until(() => /http:\S+\s/.test(seen));
  const url = /http:\/\/[^\s/]+/.exec(seen)?.[0] ?? "";
  const first = ask(`${url}/hold-a`);
  const second = ask(`${url}/hold-b`);
  await until(() => seen.match(/holding/g)?.length === 2);
  terminal.stdin.write("\x03");
  await until(() => seen.includes("waiting for 2 requests; press again to cut them"));
  file("release-a", "");
  assert.equal(await first, "200 answered");
  await until(() => seen.includes("waiting for 1 request; press again to cut them"));
  terminal.stdin.write("\x03");
  await second;
  await until(() => seen.includes("stopped at once by a second signal"));
});

// An event every 50 ms for ever, in each interface.
file(
  "events_wsgi.py",
  `import time
def app(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/event-stream")])
    while True:
        yield b"data: x\\n\\n"
        time.sleep(0.05)
`,
);
file(
  "events_asgi.py",
  `import asyncio
async def app(scope, receive, send):
    assert scope["type"] == "http"
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/event-stream")]})
    while True:
        await send({"type": "http.response.body", "body": b"data: x\\n\\n", "more_body": True})
        await asyncio.sleep(0.05)
`,
);
file(
  "events.cgi",
  "#!/bin/sh\nprintf 'Content-Type: text/event-stream\\n\\n'\nwhile :; do printf 'data: x\\n\\n'; sleep 0.05; done\n",
);
chmodSync(join(here, "events.cgi"), 0o755);
file(
  "events_fetch.mjs",
  `export default () => {
  let timer;
  const body = new ReadableStream({
    start(stream) { timer = setInterval(() => stream.enqueue(new TextEncoder().encode("data: x\\n\\n")), 50); },
    cancel() { clearInterval(timer); },
  });
  return new Response(body, { headers: { "content-type": "text/event-stream" } });
};
`,
);
file(
  "events_node.mjs",
  `export default (request, response) => {
  response.writeHead(200, { "content-type": "text/event-stream" });
  const timer = setInterval(() => response.write("data: x\\n\\n"), 50);
  response.on("close", () => clearInterval(timer));
};
`,
);
file(
  "events.php",
  `<?php header("Content-Type: text/event-stream"); ini_set("zlib.output_compression", "0"); while (ob_get_level()) ob_end_flush();
while (true) { echo "data: x\\n\\n"; flush(); usleep(50000); }
`,
);

const STREAMS: [mode: string, args: string[], needs: string | false][] = [
  ["ASGI", ["events_asgi:app"], false],
  ["WSGI", ["events_wsgi:app"], false],
  ["WSGI with threads", ["events_wsgi:app", "--threads", "4"], false],
  ["WSGI, embedded", ["events_wsgi:app", "--embedded"], false],
  ["CGI", ["events.cgi"], false],
  ["fetch", ["events_fetch.mjs"], false],
  ["node", ["events_node.mjs"], false],
  ["FastCGI", ["--config", "events.json"], missing("php-cgi")],
];
file(
  "events.json",
  JSON.stringify({ listen: ["127.0.0.1:0"], apps: { php: { php: here } }, log: { access: "off" } }),
);

for (const [mode, args, skip] of STREAMS)
  for (const more of [[], ["--server-processes", "2"]]) {
    const processes = more.length > 0 ? "two server processes" : "one";
    test(`an event stream ends whole, and holds nobody up: ${mode}, ${processes}`, { skip }, async (t) => {
      const server = await serve([...args, ...more], { cwd: here });
      t.after(() => server.stop());
      const response = await fetch(server.url + (mode === "FastCGI" ? "/events.php" : ""));
      let text = "";
      const all = (async () => {
        for await (const chunk of response.body ?? []) text += Buffer.from(chunk).toString();
      })();
      await until(() => text.length > 10);
      const { code } = await server.stop();
      await all;
      assert.equal(code, 0);
      assert.match(text, /^(data: x\n\n)+$/);
      assert.match(server.stderr, /^stopped(: all requests were answered)?$/m);
      assert.doesNotMatch(server.stderr, /ERROR| cut /);
    });
  }

test("one request is one request", (t) => {
  const said: string[] = [];
  t.mock.timers.enable({ apis: ["setInterval"] });
  const style = { level: "info", format: "text" } as const;
  let inFlight = 1;
  const report = new StopReport({
    style,
    inFlight: () => inFlight,
    write: (text) => said.push(text),
    terminal: true,
  });
  t.mock.timers.tick(500);
  inFlight = 0;
  t.mock.timers.tick(500);
  report.end(1);
  assert.equal(said[0], "waiting for 1 request; press again to cut them\n");
  assert.match(said[1] ?? "", /^stopped: 1 request was cut after \d+(\.\d)? s\n$/);
  assert.equal(said.length, 2);
});
