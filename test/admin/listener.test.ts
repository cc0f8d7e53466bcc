// The admin listener over real connections: each endpoint, who is refused, its limits.
import assert from "node:assert/strict";
import { statSync } from "node:fs";
import { type OutgoingHttpHeaders, request } from "node:http";
import { connect, type Socket } from "node:net";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { ADMIN_LIMITS, openAdmin } from "../../src/admin/listener.ts";
import type { AdminAccess } from "../../src/admin/settings.ts";
import type { Operations, ServerStatus } from "../../src/control/operations.ts";
import { type ProcessStacks, SallyportError, silentLog } from "../../src/exchange/index.ts";
import { makeFolder } from "../kit/make-folder.ts";
import { until } from "../kit/until.ts";
import { appStatus, processStatus, serverStatus } from "./statuses.ts";

const TOKEN = "0123456789abcdef";
const LOCAL = { kind: "tcp", host: "127.0.0.1", port: 0 } as const;

/** A server that notes what it is asked, and knows the app "my shop". */
class FakeOperations implements Operations {
  readonly asked: unknown[] = [];
  readonly inspectors = [];
  present: ServerStatus = serverStatus({});
  statuses = 0;

  async status(): Promise<ServerStatus> {
    this.statuses++;
    return this.present;
  }

  async reload(): Promise<void> {
    this.asked.push("reload");
    if (this.present.state === "stopping") throw new SallyportError("STOPPING", "too late");
  }

  stop(): void {}

  async restart(app: string): Promise<void> {
    this.asked.push(["restart", app]);
    if (app !== "my shop")
      throw new SallyportError("APP_UNKNOWN", `there is no app ${app}`, { detail: "my shop" });
  }

  async scale(app: string, bounds: object): Promise<void> {
    this.asked.push(["scale", app, bounds]);
    if (app !== "my shop") throw new SallyportError("NOT_SCALABLE", "files have no processes");
  }

  async stacks(app: string): Promise<readonly ProcessStacks[]> {
    if (app !== "my shop") throw new SallyportError("STACKS_UNAVAILABLE", "files have no Python stacks");
    return [{ pid: 7, requests: [], others: 0 }];
  }
}

interface Asked {
  readonly operations: FakeOperations;
  readonly url: string;
  ask(method: string, path: string, options?: Asking): Promise<Reply>;
}

interface Asking {
  readonly headers?: OutgoingHttpHeaders;
  readonly body?: string;
}

interface Reply {
  readonly status: number;
  readonly headers: NodeJS.Dict<string | string[]>;
  readonly text: string;
  readonly json: unknown;
}

async function open(
  t: TestContext,
  access: AdminAccess = { place: LOCAL, token: undefined },
): Promise<Asked> {
  const operations = new FakeOperations();
  const counts = () => ({ server: [], apps: {}, connections: 0, inFlight: {} });
  const admin = await openAdmin(access, { operations, counts }, silentLog);
  t.after(() => admin.close());
  const { url } = admin;
  return { operations, url, ask: (method, path, options = {}) => asked(url, method, path, options) };
}

function asked(url: string, method: string, path: string, { headers = {}, body }: Asking): Promise<Reply> {
  const place = url.startsWith("unix:") ? { socketPath: url.slice(5) } : { port: new URL(url).port };
  return new Promise((resolve, reject) => {
    const sent = request({ ...place, method, path, headers }, async (response) => {
      let text = "";
      for await (const chunk of response) text += chunk;
      const isJson = response.headers["content-type"] === "application/json" && text !== "";
      const json = isJson ? JSON.parse(text) : undefined;
      resolve({ status: response.statusCode ?? 0, headers: response.headers, text, json });
    });
    sent.on("error", reject);
    sent.end(body);
  });
}

const codeOf = ({ json }: Reply): string => (json as { code: string }).code;

