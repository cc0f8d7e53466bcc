// The admin listener of a whole server: from before its apps are ready to the end of a stop, whatever they do; and what it
// counts of each kind of app.
import assert from "node:assert/strict";
import { once } from "node:events";
import { existsSync, unlinkSync, writeFileSync } from "node:fs";
import { connect as connectHttp2 } from "node:http2";
import { connect } from "node:net";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { fileURLToPath } from "node:url";
import { parseMetrics, type Samples, samplesIn } from "../admin/read-metrics.ts";
import { makeFolder } from "../kit/make-folder.ts";
import { needs, VENV_PYTHON } from "../kit/needs.ts";
import { type Served, serve } from "../kit/serve.ts";
import { until } from "../kit/until.ts";

const TOKEN = "0123456789abcdef";
const WSGI = `import os, time
while os.path.exists("hold-import"):
    time.sleep(0.01)

def app(environ, start_response):
    path = environ["PATH_INFO"]
    if path.endswith("/hang"):
        open("hanging", "w").close()
        while not os.path.exists("release"):
            time.sleep(0.01)
    if path == "/exit":
        os._exit(1)
    if path == "/environment":
        body = str("SALLYPORT_ADMIN_TOKEN" in os.environ).encode()
    else:
        body = b"hello"
    if path == "/cut":
        start_response("200 OK", [("Content-Length", "10")])
        return [body]
    start_response("404 Not Found" if path.endswith("/absent") else "200 OK", [("Content-Type", "text/plain")])
    return [body]
`;
const ASGI = `async def app(scope, receive, send):
    if scope["type"] != "http":
        return
    status = 404 if scope["path"].endswith("/absent") else 200
    await send({"type": "http.response.start", "status": status, "headers": []})
    await send({"type": "http.response.body", "body": b"hello"})
`;
const CGI = `#!/bin/sh
case "$PATH_INFO" in */absent) echo "Status: 404 Not Found";; esac
printf 'Content-Type: text/plain\\n\\nhello'
`;
const FETCH = `export default {
  fetch(request) {
    const { pathname } = new URL(request.url);
    return new Response("hello", { status: pathname.endsWith("/absent") ? 404 : 200 });
  },
};
`;

interface Site {
  readonly folder: string;
  readonly server: Served;
  /** Of the admin listener. */
  readonly admin: string;
}

async function site(
  t: TestContext,
  args: readonly string[],
  config?: object,
  env?: Record<string, string>,
): Promise<Site> {
  const folder = makeFolder(t);
  writeFileSync(join(folder, "app.py"), WSGI);
  writeFileSync(join(folder, "async_app.py"), ASGI);
  writeFileSync(join(folder, "hello.sh"), CGI, { mode: 0o755 });
  writeFileSync(join(folder, "api.mjs"), FETCH);
  writeFileSync(join(folder, "hello"), "hello");
  if (config) writeFileSync(join(folder, "site.json"), JSON.stringify(config));
  const server = await serve(config ? ["--config", "site.json", ...args] : args, {
    cwd: folder,
    ...(env ? { env } : {}),
  });
  t.after(() => server.stop());
  const [, admin = ""] = await server.sees(/the admin listener is at (\S+)/);
  return { folder, server, admin };
}

const PYTHON = ["app:app", "--python", VENV_PYTHON, "--admin", "127.0.0.1:0"];

const statusOf = async (url: string): Promise<number> => {
  const response = await fetch(url);
  await response.arrayBuffer();
  return response.status;
};
const textOf = async (url: string): Promise<string> => (await fetch(url)).text();
const metricsOf = async (admin: string): Promise<Samples> => parseMetrics(await textOf(`${admin}/metrics`));

test("it answers while the app hangs, tells that a stop has begun, and answers until the end", async (t) => {
  const { folder, server, admin } = await site(t, PYTHON);
  const hanging = textOf(`${server.url}/hang`);
  await until(() => existsSync(join(folder, "hanging")));
  assert.equal(await statusOf(`${admin}/healthz`), 200);
  const samples = samplesIn(await textOf(`${admin}/metrics`));
  assert.equal(samples.get('sallyport_requests_in_flight{app="app"}'), 1);
  assert.equal(await statusOf(`${admin}/readyz`), 200);
  process.kill(server.pid, "SIGTERM");
  await until(async () => (await statusOf(`${admin}/readyz`)) === 503);
  assert.equal(await statusOf(`${admin}/healthz`), 200);
  writeFileSync(join(folder, "release"), "");
  assert.equal(await hanging, "hello");
  assert.equal((await server.exited).code, 0);
});

