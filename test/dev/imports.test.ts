// The file that says what applications in other processes import.
import assert from "node:assert/strict";
import { appendFileSync, rmSync } from "node:fs";
import { dirname } from "node:path";
import { test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { Imports } from "../../src/dev/imports.ts";
import { until } from "../kit/until.ts";

test("names that are appended are found, and a file that is removed with its directory ends nothing", async (t) => {
  const imports = new Imports();
  t.after(() => imports.close());
  const found: string[] = [];
  imports.follow((files) => found.push(...files));
  appendFileSync(imports.path, "/a.py\n/b");
  await until(() => found.length === 1);
  appendFileSync(imports.path, ".py\n");
  await until(() => found.length === 2);
  assert.deepEqual(found, ["/a.py", "/b.py"]);
  let thrown: unknown;
  const caught = (error: unknown): void => {
    thrown = error;
  };
  process.on("uncaughtException", caught);
  t.after(() => process.off("uncaughtException", caught));
  rmSync(dirname(imports.path), { recursive: true });
  await delay(200);
  assert.equal(thrown, undefined);
});