test("health, readiness, status and metrics are there to read", async (t) => {
  const { ask, operations } = await open(t);
  assert.deepEqual((await ask("GET", "/healthz")).json, { ok: true });
  assert.deepEqual((await ask("GET", "/readyz")).json, { ready: true });
  assert.deepEqual((await ask("GET", "/status")).json, operations.present);
  const { headers, text } = await ask("GET", "/metrics");
  assert.match(String(headers["content-type"]), /^text\/plain; version=0\.0\.4/);
  assert.match(text, /^sallyport_build_info\{version="1\.2\.3",node="[\d.]+"\} 1$/m);
  assert.equal(headers["cache-control"], "no-store");
  const head = await ask("HEAD", "/healthz");
  assert.deepEqual([head.status, head.text], [200, ""]);
});

test("readiness is 503 with its reasons, and health goes on", async (t) => {
  const { ask, operations } = await open(t);
  const site = appStatus({ bounds: { min: 1, max: 1 }, states: ["starting"] });
  operations.present = serverStatus({ serverProcesses: [processStatus({ apps: { site } })] });
  const reply = await ask("GET", "/readyz");
  assert.equal(reply.status, 503);
  assert.deepEqual(reply.json, { ready: false, reasons: ["app site has no process that is ready"] });
  operations.present = serverStatus({ state: "stopping" });
  assert.deepEqual((await ask("GET", "/readyz")).json, { ready: false, reasons: ["the server is stopping"] });
  assert.equal((await ask("GET", "/healthz")).status, 200);
});

test("stacks of an app are told", async (t) => {
  const { ask } = await open(t);
  const { status, json } = await ask("GET", "/apps/my%20shop/stacks");
  assert.equal(status, 200);
  assert.deepEqual(json, [{ pid: 7, requests: [], others: 0 }]);
});

test("reload, restart and scale reach the server, with the app that the path names", async (t) => {
  const { ask, operations } = await open(t);
  assert.equal((await ask("POST", "/reload")).status, 200);
  assert.equal((await ask("POST", "/apps/my%20shop/restart")).status, 200);
  const body = '{"min": 0, "max": 2}';
  assert.equal((await ask("POST", "/apps/my%20shop/scale", { body })).status, 200);
  assert.deepEqual(operations.asked, [
    "reload",
    ["restart", "my shop"],
    ["scale", "my shop", { min: 0, max: 2 }],
  ]);
});

test("a failure has its status, its code and its reason", async (t) => {
  const { ask, operations } = await open(t);
  const unknown = await ask("POST", "/apps/files/restart");
  assert.equal(unknown.status, 404);
  assert.deepEqual(unknown.json, {
    code: "ERR_SALLYPORT_APP_UNKNOWN",
    message: "there is no app files",
    detail: "my shop",
  });
  assert.equal((await ask("GET", "/apps/files/stacks")).status, 409);
  assert.equal((await ask("POST", "/apps/files/scale", { body: '{"min": 1, "max": 1}' })).status, 409);
  operations.present = serverStatus({ state: "stopping" });
  assert.equal(codeOf(await ask("POST", "/reload")), "ERR_SALLYPORT_STOPPING");
});

test("what means nothing is refused", async (t) => {
  const { ask, operations } = await open(t);
  for (const body of [
    "",
    "4",
    "null",
    "{",
    '{"min": 0, "max": 0}',
    '{"min": 2, "max": 1}',
    '{"max": 1}',
    '{"min": 1, "max": 1e9}',
  ])
    assert.equal((await ask("POST", "/apps/my%20shop/scale", { body })).status, 400, body);
  assert.equal((await ask("POST", "/apps/%E0/restart")).status, 400);
  assert.equal((await ask("GET", "/elsewhere")).status, 404);
  const wrong = await ask("GET", "/reload");
  assert.deepEqual([wrong.status, wrong.headers.allow], [405, "POST"]);
  assert.equal((await ask("POST", "/status")).headers.allow, "GET, HEAD");
  assert.deepEqual(operations.asked, []);
});