test("before the app is ready it is alive, and not ready", async (t) => {
  const folder = makeFolder(t);
  writeFileSync(join(folder, "app.py"), WSGI);
  writeFileSync(join(folder, "hold-import"), "");
  const socket = join(folder, "admin.sock");
  const args = ["app:app", "--python", VENV_PYTHON, "--admin", `unix:${socket}`];
  const starting = serve(args, { cwd: folder });
  t.after(async () => (await starting).stop());
  await until(() => existsSync(socket));
  assert.match(await asked(socket, "/healthz"), /^HTTP\/1\.1 200 /);
  assert.match(await asked(socket, "/readyz"), /^HTTP\/1\.1 503 [\s\S]*the server is starting/);
  unlinkSync(join(folder, "hold-import"));
  await starting;
  assert.match(await asked(socket, "/readyz"), /^HTTP\/1\.1 200 /);
});

/** The whole response to a request over HTTP/1.0. */
async function asked(path: string, target: string): Promise<string> {
  const socket = connect({ path });
  socket.write(`GET ${target} HTTP/1.0\r\n\r\n`);
  let text = "";
  for await (const chunk of socket) text += chunk;
  return text;
}

test("an address that is taken ends the start, with the option that names it", async (t) => {
  const { admin } = await site(t, PYTHON);
  const { port } = new URL(admin);
  await assert.rejects(site(t, ["app:app", "--admin", `127.0.0.1:${port}`]), /another port with --admin/);
});

test("reloads are counted by their result, and the server stays ready", async (t) => {
  const { folder, admin } = await site(t, PYTHON);
  const reload = async (): Promise<number> => (await fetch(`${admin}/reload`, { method: "POST" })).status;
  assert.equal(await reload(), 200);
  writeFileSync(join(folder, "app.py"), "no app any more");
  assert.equal(await reload(), 500);
  assert.equal(await statusOf(`${admin}/readyz`), 200);
  const samples = samplesIn(await textOf(`${admin}/metrics`));
  assert.equal(samples.get('sallyport_reloads_total{result="ok"}'), 1);
  assert.equal(samples.get('sallyport_reloads_total{result="failed"}'), 1);
});

test("an app whose processes end and cannot start again is not ready, and its restarts are counted", async (t) => {
  const { folder, server, admin } = await site(t, PYTHON);
  assert.equal(await statusOf(`${admin}/readyz`), 200);
  await statusOf(`${server.url}/exit`);
  const restarts = async (): Promise<number | undefined> =>
    samplesIn(await textOf(`${admin}/metrics`)).get('sallyport_app_process_restarts_total{app="app"}');
  await until(async () => (await restarts()) === 1);
  await until(async () => (await statusOf(`${admin}/readyz`)) === 200);
  const samples = samplesIn(await textOf(`${admin}/metrics`));
  assert.ok((samples.get('sallyport_app_memory_bytes{app="app"}') ?? 0) > 1_000_000);
  writeFileSync(join(folder, "app.py"), "no app any more");
  await statusOf(`${server.url}/exit`);
  await until(async () => (await statusOf(`${admin}/readyz`)) === 503);
  assert.match(await textOf(`${admin}/readyz`), /app app has no process that is ready/);
  assert.equal(await statusOf(`${admin}/healthz`), 200);
});

test("the token of the environment is wanted, and reaches no application", async (t) => {
  const { server, admin } = await site(t, PYTHON, undefined, { SALLYPORT_ADMIN_TOKEN: TOKEN });
  assert.equal(await statusOf(`${admin}/status`), 401);
  const headers = { authorization: `Bearer ${TOKEN}` };
  assert.equal((await fetch(`${admin}/status`, { headers })).status, 200);
  assert.equal(await textOf(`${server.url}/environment`), "False");
});

test("nothing of it is loaded where there is none", async (t) => {
  const folder = makeFolder(t);
  writeFileSync(
    join(folder, "loaded.mjs"),
    `import { createRequire } from "node:module";
const { cache } = createRequire(import.meta.url);
export default () => new Response(Object.keys(cache).filter((path) => path.includes("prom-client")).length);
`,
  );
  const off = await serve(["loaded.mjs"], { cwd: folder });
  t.after(() => off.stop());
  assert.equal(await textOf(off.url), "0");
  const on = await serve(["loaded.mjs", "--admin", "127.0.0.1:0"], { cwd: folder });
  t.after(() => on.stop());
  const [, admin = ""] = await on.sees(/the admin listener is at (\S+)/);
  assert.equal(await textOf(on.url), "0");
  await textOf(`${admin}/metrics`);
  assert.notEqual(await textOf(on.url), "0");
});

