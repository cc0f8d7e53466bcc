// What is asked of a running server: changes take turns, with its start, too.
import assert from "node:assert/strict";
import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import type { Config } from "../../src/config/config.ts";
import { silentLog } from "../../src/exchange/index.ts";
import { createServer } from "../../src/server/create.ts";
import type { Server } from "../../src/server/server.ts";
import { makeFolder } from "../kit/make-folder.ts";
import { childrenOf } from "../kit/processes.ts";
import { until } from "../kit/until.ts";

const serverWith = (folder: string, shop: Config["apps"][string]): Server =>
  createServer({ listen: ["127.0.0.1:0"], apps: { shop } }, { log: silentLog, directory: folder });

test("a restart that is asked for during the start waits for it, and is done", async (t) => {
  const folder = makeFolder(t);
  writeFileSync(join(folder, "site.mjs"), "export default (request, response) => response.end('here');");
  const server = serverWith(folder, { module: "site.mjs" });
  t.after(() => server.stop(0));
  const [[url = ""]] = await Promise.all([server.start(), server.restart("shop")]);
  assert.equal(await (await fetch(url)).text(), "here");
});

test("a number of processes that is asked for during a restart counts for what the restart starts", async (t) => {
  const folder = makeFolder(t);
  const hold = join(folder, "hold");
  writeFileSync(
    join(folder, "held.py"),
    "import os, time\nwhile os.path.exists('hold'): time.sleep(0.02)\ndef app(e, sr):\n    sr('200 OK', [])\n    return [b'x']\n",
  );
  const server = serverWith(folder, { wsgi: "held:app", chdir: folder });
  t.after(() => server.stop(0));
  await server.start();
  const running = () => server.status().apps.shop?.processes ?? [];
  assert.equal(running().length, 1);
  writeFileSync(hold, "");
  const before = childrenOf(process.pid).length;
  const restarted = server.restart("shop");
  await until(() => childrenOf(process.pid).length > before);
  const scaled = server.scale("shop", { min: 3, max: 3 });
  rmSync(hold);
  await Promise.all([restarted, scaled]);
  await until(() => running().filter(({ state }) => state !== "draining").length === 3);
});
