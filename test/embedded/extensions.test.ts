// Extension modules beside Node's own libraries. The packages are those of the tests' virtual environment.
import assert from "node:assert/strict";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { needs, VENV_PYTHON } from "../kit/needs.ts";
import { runTests } from "../kit/run-tests.ts";

const PACKAGES = ["lxml", "numpy", "cryptography", "psycopg", "PIL"].map((name) => `py:${name}`);
const TESTS = fileURLToPath(new URL("extensions.ts", import.meta.url));

test("ssl, sqlite3, zlib, lxml, numpy, cryptography, psycopg and Pillow use their own libraries", async (t) => {
  if (!needs(t, ...PACKAGES)) return;
  const { passed, failures } = await runTests(TESTS, { EMBEDDED_PYTHON: VENV_PYTHON });
  assert.equal(failures, "");
  assert.equal(passed, 9);
});