const APPLICATION = fileURLToPath(new URL("../server/programs/application.pl", import.meta.url));

const PATHS = { wsgi: "/", asgi: "/", embedded: "/", cgi: "/", static: "/hello", fetch: "/" };

/** An app of each kind, each below a path of its name. */
function everyKind(kinds: readonly string[]): object {
  const all: Readonly<Record<string, object>> = {
    wsgi: { wsgi: "app:app", python: VENV_PYTHON },
    asgi: { asgi: "async_app:app", python: VENV_PYTHON },
    embedded: { wsgi: "app:app", python: VENV_PYTHON, mode: "embedded" },
    cgi: { cgi: "hello.sh" },
    static: { static: "." },
    fetch: { module: "api.mjs" },
    fastcgi: { fastcgi: { command: [APPLICATION] } },
  };
  return {
    listen: ["127.0.0.1:0"],
    admin: "127.0.0.1:0",
    log: { access: "off" },
    apps: Object.fromEntries(kinds.map((kind) => [kind, all[kind]])),
    routes: kinds.map((kind) => ({ path: `/${kind}`, app: kind })),
  };
}

/** Three requests to each kind, and one to none of them. */
async function visit(url: string, kinds: readonly (keyof typeof PATHS)[]): Promise<void> {
  for (const kind of kinds) {
    for (let i = 0; i < 2; i++) assert.equal(await statusOf(`${url}/${kind}${PATHS[kind]}`), 200, kind);
    assert.equal(await statusOf(`${url}/${kind}/absent`), 404, kind);
  }
  assert.equal(await statusOf(`${url}/nowhere`), 404);
}

function assertVisited(samples: Samples, kinds: readonly string[], times: number): void {
  const http = { method: "GET", protocol: "http/1.1" };
  for (const app of kinds) {
    assert.equal(samples.get("sallyport_requests_total", { app, ...http, status: "2xx" }), 2 * times, app);
    assert.equal(samples.get("sallyport_requests_total", { app, ...http, status: "4xx" }), times, app);
    assert.equal(samples.get("sallyport_request_duration_seconds_count", { app }), 3 * times, app);
    const phase = { app, phase: "application" };
    assert.equal(samples.get("sallyport_request_phase_seconds_count", phase), 3 * times, app);
    assert.equal(samples.get("sallyport_requests_in_flight", { app }), 0, app);
  }
  assert.equal(samples.get("sallyport_requests_total", { app: "-", ...http, status: "4xx" }), times);
}

test("requests to each kind of app are counted exactly", async (t) => {
  if (!needs(t, "py:prometheus_client")) return;
  const kinds = ["wsgi", "asgi", "cgi", "static", "fetch"] as const;
  const { server, admin } = await site(t, [], everyKind(kinds));
  await visit(server.url, kinds);
  assertVisited(await metricsOf(admin), kinds, 1);
  await visit(server.url, kinds);
  const samples = await metricsOf(admin);
  assertVisited(samples, kinds, 2);
  assert.equal(samples.get("sallyport_response_body_bytes_total", { app: "fetch" }), 6 * 5);
});

test("so are those to a FastCGI application", async (t) => {
  if (!needs(t, "perl", "py:prometheus_client")) return;
  const { server, admin } = await site(t, [], everyKind(["fastcgi"]));
  for (let i = 0; i < 3; i++) assert.equal(await statusOf(`${server.url}/fastcgi/x`), 200);
  const labels = { app: "fastcgi", method: "GET", protocol: "http/1.1", status: "2xx" };
  assert.equal((await metricsOf(admin)).get("sallyport_requests_total", labels), 3);
});

