// The interpreter's end of the link, tested in its own language, on every CPython of the machine.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readdirSync } from "node:fs";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { pythons } from "../pythons.ts";

const folder = fileURLToPath(new URL(".", import.meta.url));
const files = readdirSync(folder).filter((name) => /^test_.*\.py$/.test(name));

for (const { path, version } of pythons()) {
  for (const file of files) {
    test(`CPython ${version} passes ${file}`, () => {
      const { status, stderr } = spawnSync(path, [file], { cwd: folder, encoding: "utf8" });
      assert.equal(status, 0, stderr);
      assert.match(stderr, /Ran [1-9]\d* tests? in/);
    });
  }
}
