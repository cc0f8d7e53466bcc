// What a server that has a process for itself counts.
import assert from "node:assert/strict";
import { test } from "node:test";
import { SallyportError, silentLog } from "../../src/exchange/index.ts";
import { createServer } from "../../src/server/create.ts";
import { ServerOperations } from "../../src/server/operations.ts";

test("who asks for a reload during one shares the next, which counts once, and is told to systemd once", async () => {
  let fails = false;
  let reloads = 0;
  const app = {
    handle: () => {},
    reload: async () => {
      reloads++;
      if (fails) throw new SallyportError("APP_IMPORT", "broken");
    },
  };
  const server = createServer({ listen: ["127.0.0.1:0"], apps: { app } }, { log: silentLog });
  await server.start();
  const told: string[] = [];
  const notifier = Promise.resolve({
    ready: () => void told.push("ready"),
    reloading: () => void told.push("reloading"),
    stopping: () => {},
  });
  const operations = new ServerOperations({ server, notifier, stop: () => {} });
  const first = operations.reload();
  await Promise.resolve();
  await Promise.all([first, operations.reload(), operations.reload()]);
  assert.deepEqual((await operations.status()).reloads, { ok: reloads, failed: 0 });
  assert.equal(told.length, 2 * reloads);
  fails = true;
  reloads = 0;
  const results = await Promise.allSettled([operations.reload(), operations.reload()]);
  assert.deepEqual(
    results.map(({ status }) => status),
    ["rejected", "rejected"],
  );
  assert.equal((await operations.status()).reloads.failed, reloads);
  await server.stop();
});