test("with a token only health and readiness are answered without it, and readiness without reasons", async (t) => {
  const { ask, operations } = await open(t, { place: LOCAL, token: TOKEN });
  operations.present = serverStatus({ state: "stopping" });
  for (const path of ["/status", "/metrics", "/elsewhere"]) {
    const reply = await ask("GET", path);
    assert.deepEqual(
      [reply.status, reply.headers["www-authenticate"]],
      [401, 'Bearer realm="sallyport"'],
      path,
    );
  }
  assert.equal((await ask("POST", "/reload", { headers: { authorization: "Bearer wrong" } })).status, 401);
  assert.deepEqual(operations.asked, []);
  assert.equal((await ask("GET", "/healthz")).status, 200);
  assert.deepEqual((await ask("GET", "/readyz")).json, { ready: false });
  const headers = { authorization: `Bearer ${TOKEN}` };
  assert.deepEqual((await ask("GET", "/readyz", { headers })).json, {
    ready: false,
    reasons: ["the server is stopping"],
  });
  assert.equal((await ask("GET", "/status", { headers })).status, 200);
});

test("foreign pages change nothing, and foreign names read nothing", async (t) => {
  const { ask, operations } = await open(t);
  const page = await ask("POST", "/reload", { headers: { origin: "http://evil.example" } });
  assert.deepEqual([page.status, codeOf(page)], [403, "ERR_SALLYPORT_FORBIDDEN"]);
  assert.equal((await ask("POST", "/reload", { headers: { "sec-fetch-site": "cross-site" } })).status, 403);
  assert.equal((await ask("GET", "/status", { headers: { host: "evil.example" } })).status, 403);
  assert.equal((await ask("GET", "/readyz", { headers: { host: "evil.example" } })).status, 403);
  assert.deepEqual(operations.asked, []);
});

test("a Unix socket is for its owner, and goes with the listener", async (t) => {
  const path = join(makeFolder(t), "admin.sock");
  const { ask, url } = await open(t, { place: { kind: "unix", path }, token: undefined });
  assert.equal(url, `unix:${path}`);
  assert.equal(statSync(path).mode & 0o777, 0o600);
  assert.equal((await ask("GET", "/healthz", { headers: { host: "any.example" } })).status, 200);
});

test("an address that is taken is told with the option that names it", async (t) => {
  const { url } = await open(t);
  const port = Number(new URL(url).port);
  await assert.rejects(open(t, { place: { ...LOCAL, port }, token: undefined }), {
    code: "ERR_SALLYPORT_ADDRESS_UNUSABLE",
    message: /this process itself listens there.*choose another port with --admin/,
  });
});

test("its connections and bodies are bounded", async (t) => {
  const { ask, url } = await open(t);
  const large = await ask("POST", "/apps/my%20shop/scale", { body: " ".repeat(ADMIN_LIMITS.body + 1) });
  assert.equal(large.status, 413);
  const idle: Socket[] = [];
  t.after(() => {
    for (const socket of idle) socket.destroy();
  });
  for (let i = 0; i < ADMIN_LIMITS.connections; i++)
    idle.push(connect(Number(new URL(url).port), "127.0.0.1"));
  await until(async () => (await ask("GET", "/healthz").catch(() => undefined))?.status === 503);
});

test("questions at the same time are asked once", async (t) => {
  const { ask, operations } = await open(t);
  let go = (): void => {};
  const held = new Promise<void>((resolve) => {
    go = resolve;
  });
  operations.status = async () => {
    operations.statuses++;
    await held;
    return operations.present;
  };
  const replies = Array.from({ length: 8 }, () => ask("GET", "/readyz"));
  await until(() => operations.statuses === 1);
  assert.equal((await ask("GET", "/healthz")).status, 200);
  go();
  assert.ok((await Promise.all(replies)).every(({ status }) => status === 200));
  assert.ok(operations.statuses < 8, `${operations.statuses}`);
});
