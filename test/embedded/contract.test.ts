// PEP 3333 in embedded mode on every CPython of the machine; each in a process of its own, which can hold one Python only.
import assert from "node:assert/strict";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { pythons } from "../kit/pythons.ts";
import { runTests } from "../kit/run-tests.ts";

const CONTRACT = fileURLToPath(new URL("contract.ts", import.meta.url));

for (const { path, version } of pythons()) {
  test(`the whole contract holds in the server process: CPython ${version}`, async () => {
    const { passed, failures } = await runTests(CONTRACT, { EMBEDDED_PYTHON: path });
    assert.equal(failures, "");
    assert.ok(passed > 80, `${passed} tests`);
  });
}
