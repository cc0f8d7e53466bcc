// The runner behind `npm test`: nothing that goes wrong in a test file may look like success.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { type FileResult, runFile } from "../../scripts/testing/file.mjs";
import { LONGEST } from "../../scripts/testing/files.mjs";
import { Idleness } from "../../scripts/testing/idleness.mjs";
import { Silence } from "../../scripts/testing/silence.mjs";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));

const run = (name: string, silence?: number): Promise<FileResult> =>
  runFile(ROOT, `test/scripts/fixtures/${name}.ts`, silence);

// They take as long as a file may be silent, so they run beside the other tests.
const hanging = run("hang", 10_000);
const staying = run("never_end", 10_000);
const telling = run("tell", 10_000);

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

test("a test that takes longer than the limit, but tells how far it has come, passes", async () => {
  const { tally } = await telling;
  assert.deepEqual([tally.passed, tally.failures], [1, []]);
});

for (const slowness of [1, 4]) {
  test(`where everything takes ${slowness} times as long, so does what counts as silence`, async () => {
    let ticks = 0;
    const count = () => {
      ticks++;
      return slowness;
    };
    await new Promise<void>((resolve) => new Silence(20, resolve, count, 1));
    assert.equal(ticks, 20 * slowness);
  });
}

/** Runs fixtures as `npm test` runs the tests; `options` as a program's text. */
async function runAll(names: readonly string[], options = "{}"): Promise<string[]> {
  const files = names.map((name) => `test/scripts/fixtures/${name}.ts`);
  const program = `
    import { runAll } from "./scripts/testing/all.mjs";
    import { summary } from "./scripts/testing/report.mjs";
    process.exitCode = summary(await runAll(".", ${JSON.stringify(files)}, ${options}), [], false);`;
  const args = ["--input-type=module", "--eval", program];
  const child = spawn(process.execPath, args, { cwd: ROOT, stdio: ["ignore", "pipe", "inherit"] });
  return (await text(child.stdout)).split("\n");
}

const ended = (lines: readonly string[]): string[] => lines.filter((line) => /^(ok {2}|FAIL) /.test(line));

test("one more file begins while the processors have nothing to do, up to a limit", async () => {
  const idle = "{ atOnce: 1, most: 2, idleness: { sinceLast: () => 2 } }";
  const lines = await runAll(["tell", "count", "empty"], idle);
  assert.match(ended(lines).at(-1) ?? "", /3 of 3 {2}\S+tell\.ts/);
});

test("how many processors are idle is told from what has passed since the last question", () => {
  const times = [
    [60, 40],
    [100, 100],
    [130, 110],
  ].map(([idle = 0, user = 0]) => [{ times: { idle, user } }, { times: { idle: 0, user: idle + user } }]);
  const idleness = new Idleness(() => times.shift() ?? []);
  assert.equal(idleness.sinceLast(), 0.4);
  assert.equal(idleness.sinceLast(), 0.75);
});

test("each file of which it is known that it takes long is there", () => {
  assert.deepEqual(
    Object.keys(LONGEST).filter((path) => !existsSync(join(ROOT, path))),
    [],
  );
});

test("each file's line says how many there are, and the end says again why each test failed", async () => {
  const lines = await runAll(["count", "exit_midway"]);
  assert.deepEqual(
    ended(lines).map((line) => line.split(/ {2,}/)[0]?.slice(5)),
    ["1 of 2", "2 of 2"],
  );
  const end = lines.slice(lines.indexOf("FAILED:"));
  const at = end.indexOf("  test/scripts/fixtures/count.ts: a suite > fails");
  assert.ok(at > 0, end.join("\n"));
  assert.match(end.slice(at + 1, at + 7).join("\n"), /AssertionError[\s\S]*1 !== 2/);
  assert.match(end.join("\n"), /exit_midway\.ts\n {4}the file ended early, with status 0/);
});

test("whoever interrupts a run is told what had failed", async () => {
  const files = ["count", "hang"].map((name) => `test/scripts/fixtures/${name}.ts`);
  const program = `import { runAll } from "./scripts/testing/all.mjs"; runAll(".", ${JSON.stringify(files)});`;
  const args = ["--input-type=module", "--eval", program];
  const child = spawn(process.execPath, args, { cwd: ROOT, stdio: ["ignore", "pipe", "inherit"] });
  let told = "";
  child.stdout.setEncoding("utf8").on("data", (chunk: string) => {
    told += chunk;
    if (told.includes("1 of 2")) child.kill("SIGINT");
  });
  const [code] = await once(child, "close");
  assert.equal(code, 1);
  assert.match(
    told,
    /FAILED:\n {2}test\/scripts\/fixtures\/count\.ts: a suite > fails[\s\S]*interrupted after 1 of 2 files\n$/,
  );
});

test("where a hook fails, its error is told first and the tests that never began in one line", async () => {
  const { tally } = await run("hook");
  assert.equal(tally.failures.length, 3);
  const lines = await runAll(["hook"]);
  const told = lines.filter((line) => /failed:|never began|no peer/.test(line));
  assert.match(told[0] ?? "", /^ {2}failed: a suite$/);
  assert.match(told[1] ?? "", /Error: no peer/);
  assert.match(told[2] ?? "", /^ {2}failed: 2 more$/);
  assert.match(told[3] ?? "", /never began: what holds them failed/);
});
