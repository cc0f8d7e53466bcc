// The matrix: the conformance suite through every listener and every gateway.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { after, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { LOADER } from "../../scripts/testing/typescript/loader.mjs";
import { suite } from "../../src/testing/index.ts";
import { type CellRun, complaintsIn, runColumn } from "./cells.ts";
import { GATEWAYS } from "./gateways.ts";
import { LISTENERS } from "./listeners.ts";
import { casesIn, cellTable } from "./table.ts";

const passed = new Map<string, number>();

for (const gateway of Object.keys(GATEWAYS)) {
  test(`the gateway ${gateway} has the suite's behaviours behind every listener`, async (t) => {
    await runColumn(gateway, Object.keys(LISTENERS), (listener, cell) =>
      t.test(`${listener} -> ${gateway}`, async () => {
        const run = await cell();
        passed.set(`${listener} -> ${gateway}`, count(run));
        assert.deepEqual(complaintsIn(run), []);
        assert.equal(count(run), casesIn(listener, gateway));
      }),
    );
  });
}

const count = ({ results }: CellRun): number => results.filter(({ verdict }) => verdict === "passed").length;

after(() => {
  const cell = (listener: string, gateway: string): string =>
    `${passed.get(`${listener} -> ${gateway}`) ?? "-"}/${suite.length}`;
  console.log(`\n${cellTable(cell)}\n`);
});

describe("docs/matrix.md", () => {
  test("its tables are current", () => {
    const script = fileURLToPath(new URL("../../scripts/matrix.mjs", import.meta.url));
    const { status, stderr } = spawnSync(process.execPath, [...LOADER, script, "--check"], {
      encoding: "utf8",
    });
    assert.equal(status, 0, stderr);
  });
});
