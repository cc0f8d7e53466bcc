// The conformance suite in orders of chance. What an odd request leaves behind on a connection that is kept, or in a worker, may harm only
// what comes next: so each cell of the matrix has a gateway of its own, and its cases come shuffled, some twice, one to 32 at a time.
// The long form tries all cells for CHAOS_MINUTES (30), in orders that no run had before; CHAOS_SEED repeats one.
import assert from "node:assert/strict";
import { test } from "node:test";
import { suite } from "../../src/testing/index.ts";
import { complaintsIn, runColumn } from "../matrix/cells.ts";
import { GATEWAYS } from "../matrix/gateways.ts";
import { LISTENERS } from "../matrix/listeners.ts";
import { Chance } from "./chance.ts";
import { LONG } from "./site.ts";

/** A listener and a gateway that keep something between requests. */
const SHORT = [
  ["fastcgi", "asgi"],
  ["http1", "fastcgi"],
  ["http2", "asgi"],
  ["fastcgi", "fastcgi"],
] as const;
const SEED = process.env.CHAOS_SEED ?? (LONG ? `${Date.now()}` : "1");
const MILLISECONDS = 60_000 * Number(process.env.CHAOS_MINUTES ?? 30);
const AT_ONCE = [1, 2, 4, 8, 16, 32];
const CELLS = Object.keys(LISTENERS).flatMap((listener) =>
  Object.keys(GATEWAYS).map((gateway) => [listener, gateway] as const),
);

/** As many cases as the suite has: some twice, others not at all. */
function casesOf(chance: Chance): typeof suite {
  return chance.shuffled([...suite, ...suite]).slice(0, suite.length);
}

async function runShuffled([listener, gateway]: readonly [string, string], seed: string): Promise<void> {
  const chance = new Chance(seed);
  await runColumn(gateway, [listener], async (_, cell) => {
    const run = await cell({ cases: casesOf(chance), concurrency: chance.pick(AT_ONCE) });
    assert.deepEqual(complaintsIn(run), []);
    assert.ok(run.results.some(({ verdict }) => verdict === "passed"));
  });
}

if (LONG)
  test(`cells of the matrix in orders of chance; the seed is ${SEED}`, async (t) => {
    const chance = new Chance(SEED);
    const end = performance.now() + MILLISECONDS;
    for (let i = 0; performance.now() < end; i++) {
      const cell = chance.pick(CELLS);
      await t.test(`${i}: ${cell.join(" -> ")}`, () => runShuffled(cell, `${SEED} ${i}`));
    }
  });
else
  for (const cell of SHORT) test(`${cell.join(" -> ")} in an order of chance`, () => runShuffled(cell, SEED));
