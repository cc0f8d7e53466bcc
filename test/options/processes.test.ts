// Numbers of processes and their limits, as functions and the command line take them.
import assert from "node:assert/strict";
import { test } from "node:test";
import { parseCommandLine } from "../../src/cli/command-line.ts";
import {
  boundsOf,
  checkBounds,
  checkRecycling,
  idleTimeoutOf,
  processCount,
} from "../../src/options/processes.ts";

test("a number of processes is the least and the most", () => {
  assert.deepEqual(boundsOf(3), { min: 3, max: 3 });
  assert.deepEqual(boundsOf({ min: 0, max: 4, idleTimeout: 5 }), { min: 0, max: 4 });
  assert.equal(idleTimeoutOf(3), 30_000);
  assert.equal(idleTimeoutOf({ min: 0, max: 4, idleTimeout: 5 }), 5);
});

test("bounds that make no sense are named", () => {
  for (const good of [1, { min: 0, max: 1 }, { min: 2, max: 2, idleTimeout: 0 }])
    assert.deepEqual(processCount(good, "processes"), []);
  for (const bad of [
    0,
    1.5,
    "2",
    { min: 2, max: 1 },
    { max: 1 },
    { min: 0, max: 0 },
    { min: 0, max: 1, mox: 2 },
    { min: 0, max: 1, idleTimeout: -1 },
  ])
    assert.match(
      processCount(bad, "processes")[0] ?? "",
      /processes must be a whole number from 1, or bounds/,
    );
  for (const bounds of [
    { min: 2, max: 1 },
    { min: 0, max: 0 },
    { min: -1, max: 1 },
    { min: 0, max: Number.NaN },
  ])
    assert.throws(() => checkBounds(bounds), { code: "ERR_SALLYPORT_CONFIG_INVALID" });
  assert.deepEqual(checkBounds({ min: 0, max: 9 }), { min: 0, max: 9 });
});

test("limits of memory need Linux, and the hard one is above the soft one", () => {
  checkRecycling({ maxRequests: 1, maxAge: 1 });
  if (process.platform === "linux") checkRecycling({ maxMemory: 1, memoryLimit: 2 });
  assert.throws(() => checkRecycling({ maxMemory: 2, memoryLimit: 2 }), {
    code: "ERR_SALLYPORT_CONFIG_INVALID",
  });
});

test("the command line takes a number or MIN:MAX", () => {
  const flags = (value: string) => parseCommandLine(["app:app", "--processes", value]).flags.processes;
  assert.equal(flags("4"), 4);
  assert.deepEqual(flags("0:4"), { min: 0, max: 4 });
  for (const bad of ["0", "4:1", "0:0", "1:", ":2", "1:2:3", "a:b"])
    assert.throws(() => flags(bad), /--processes must be a whole number from 1, or MIN:MAX such as 1:4/, bad);
});
