// Nothing is kept of responses that are over, on each CPython, in a process of its own: it can hold only one.
import assert from "node:assert/strict";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { missing, VENV_PYTHON } from "../kit/needs.ts";
import { pythons } from "../kit/pythons.ts";
import { runTests } from "../kit/run-tests.ts";

const CASES = fileURLToPath(new URL("held.ts", import.meta.url));

async function holds(python: string): Promise<void> {
  const { passed, failures } = await runTests(CASES, { EMBEDDED_PYTHON: python });
  assert.equal(failures, "");
  assert.ok(passed > 5, `${passed} tests`);
}

for (const { path, minor } of pythons())
  test(`nothing is held of what is over: CPython 3.${minor}`, () => holds(path));

test("nothing is held of what is over: Flask", { skip: missing("py:flask") }, () => holds(VENV_PYTHON));
