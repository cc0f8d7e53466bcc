// The habits of applications, on the newest and the oldest CPython of the machine.
import assert from "node:assert/strict";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { pythons } from "../kit/pythons.ts";
import { runTests } from "../kit/run-tests.ts";

const HABITS = fileURLToPath(new URL("habits.ts", import.meta.url));
const all = pythons();

for (const { path, version } of new Set([all[0], all.at(-1)].filter((python) => python !== undefined))) {
  test(`the server survives what applications do to their process: CPython ${version}`, async () => {
    const { passed, failures } = await runTests(HABITS, { EMBEDDED_PYTHON: path });
    assert.equal(failures, "");
    assert.equal(passed, 30);
  });
}
