// The life of a gateway that a Vite plugin mounts, as the manual shows it.
import assert from "node:assert/strict";
import { test } from "node:test";
import { createServer } from "vite";
import { toNodeHandler } from "../../src/mount/index.ts";
import { makeFolder } from "../kit/make-folder.ts";
import { answering, says } from "./small-gateways.ts";

test("Vite's plugin hook closeBundle comes when the dev server closes, and then closes the gateway", async (t) => {
  const root = makeFolder(t);
  const closes: number[] = [];
  const gateway = answering((exchange) => says(exchange, "x"), {
    close: async (grace) => void closes.push(grace),
  });
  const handler = toNodeHandler(gateway);
  const vite = await createServer({
    root,
    configFile: false,
    logLevel: "silent",
    optimizeDeps: { noDiscovery: true },
    server: { host: "127.0.0.1", port: 0, hmr: false, ws: false, watch: null },
    plugins: [{ name: "gateway", closeBundle: () => handler.close(5) }],
  });
  await vite.listen();
  assert.deepEqual(closes, []);
  await vite.close();
  assert.deepEqual(closes, [5]);
});