test("a response that is cut counts with the fault, and the protocol is that of the client", async (t) => {
  if (!needs(t, "py:prometheus_client")) return;
  const { server, admin } = await site(t, PYTHON);
  await assert.rejects(textOf(`${server.url}/cut`));
  const session = connectHttp2(server.url);
  const stream = session.request({ ":method": "POST", ":path": "/" });
  await once(stream.end("posted").resume(), "close");
  session.close();
  await once(session, "close");
  const samples = await metricsOf(admin);
  const app = "app";
  assert.equal(samples.get("sallyport_responses_cut_total", { app, fault: "app" }), 1);
  assert.equal(samples.get("sallyport_responses_cut_total", { app, fault: "client" }), 0);
  const request = { app, method: "POST", protocol: "http/2", status: "2xx" };
  assert.equal(samples.get("sallyport_requests_total", request), 1);
  const accepted = samples.get("sallyport_connections_accepted_total", {});
  assert.equal(accepted, 2);
  await until(async () => (await metricsOf(admin)).get("sallyport_connections_active", {}) === 0);
  assert.ok((samples.get("sallyport_received_bytes_total", {}) ?? 0) > 100);
});

const KINDS = ["wsgi", "asgi", "embedded", "cgi", "static", "fetch"] as const;
const inCluster = (t: TestContext): Promise<Site> =>
  site(t, [], { ...everyKind(KINDS), serverProcesses: 2, grace: "10s" });

interface Status {
  readonly serverProcesses: readonly { readonly pid: number; readonly state: string }[];
}

async function serverProcesses(admin: string, state: string): Promise<number[]> {
  const status = (await (await fetch(`${admin}/status`)).json()) as Status;
  return status.serverProcesses.filter((process) => process.state === state).map(({ pid }) => pid);
}

test("counts of several server processes are one sum, which survives their ends and a reload", async (t) => {
  if (!needs(t, "py:prometheus_client")) return;
  const { server, admin } = await inCluster(t);
  assert.equal(await statusOf(`${admin}/readyz`), 200);
  await visit(server.url, KINDS);
  assertVisited(await metricsOf(admin), KINDS, 1);
  const before = await serverProcesses(admin, "serving");
  assert.equal(before.length, 2);
  process.kill(before[0] as number, "SIGKILL");
  await until(async () => (await metricsOf(admin)).get("sallyport_server_process_restarts_total", {}) === 1);
  assertVisited(await metricsOf(admin), KINDS, 1);
  await until(async () => (await serverProcesses(admin, "serving")).length === 2);
  await visit(server.url, KINDS);
  assertVisited(await metricsOf(admin), KINDS, 2);
  assert.equal((await fetch(`${admin}/reload`, { method: "POST" })).status, 200);
  await until(async () => (await serverProcesses(admin, "serving")).every((pid) => !before.includes(pid)));
  const samples = await metricsOf(admin);
  assertVisited(samples, KINDS, 2);
  assert.equal(samples.get("sallyport_reloads_total", { result: "ok" }), 1);
  assert.equal(samples.get("sallyport_server_process_restarts_total", {}), 1);
  assert.ok((samples.get("sallyport_server_memory_bytes", {}) ?? 0) > 50_000_000);
});

test("it answers beside an embedded app that holds its server process, and says so", async (t) => {
  const config = { ...everyKind(["embedded"]), serverProcessTimeout: "60s", grace: "1s" };
  const { folder, server, admin } = await site(t, [], config);
  const hanging = textOf(`${server.url}/embedded/hang`);
  await until(() => existsSync(join(folder, "hanging")));
  assert.equal(await statusOf(`${admin}/healthz`), 200);
  assert.equal((await serverProcesses(admin, "not answering")).length, 1);
  const unready = await fetch(`${admin}/readyz`);
  assert.deepEqual(
    [unready.status, await unready.json()],
    [503, { ready: false, reasons: ["no server process serves at the moment"] }],
  );
  const samples = samplesIn(await textOf(`${admin}/metrics`));
  assert.equal(samples.get('sallyport_server_processes{state="not answering"}'), 1);
  writeFileSync(join(folder, "release"), "");
  assert.equal(await hanging, "hello");
  await until(async () => (await statusOf(`${admin}/readyz`)) === 200);
});

test("a cluster is not ready from the beginning of its stop, and counts to its end", async (t) => {
  const { folder, server, admin } = await inCluster(t);
  const hanging = textOf(`${server.url}/wsgi/hang`);
  await until(() => existsSync(join(folder, "hanging")));
  process.kill(server.pid, "SIGTERM");
  await until(async () => (await statusOf(`${admin}/readyz`)) === 503);
  const samples = samplesIn(await textOf(`${admin}/metrics`));
  assert.equal(samples.get('sallyport_requests_in_flight{app="wsgi"}'), 1);
  writeFileSync(join(folder, "release"), "");
  assert.equal(await hanging, "hello");
  assert.equal((await server.exited).code, 0);
});
