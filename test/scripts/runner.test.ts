// The runner behind `npm test`: nothing that goes wrong in a test file may look like success.
import assert from "node:assert/strict";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { type FileResult, runFile } from "../../scripts/testing/file.mjs";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));

const run = (name: string, silence?: number): Promise<FileResult> =>
  runFile(ROOT, `test/scripts/fixtures/${name}.ts`, silence);

// Both take as long as a file may be silent, so they run beside the other tests.
const hanging = run("hang", 10_000);
const staying = run("never_end", 10_000);

test("leaves are counted, neither suites nor tests that hold others; what is skipped or to do is skipped", async () => {
  const { tally } = await run("count");
  assert.equal(tally.passed, 3);
  assert.deepEqual(
    tally.failures.map(({ name }) => name),
    ["a suite > fails"],
  );
  assert.match(tally.failures[0]?.text ?? "", /1 !== 2/);
  assert.deepEqual(tally.skips, [
    { name: "a suite > is skipped", reason: "for a reason" },
    { name: "is still to do", reason: "todo" },
  ]);
});

for (const [name, why] of [
  ["crash", /ended early, with status [17]/],
  ["exit_midway", /ended early, with status 0/],
  ["empty", /ended early|holds no test/],
  ["kill_self", /ended by SIGKILL/],
] as const) {
  test(`a file that does as ${name} has failed`, async () => {
    const { tally } = await run(name);
    assert.equal(tally.failures.length, 1);
    assert.match(tally.failures[0]?.text ?? "", why);
  });
}

test("a test that hangs is ended, named, and shown with what it printed", async () => {
  const { tally, output } = await hanging;
  assert.equal(tally.passed, 1);
  assert.match(tally.failures[0]?.text ?? "", /still running: hangs/);
  assert.equal(output, "about to hang");
});

test("a file whose tests are over but whose process stays is ended and has failed", async () => {
  const { tally } = await staying;
  assert.match(tally.failures[0]?.text ?? "", /something keeps the process alive/);
});
