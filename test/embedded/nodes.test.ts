// Embedded mode on other versions of Node than the one that runs the tests: each brings its own OpenSSL, zlib, SQLite.
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { NODE } from "../../scripts/setup/lists.mjs";
import { nodeProgram } from "../../scripts/setup/nodes.mjs";
import { VENV_PYTHON } from "../kit/needs.ts";
import { runTests } from "../kit/run-tests.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const here = (file: string): string => fileURLToPath(new URL(file, import.meta.url));

for (const major of NODE.test)
  for (const file of ["contract.ts", "extensions.ts", "habits.ts"])
    test(`${file} holds on Node ${major}`, async (t) => {
      const node = nodeProgram(ROOT, major);
      if (!existsSync(node) && process.env.CI !== "true") return t.skip(`not on this machine: Node ${major}`);
      const { passed, failures } = await runTests(here(file), { EMBEDDED_PYTHON: VENV_PYTHON }, node);
      assert.equal(failures, "");
      assert.ok(passed > 8, `${passed} tests`);
    });
