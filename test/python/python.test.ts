// The interpreter's end of the link, tested in its own language: on every CPython of the machine, and with uvloop where the
// virtual environment of the tests has it.
import assert from "node:assert/strict";
import { execFile, spawnSync } from "node:child_process";
import { readdirSync } from "node:fs";
import { describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { VENV_PYTHON } from "../kit/needs.ts";
import { pythons } from "../kit/pythons.ts";

const folder = fileURLToPath(new URL(".", import.meta.url));
const files = readdirSync(folder).filter((name) => /^test_.*\.py$/.test(name));

async function passes(python: string, file: string): Promise<void> {
  const stderr = await run(python, [file]);
  assert.match(stderr, /Ran [1-9]\d* tests? in/);
  assert.match(stderr, /^OK/m);
}

/** What it writes to standard error, also when it fails: there unittest has its report. */
function run(command: string, args: readonly string[]): Promise<string> {
  return new Promise((resolve) => {
    execFile(command, args, { cwd: folder }, (_error, _stdout, stderr) => resolve(stderr));
  });
}

const uvloop = spawnSync(VENV_PYTHON, ["-c", "import uvloop"]).status === 0;

// They wait more than they compute.
describe("each file in a process of its own", { concurrency: 2 }, () => {
  for (const { path, version } of pythons()) {
    for (const file of files) test(`CPython ${version} passes ${file}`, () => passes(path, file));
  }
  for (const file of files.filter((name) => name.includes("asgi"))) {
    test(`uvloop passes ${file}`, { skip: uvloop ? false : "uvloop is not in .venv" }, () =>
      passes(VENV_PYTHON, file),
    );
  }
});
