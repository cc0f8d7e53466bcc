import assert from "node:assert/strict";
import { test } from "node:test";
import { type Block, BlockJoiner } from "../../src/processes/tracebacks.ts";

/** Blocks, and lines that belong to none, in order. */
function joined(text: string): (Block | string)[] {
  const found: (Block | string)[] = [];
  const joiner = new BlockJoiner(
    (line) => found.push(line),
    (block) => found.push(block),
  );
  for (const line of text.split("\n")) joiner.add(line);
  joiner.end();
  return found;
}

const titles = (text: string): string[] =>
  joined(text).map((one) => (typeof one === "string" ? one : `${one.level}: ${one.title}`));

const SIMPLE = `Traceback (most recent call last):
  File "app.py", line 2, in <module>
    inner()
    ~~~~~^^
ValueError: boom`;

test("a traceback is one block, named by its exception, and the lines around it are lines", () => {
  const [before, block, after] = joined(`before\n${SIMPLE}\nafter`);
  assert.deepEqual([before, after], ["before", "after"]);
  assert.deepEqual(block, { title: "ValueError: boom", level: "error", lines: SIMPLE.split("\n") });
});

test("two tracebacks are two blocks, chained ones are one, named by the last exception", () => {
  assert.deepEqual(titles(`${SIMPLE}\n${SIMPLE}`), ["error: ValueError: boom", "error: ValueError: boom"]);
  for (const sentence of [
    "During handling of the above exception, another exception occurred:",
    "The above exception was the direct cause of the following exception:",
  ]) {
    const text = `${SIMPLE}\n\n${sentence}\n\n${SIMPLE.replace("ValueError", "KeyError")}`;
    assert.deepEqual(titles(`${text}\nafter`), ["error: KeyError: boom", "after"]);
    assert.equal((joined(text)[0] as Block).lines.length, 13);
  }
});

test("an exception group is one block with those inside it, and has its own name", () => {
  const group = `  + Exception Group Traceback (most recent call last):
  |   File "app.py", line 1, in <module>
  |     raise ExceptionGroup("several", found)
  | ExceptionGroup: several (2 sub-exceptions)
  +-+---------------- 1 ----------------
    | ValueError: one
    +---------------- 2 ----------------
    | ValueError: two
    +------------------------------------`;
  assert.deepEqual(titles(`${group}\nafter`), ["error: ExceptionGroup: several (2 sub-exceptions)", "after"]);
});

test("what Python says of a thread or an object comes before its traceback, or stands alone", () => {
  assert.deepEqual(titles(`Exception in thread T-1 (f):\n${SIMPLE}`), [
    "error: Exception in thread T-1 (f): ValueError: boom",
  ]);
  assert.deepEqual(titles("Exception in thread T-1 (f):\nnothing"), [
    "Exception in thread T-1 (f):",
    "nothing",
  ]);
});

test("the stacks of faulthandler, a warning with its source and an error of PHP are blocks", () => {
  const fault = `Fatal Python error: Aborted

Current thread 0x00007f (most recent call first):
  File "app.py", line 3 in hang

Thread 0x00008f (most recent call first):
  File "app.py", line 9 in wait

Extension modules: one, two (total: 2)`;
  assert.deepEqual(titles(`${fault}\nafter`), ["error: Fatal Python error: Aborted", "after"]);
  assert.deepEqual(titles("/app.py:3: DeprecationWarning: old\n  old()\nafter"), [
    "warn: /app.py:3: DeprecationWarning: old",
    "after",
  ]);
  const php = `PHP Fatal error:  Uncaught Exception: no in /a.php:2
Stack trace:
#0 {main}
  thrown in /a.php on line 2`;
  assert.deepEqual(titles(`${php}\nafter`), [`error: ${php.split("\n")[0]}`, "after"]);
});

test("a block ends at 1,000 lines or 64 KiB, and what follows is not lost", () => {
  const frames = Array.from({ length: 1500 }, (_, i) => `  File ${i}`).join("\n");
  const [block, ...rest] = joined(`Traceback (most recent call last):\n${frames}`);
  assert.equal((block as Block).lines.length, 1000);
  assert.equal(rest.length, 501);
  const [large] = joined(`Traceback (most recent call last):\n${`  ${"x".repeat(8000)}\n`.repeat(100)}`);
  assert.ok((large as Block).lines.length < 12);
});

test("a block that nothing follows is complete after a moment, one that never ends after a second", (t) => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const found: unknown[] = [];
  const joiner = new BlockJoiner(
    (line) => found.push(line),
    (block) => found.push(block.title),
  );
  for (const line of SIMPLE.split("\n")) joiner.add(line);
  assert.deepEqual(found, []);
  t.mock.timers.tick(100);
  assert.deepEqual(found, ["ValueError: boom"]);

  let now = 0;
  t.mock.method(performance, "now", () => now);
  for (const line of SIMPLE.split("\n").slice(0, 2)) joiner.add(line);
  now = 1001;
  joiner.add("  more");
  assert.equal(found.length, 2);
});
