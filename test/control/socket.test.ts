// The control socket itself: who may use it, and what a bad client can do.
import assert from "node:assert/strict";
import { existsSync, statSync, writeFileSync } from "node:fs";
import { createConnection, type Socket } from "node:net";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { askServer } from "../../src/control/client.ts";
import type { Operations } from "../../src/control/operations.ts";
import { openControlSocket } from "../../src/control/socket.ts";
import { SallyportError } from "../../src/exchange/index.ts";
import { leaveSocket } from "../kit/leave-socket.ts";
import { makeFolder } from "../kit/make-folder.ts";
import { until } from "../kit/until.ts";

interface Opened {
  readonly path: string;
  readonly asked: string[];
}

async function open(t: TestContext, timeout?: number): Promise<Opened> {
  const path = join(makeFolder(t), "control.sock");
  const asked: string[] = [];
  const operations: Operations = {
    inspectors: [],
    status: async () => ({ pid: 7 }) as never,
    reload: async () => void asked.push("reload"),
    stop: () => void asked.push("stop"),
    restart: async (app) => void asked.push(`restart ${app}`),
    scale: async (app, { min, max }) => {
      if (app === "files") throw new SallyportError("NOT_SCALABLE", "files have no processes");
      asked.push(`scale ${app} ${min} ${max}`);
    },
    stacks: async (app) => {
      asked.push(`stacks ${app}`);
      return [];
    },
  };
  const control = await openControlSocket({ path, operations, ...(timeout ? { timeout } : {}) });
  t.after(() => control.close());
  return { path, asked };
}

/** Sends bytes, and gives all that comes until the connection ends. */
function send(path: string, bytes: string): Promise<string> {
  return new Promise((resolve) => {
    let text = "";
    const socket = createConnection(path, () => socket.write(bytes));
    socket.setEncoding("latin1").on("data", (chunk: string) => (text += chunk));
    socket.on("error", () => {}).on("close", () => resolve(text));
  });
}

const post = (path: string, target: string, body: string): Promise<string> =>
  send(path, `POST ${target} HTTP/1.1\r\nHost: x\r\nContent-Length: ${body.length}\r\n\r\n${body}`);

test("only its owner may use it", async (t) => {
  const { path } = await open(t);
  assert.equal(statSync(path).mode & 0o777, 0o600);
});

test("each request calls its operation", async (t) => {
  const { path, asked } = await open(t);
  assert.deepEqual(await askServer(path, { method: "GET", path: "/status" }), { pid: 7 });
  await askServer(path, { method: "POST", path: "/reload" });
  await askServer(path, { method: "POST", path: "/apps/a%20b/restart" });
  await askServer(path, { method: "POST", path: "/apps/shop/scale", body: { min: 0, max: 3 } });
  assert.deepEqual(asked, ["reload", "restart a b", "scale shop 0 3"]);
});

test("a failure arrives with its code", async (t) => {
  const { path } = await open(t);
  const scaled = askServer(path, { method: "POST", path: "/apps/files/scale", body: { min: 1, max: 1 } });
  await assert.rejects(scaled, { code: "ERR_SALLYPORT_NOT_SCALABLE", message: "files have no processes" });
});

test("what is no request of ours is refused, and calls nothing", async (t) => {
  const { path, asked } = await open(t);
  const answers: [string, RegExp][] = [
    ["NONSENSE\r\n\r\n", /^HTTP\/1\.1 400 /],
    ["GET /nowhere HTTP/1.1\r\nHost: x\r\n\r\n", /^HTTP\/1\.1 404 [\s\S]*POST \/reload/],
    ["GET /reload HTTP/1.1\r\nHost: x\r\n\r\n", /^HTTP\/1\.1 405 [\s\S]*POST \/reload/],
    [`GET /status HTTP/1.1\r\nHost: x\r\nX: ${"x".repeat(9_000)}\r\n\r\n`, /^HTTP\/1\.1 431 /],
  ];
  for (const [bytes, answer] of answers) assert.match(await send(path, bytes), answer);
  for (const body of ["", "4", "{}", '{"min":2,"max":1}', '{"min":0,"max":0}', '{"min":1.5,"max":2}'])
    assert.match(await post(path, "/apps/shop/scale", body), /^HTTP\/1\.1 400 [\s\S]*BAD_REQUEST/);
  assert.match(await post(path, "/reload", "x".repeat(5_000)), /^HTTP\/1\.1 413 /);
  assert.match(await post(path, "/apps/%zz/restart", ""), /^HTTP\/1\.1 400 /);
  assert.deepEqual(asked, []);
});

test("a request that does not arrive ends its connection", async (t) => {
  const { path } = await open(t, 100);
  assert.equal(await send(path, "GET /status HTTP/1.1\r\n"), "");
  assert.equal(await send(path, "POST /reload HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nx"), "");
});

test("connections beyond the limit are closed, and there is room again when others end", async (t) => {
  const { path } = await open(t);
  const sockets: Socket[] = Array.from({ length: 16 }, () => createConnection(path).on("error", () => {}));
  await Promise.all(sockets.map((socket) => new Promise((resolve) => socket.once("connect", resolve))));
  await assert.rejects(askServer(path, { method: "GET", path: "/status" }), {
    code: "ERR_SALLYPORT_CONTROL_UNREACHABLE",
  });
  for (const socket of sockets) socket.destroy();
  const asks = async (): Promise<boolean> =>
    askServer(path, { method: "GET", path: "/status" }).then(
      () => true,
      () => false,
    );
  await until(asks);
});

test("the file of a dead server is taken over, that of a living one is not, nor a file of another kind", async (t) => {
  const { path } = await open(t);
  const operations = {} as Operations;
  await assert.rejects(openControlSocket({ path, operations }), {
    code: "ERR_SALLYPORT_ADDRESS_UNUSABLE",
    message: /the control socket .* belongs to a server that is running/,
  });
  const folder = makeFolder(t);
  writeFileSync(join(folder, "file"), "text");
  await assert.rejects(openControlSocket({ path: join(folder, "file"), operations }), {
    message: /is a file of another kind/,
  });
  await assert.rejects(openControlSocket({ path: join(folder, "no", "control"), operations }), {
    message: /its directory does not exist/,
  });
  const dead = join(folder, "dead");
  await leaveSocket(dead);
  const control = await openControlSocket({ path: dead, operations });
  await control.close();
});

test("its file goes when it closes", async (t) => {
  const path = join(makeFolder(t), "control.sock");
  const control = await openControlSocket({ path, operations: {} as Operations });
  assert.ok(existsSync(path));
  await control.close();
  assert.ok(!existsSync(path));
  await assert.rejects(askServer(path, { method: "GET", path: "/status" }), {
    code: "ERR_SALLYPORT_CONTROL_UNREACHABLE",
    message: /there is no such file/,
  });
});
