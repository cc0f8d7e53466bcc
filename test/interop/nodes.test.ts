// The core of the suite on newer versions of Node than the one that runs the tests: those are the ones that people run.
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { NODE } from "../../scripts/setup/lists.mjs";
import { nodeProgram } from "../../scripts/setup/nodes.mjs";
import { runTests } from "../kit/run-tests.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const CORE = [
  "exchange/base-exchange",
  "protocols/http1/codec",
  "protocols/http1/requests",
  "protocols/http1/responses",
  "protocols/http2/malformed",
  "protocols/asgi/requests",
  "protocols/wsgi/workers",
  "workers/link",
  "workers/outbox",
  "workers/common-parts",
  "sockets/last-bytes",
  "server/server",
  "apps/fetch",
  "apps/node",
  "logs/access",
];

for (const major of NODE.test)
  for (const name of CORE)
    test(`${name} holds on Node ${major}`, async (t) => {
      const node = nodeProgram(ROOT, major);
      if (!existsSync(node) && process.env.CI !== "true") return t.skip(`not on this machine: Node ${major}`);
      const { passed, failures } = await runTests(
        fileURLToPath(new URL(`../${name}.test.ts`, import.meta.url)),
        {},
        node,
      );
      assert.equal(failures, "");
      assert.ok(passed > 1, `${passed} tests`);
    });
