// PEP 3333 in embedded mode on every CPython of the machine; each in a process of its own, which can hold one Python only.
import assert from "node:assert/strict";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { testsIn } from "../child.ts";
import { pythons } from "../pythons.ts";

const CONTRACT = fileURLToPath(new URL("contract.ts", import.meta.url));

for (const { path, version } of pythons()) {
  test(`the whole contract holds in the server process: CPython ${version}`, async () => {
    const { passed, failures } = await testsIn(CONTRACT, { EMBEDDED_PYTHON: path });
    assert.equal(failures, "");
    assert.ok(passed > 80, `${passed} tests`);
  });
}
