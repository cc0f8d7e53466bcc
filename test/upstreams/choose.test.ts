// Which of several applications is asked.
import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, type Server } from "node:net";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { Upstreams } from "../../src/upstreams/index.ts";
import { makeFolder } from "../kit/make-folder.ts";

function paths(t: TestContext, ...names: string[]): string[] {
  const folder = makeFolder(t);
  return names.map((name) => `unix:${join(folder, name)}`);
}

async function listen(t: TestContext, address: string): Promise<Server> {
  const server = createServer((socket) => socket.resume().on("error", () => {}));
  t.after(() => void server.close());
  server.listen(address.slice("unix:".length));
  await once(server, "listening");
  return server;
}

const names = (upstreams: Upstreams): string[] => upstreams.inOrder().map(({ name }) => name.slice(-1));

test("equally busy applications are asked in turn", (t) => {
  const upstreams = new Upstreams(paths(t, "a", "b", "c"));
  assert.deepEqual(
    [names(upstreams)[0], names(upstreams)[0], names(upstreams)[0], names(upstreams)[0]],
    ["a", "b", "c", "a"],
  );
});

test("the least busy application is asked first, and leaving twice counts once", (t) => {
  const upstreams = new Upstreams(paths(t, "a", "b"));
  const [a, b] = upstreams.all;
  const leave = a?.enter();
  a?.enter();
  b?.enter();
  assert.deepEqual(
    [names(upstreams), names(upstreams)],
    [
      ["b", "a"],
      ["b", "a"],
    ],
  );
  leave?.();
  leave?.();
  assert.equal(a?.busy, 1);
});

test("one that failed is asked last for a while, and first again when it is reached", async (t) => {
  const [a = "", b = ""] = paths(t, "a", "b");
  const upstreams = new Upstreams([a, b], { rest: 60_000 });
  await listen(t, b);
  const first = await upstreams.connect();
  t.after(() => first.destroy());
  assert.equal(upstreams.all[0]?.backingOff, true);
  assert.equal(upstreams.all[1]?.busy, 1);
  assert.deepEqual(names(upstreams), ["b", "a"]);
  await listen(t, a);
  (await upstreams.all[0]?.connect())?.destroy();
  assert.equal(upstreams.all[0]?.backingOff, false);
});

test("a connection counts as busy until it closes", async (t) => {
  const [a = ""] = paths(t, "a");
  await listen(t, a);
  const upstreams = new Upstreams(a);
  const socket = await upstreams.connect();
  assert.equal(upstreams.all[0]?.busy, 1);
  socket.destroy();
  await once(socket, "close");
  assert.equal(upstreams.all[0]?.busy, 0);
});

test("when none can be reached the error names them all, and nobody counts as busy", async (t) => {
  const all = paths(t, "a", "b");
  const upstreams = new Upstreams(all);
  await assert.rejects(upstreams.connect(), ({ message }) => all.every((name) => message.includes(name)));
  assert.deepEqual(
    upstreams.all.map(({ busy }) => busy),
    [0, 0],
  );
});

test("no address at all is a fault of the configuration", () => {
  assert.throws(() => new Upstreams([]), { code: "ERR_SALLYPORT_CONFIG_INVALID" });
});
