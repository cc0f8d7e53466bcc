// Accepted connections that share a read buffer. This depends on internals of Node, so it runs on every version.
import "./accepted.ts";
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { NODE } from "../../scripts/setup/lists.mjs";
import { nodeProgram } from "../../scripts/setup/nodes.mjs";
import { runTests } from "../kit/run-tests.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const CASES = fileURLToPath(new URL("accepted.ts", import.meta.url));

for (const major of NODE.test)
  test(`all of it on Node ${major}`, async (t) => {
    const node = nodeProgram(ROOT, major);
    if (!existsSync(node) && process.env.CI !== "true") return t.skip(`not on this machine: Node ${major}`);
    const { passed, failures } = await runTests(CASES, {}, node);
    assert.equal(failures, "");
    assert.ok(passed > 10, `${passed} tests`);
  });
