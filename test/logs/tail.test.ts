// The last lines of the log: how many are kept, and how much of each.
import assert from "node:assert/strict";
import { test } from "node:test";
import { serverLog } from "../../src/logs/log.ts";
import { LINE_LENGTH, LogTail, MOST_LINES } from "../../src/logs/tail.ts";

const written = { write: () => true };

test("lines are kept as they are written, and only those of the levels that are", () => {
  const tail = new LogTail();
  const lines: string[] = [];
  const sink = { write: (line: string) => lines.push(line) > 0 };
  const log = serverLog({ level: "info", format: "text", sink, tail });
  log.debug("nothing");
  log.warn("a \u001b[2J worker ended", { pid: 7, detail: "Traceback\n  File" });
  log.record?.("error", "oops", {});
  const kept = tail.since(0);
  assert.deepEqual(
    kept.map(({ id, level, text, pid }) => [id, level, `${text}\n`, pid]),
    [
      [1, "warn", lines[0], undefined],
      [2, "error", lines[1], undefined],
    ],
  );
  assert.equal(kept[0]?.text.includes("\u001b"), false);
});

test("there are only so many, of only so many characters", () => {
  const tail = new LogTail();
  const log = serverLog({ level: "info", format: "text", sink: written, tail });
  for (let i = 0; i <= MOST_LINES; i++) log.info(i === MOST_LINES ? "x".repeat(10_000) : `${i}`);
  const kept = tail.since(0);
  assert.equal(kept.length, MOST_LINES);
  assert.match(kept[0]?.text ?? "", / 1$/);
  assert.equal(kept.at(-1)?.text.length, LINE_LENGTH);
  assert.match(kept.at(-1)?.text ?? "", /x \.\.\. \(cut\)$/);
});

test("those of an ended process come with its number, within the same bound", () => {
  const tail = new LogTail();
  tail.add(new Date(1_000), "info", "first\n");
  const other = new LogTail();
  for (let i = 0; i < MOST_LINES - 1; i++) other.add(new Date(2_000), "warn", "theirs\n");
  tail.inherit(31, other.since(0));
  assert.equal(tail.since(0)[0]?.text, "first");
  assert.deepEqual([tail.since(1_500).length, tail.since(1_500)[0]?.pid], [MOST_LINES - 1, 31]);
  tail.add(new Date(3_000), "info", "last\n");
  assert.equal(tail.since(0)[0]?.text, "theirs");
});
