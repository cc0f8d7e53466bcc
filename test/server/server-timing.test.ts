// The response field Server-Timing: its text, and real servers with every kind of app, listener and mode.
import assert from "node:assert/strict";
import { chmodSync, mkdirSync, writeFileSync } from "node:fs";
import { connect } from "node:http2";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import type { Config } from "../../src/config/config.ts";
import { Trace } from "../../src/exchange/index.ts";
import { createServer } from "../../src/server/create.ts";
import { timingsOf } from "../../src/server/server-timing.ts";
import { makeFolder } from "../kit/make-folder.ts";
import { pythons } from "../kit/pythons.ts";
import { sallyport } from "../kit/run-command.ts";
import { type Served, serve } from "../kit/serve.ts";

const FIELD = /^queue;dur=\d+\.\d\d, app;desc="(\w+)";dur=\d+\.\d\d$/;

const APPS = `
import time
def wsgi(environ, start_response):
    if environ["PATH_INFO"] == "/hang": time.sleep(60)
    start_response("200 OK", [("Server-Timing", "db;dur=5"), ("Content-Length", "2")])
    return [b"ok"]
def stream(environ, start_response):
    start_response("200 OK", [("Server-Timing", "db;dur=5")])
    yield b"o"
    yield b"k"
async def asgi(scope, receive, send):
    if scope["type"] == "lifespan": return
    await send({"type": "http.response.start", "status": 200, "headers": [(b"server-timing", b"db;dur=5")]})
    await send({"type": "http.response.body", "body": b"ok"})
`;
const MODULES = {
  "fetch.mjs": `export default () => new Response("ok", { headers: { "Server-Timing": "db;dur=5" } });`,
  "node.mjs": `export default (request, response) => response.setHeader("Server-Timing", "db;dur=5").end("ok");`,
};
const PROGRAM = "#!/bin/sh\nprintf 'Content-Type: text/plain\\r\\nServer-Timing: db;dur=5\\r\\n\\r\\nok'\n";

/** Apps of all kinds in a folder, each at a path of its name. */
async function site(
  t: TestContext,
  more: Partial<Config>,
  apps: Config["apps"] = {},
): Promise<{ readonly server: Served; readonly folder: string }> {
  const folder = makeFolder(t);
  mkdirSync(join(folder, "programs"));
  mkdirSync(join(folder, "public"));
  writeFileSync(join(folder, "public", "index.html"), "ok");
  writeFileSync(join(folder, "programs", "hello"), PROGRAM);
  chmodSync(join(folder, "programs", "hello"), 0o755);
  writeFileSync(join(folder, "apps.py"), APPS);
  for (const [name, text] of Object.entries(MODULES)) writeFileSync(join(folder, name), text);
  const all: Config["apps"] = {
    wsgi: { wsgi: "apps:wsgi", timeout: "1s" },
    threads: { wsgi: "apps:wsgi", threads: 4 },
    stream: { wsgi: "apps:stream" },
    asgi: { asgi: "apps:asgi" },
    cgi: { cgi: "programs" },
    files: { static: "public" },
    fetch: { module: "fetch.mjs" },
    node: { module: "node.mjs" },
    ...apps,
  };
  const config = {
    listen: ["127.0.0.1:0", "fastcgi://unix:f.sock", "scgi://unix:s.sock", "uwsgi://unix:u.sock"],
    apps: all,
    routes: Object.keys(all).map((app) => ({ path: `/${app}`, app })),
    // Who else reads the trace of a request.
    log: { access: join(folder, "access.log"), accessFormat: "$request_time $queue_time $app_time" },
    admin: "127.0.0.1:0",
    ...more,
  };
  writeFileSync(join(folder, "site.json"), JSON.stringify(config));
  const server = await serve(["--config", "site.json"], { cwd: folder });
  t.after(() => server.stop());
  if ((more.serverProcesses ?? 1) > 1) await server.sees(/server processes serve/);
  return { server, folder };
}

/** The fields of a response, one for each. */
async function fieldsAt(url: string): Promise<string[]> {
  const response = await fetch(url, { headers: { connection: "close" } });
  await response.arrayBuffer();
  return (response.headers.get("server-timing") ?? "").split(/(?<=db;dur=5), /);
}

function overHttp2(url: string, path: string): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const session = connect(url);
    session.on("error", reject);
    const stream = session.request({ ":path": path });
    stream.on("response", (headers) => resolve(headers["server-timing"]));
    stream.on("end", () => session.close());
    stream.resume();
  });
}

const PATHS = {
  wsgi: "/wsgi/",
  threads: "/threads/",
  stream: "/stream/",
  asgi: "/asgi/",
  cgi: "/cgi/hello",
  fetch: "/fetch/",
  node: "/node/",
};

