// What a half of the matrix is said to lack, it does lack: a table that excuses more than it must hides defects.
import assert from "node:assert/strict";
import { test } from "node:test";
import { type Capability, suite } from "../../src/testing/index.ts";
import { PAIRS, runColumn } from "./cells.ts";
import { GATEWAYS } from "./gateways.ts";
import { LISTENERS } from "./listeners.ts";

/** For what waits for something that never comes. */
const DEADLINE = 1_000;

/** The capabilities of `lacks` that are there all the same, in the cell of the two. */
async function present(
  listener: string,
  gateway: string,
  lacks: readonly Capability[],
): Promise<Capability[]> {
  const cases = suite.filter(({ needs = [] }) => needs.some((capability) => lacks.includes(capability)));
  const found: Capability[] = [];
  await runColumn(gateway, [listener], async (_, cell) => {
    const { results } = await cell({ cases, lacks: [], deadline: DEADLINE });
    const failed = new Set(results.filter(({ verdict }) => verdict === "failed").map(({ name }) => name));
    const lacking = cases.filter(({ name }) => failed.has(name)).flatMap(({ needs = [] }) => needs);
    found.push(...lacks.filter((capability) => !lacking.includes(capability)));
  });
  return found;
}

for (const [listener, { lacks }] of Object.entries(LISTENERS)) {
  test(`the listener ${listener} lacks what it is said to lack`, async () => {
    assert.deepEqual(await present(listener, "exchange", lacks), []);
  });
}

for (const [gateway, { lacks }] of Object.entries(GATEWAYS)) {
  test(`the gateway ${gateway} lacks what it is said to lack`, async () => {
    assert.deepEqual(await present("http1", gateway, lacks), []);
  });
}

for (const { listener, gateway, lacks } of PAIRS) {
  test(`the listener ${listener} with the gateway ${gateway} lacks what it is said to lack`, async () => {
    assert.deepEqual(await present(listener, gateway, lacks), []);
  });
}
