// Who gets the signal of a memory fault when Python and V8 are in one process (python/sallyport/embedded/crashes.py).
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { NODE } from "../../scripts/setup/lists.mjs";
import { nodeProgram } from "../../scripts/setup/nodes.mjs";
import { LOADER } from "../../scripts/testing/typescript/loader.mjs";
import { VENV_PYTHON } from "../kit/needs.ts";
import { pythons } from "../kit/pythons.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const PROGRAM = fileURLToPath(new URL("trap_and_crash.ts", import.meta.url));
const TRAP = "RuntimeError: memory access out of bounds\n";

async function run(
  node: string,
  python: string,
): Promise<{ stdout: string; stderr: string; signal: unknown }> {
  const child = spawn(node, [...LOADER, PROGRAM, python], { stdio: ["ignore", "pipe", "pipe"] });
  let [stdout, stderr] = ["", ""];
  child.stdout.on("data", (data) => {
    stdout += data;
  });
  child.stderr.on("data", (data) => {
    stderr += data;
  });
  const [, signal] = await once(child, "close");
  return { stdout, stderr, signal };
}

async function check(node: string, python: string): Promise<void> {
  const { stdout, stderr, signal } = await run(node, python);
  assert.deepEqual([stdout, signal], [TRAP.repeat(3), "SIGSEGV"]);
  assert.equal(stderr.split("Fatal Python error: Segmentation fault").length, 2, stderr);
  assert.match(stderr, /habits\.py", line \d+ in crash/);
}

const all = pythons();
for (const { path, version } of new Set([all[0], all.at(-1)].filter((python) => python !== undefined)))
  test(`WebAssembly's traps stay V8's, and a crash prints its stack: CPython ${version}`, () =>
    check(process.execPath, path));

for (const major of NODE.test)
  test(`the same on Node ${major}`, async (t) => {
    const node = nodeProgram(ROOT, major);
    if (!existsSync(node) && process.env.CI !== "true") return t.skip(`not on this machine: Node ${major}`);
    await check(node, VENV_PYTHON);
  });