async function tellsAll(url: string, paths: Readonly<Record<string, string>>): Promise<void> {
  for (const [app, path] of Object.entries(paths)) {
    const [own, ours = ""] = await fieldsAt(url + path);
    assert.equal(own, "db;dur=5", app);
    assert.equal(FIELD.exec(ours)?.[1], app, `${app}: ${ours}`);
  }
}

test("every kind of app, by every listener", async (t) => {
  const { server, folder } = await site(t, { serverTiming: true });
  const { url } = server;
  await tellsAll(url, PATHS);
  assert.equal(FIELD.exec((await fieldsAt(`${url}/files/`))[0] ?? "")?.[1], "files");
  for (const [app, path] of Object.entries(PATHS)) {
    const field = String(await overHttp2(url, path));
    assert.equal(FIELD.exec(field.replace("db;dur=5, ", ""))?.[1], app, field);
  }
  for (const door of [
    { fastcgi: `unix:${join(folder, "f.sock")}` },
    { scgi: `unix:${join(folder, "s.sock")}` },
    { uwsgi: `unix:${join(folder, "u.sock")}` },
  ]) {
    const front = createServer({ listen: ["127.0.0.1:0"], apps: { door }, log: { access: "off" } });
    t.after(() => front.stop(0));
    const [frontUrl = ""] = await front.start();
    await tellsAll(frontUrl.replace(/\/$/, ""), PATHS);
  }
  const late = await fetch(`${url}/wsgi/hang`);
  assert.equal(late.status, 504);
  assert.match(late.headers.get("server-timing") ?? "", FIELD);
  assert.equal((await fetch(`${url}/nowhere`)).headers.get("server-timing"), null);
});

test("with `fallback`, the app that answered is told, and no other", async (t) => {
  const { server } = await site(
    t,
    { serverTiming: true },
    {
      first: { static: "public", fallback: "second" },
      second: { static: "public", fallback: "fetch" },
    },
  );
  const [own, ours = "", ...more] = await fieldsAt(`${server.url}/first/none`);
  assert.deepEqual([own, FIELD.exec(ours)?.[1], more], ["db;dur=5", "fetch", []]);
});

test("embedded applications and several server processes", async (t) => {
  const embedded: Config["apps"] = {
    embedded: { wsgi: "apps:wsgi", mode: "embedded", python: pythons()[0]?.path as string },
  };
  const { server } = await site(t, { serverTiming: true, serverProcesses: 2 }, embedded);
  for (let i = 0; i < 4; i++) await tellsAll(server.url, { ...PATHS, embedded: "/embedded/" });
});

test("as a CGI program, by the option", async (t) => {
  const folder = makeFolder(t);
  writeFileSync(join(folder, "fetch.mjs"), MODULES["fetch.mjs"]);
  const { stdout } = await sallyport(["serve", "fetch.mjs", "--server-timing"], folder, {
    GATEWAY_INTERFACE: "CGI/1.1",
    REQUEST_METHOD: "GET",
    SERVER_PROTOCOL: "HTTP/1.1",
    SERVER_NAME: "localhost",
    SERVER_PORT: "80",
    SCRIPT_NAME: "",
    PATH_INFO: "/",
  });
  assert.match(
    stdout,
    /^server-timing: db;dur=5\r\nServer-Timing: queue;dur=0\.00, app;desc="app";dur=[\d.]+\r$/m,
  );
});

test("off there is none of it, and a reload turns it on", async (t) => {
  const folder = makeFolder(t);
  writeFileSync(join(folder, "fetch.mjs"), MODULES["fetch.mjs"]);
  const config = { listen: ["127.0.0.1:0"], apps: { app: { module: "fetch.mjs" } }, control: "c.sock" };
  writeFileSync(join(folder, "site.json"), JSON.stringify(config));
  const server = await serve(["--config", "site.json"], { cwd: folder });
  t.after(() => server.stop());
  assert.deepEqual(await fieldsAt(server.url), ["db;dur=5"]);
  writeFileSync(join(folder, "site.json"), JSON.stringify({ ...config, serverTiming: true }));
  assert.equal((await sallyport(["reload", "--control", "c.sock"], folder)).code, 0);
  assert.match((await fieldsAt(server.url))[1] ?? "", FIELD);
});

test("the text: a request that waited, one that did not, and one that never reached the app", () => {
  const text = (times: Partial<Trace>): string => timingsOf(Object.assign(new Trace(), times));
  const app = 'a"\\é';
  assert.equal(text({ headAt: 9 }), "");
  assert.equal(text({ queuedAt: 1, headAt: 9.5 }), "queue;dur=8.50");
  assert.equal(
    text({ queuedAt: 1, handedOverAt: 3, headAt: 9, app }),
    'queue;dur=2.00, app;desc="a\\"\\\\?";dur=6.00',
  );
  assert.equal(text({ handedOverAt: 3, headAt: 9, app: "x" }), 'queue;dur=0.00, app;desc="x";dur=6.00');
});
