// How the processes of a test run get at the code of TypeScript files (scripts/testing/typescript).
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { after, test } from "node:test";
import { fileURLToPath } from "node:url";
import { LOADER } from "../../scripts/testing/typescript/loader.mjs";

const CACHE = fileURLToPath(new URL("../../.cache", import.meta.url));

mkdirSync(CACHE, { recursive: true });
const folder = mkdtempSync(join(CACHE, "typescript-"));
const main = join(folder, "main.ts");
const part = join(folder, "part.ts");
after(() => rmSync(folder, { recursive: true }));

const run = () =>
  spawnSync(process.execPath, [...LOADER, main], {
    cwd: tmpdir(),
    encoding: "utf8",
    env: { PATH: process.env.PATH },
  });

const TYPES = "interface Told {\n  readonly word: string;\n}\n";

test("a file that has changed is compiled anew, and one that has not gives the same", () => {
  writeFileSync(main, `import { told } from "./part.ts";\nconsole.log(told.word);\n`);
  for (const word of ["one", "two"]) {
    writeFileSync(part, `${TYPES}export const told: Told = { word: "${word}" };\n`);
    assert.equal(run().stdout, `${word}\n`);
    assert.equal(run().stdout, `${word}\n`);
  }
});

test("a stack names the line of the source", () => {
  writeFileSync(part, `${TYPES}export const told: Told = { word: "three" };\nthrow new Error(told.word);\n`);
  for (let i = 0; i < 2; i++) assert.match(run().stderr, new RegExp(`${basename(folder)}/part\\.ts:5:7`));
});

test("a file that is not TypeScript fails where it is imported, and says where", () => {
  writeFileSync(part, "export const told: = 1;\n");
  const { status, stderr } = run();
  assert.equal(status, 1);
  assert.match(stderr, /part\.ts:1:19: ERROR: Unexpected "="/);
});

test("an import of a file that is not there fails", () => {
  rmSync(part);
  const { status, stderr } = run();
  assert.equal(status, 1);
  assert.match(stderr, /ENOENT.*part\.ts/);
});
