import assert from "node:assert/strict";
import { test } from "node:test";
import { type Format, type Level, serverLog } from "../../src/logs/log.ts";

const TIME = "2026-11-21T01:47:50.000Z";

function logTo(format: Format, level: Level = "debug") {
  const lines: string[] = [];
  const sink = { write: (line: string) => lines.push(line) > 0 };
  return { lines, log: serverLog({ level, format, sink, now: () => new Date(TIME) }) };
}

test("a text line has time, level, message and the fields, quoted where they need it", () => {
  const { lines, log } = logTo("text");
  log.info("app shop was reloaded", { pid: 12, path: "/a b", code: undefined, list: [1, 2] });
  assert.deepEqual(lines, [`${TIME} INFO  app shop was reloaded pid=12 path="/a b" list=[1,2]\n`]);
});

test("a detail of several lines follows the text line, indented", () => {
  const { lines, log } = logTo("text");
  log.error("failed", { detail: "Traceback:\r\n  boom\n" });
  assert.deepEqual(lines, [`${TIME} ERROR failed\n    Traceback:\n      boom\n`]);
});

test("levels below the wanted one are not written", () => {
  const { lines, log } = logTo("text", "warn");
  log.debug("one");
  log.info("two");
  log.warn("three");
  log.error("four");
  assert.deepEqual(
    lines.map((line) => line.slice(TIME.length + 1)),
    ["WARN  three\n", "ERROR four\n"],
  );
});

test("L5: CR, LF, ESC and C1 controls in message, field and detail are escaped in text", () => {
  const { lines, log } = logTo("text");
  log.info("a\r\nb\x1b[31m", { path: "/\x1b]0;x\x07\n\x9b", detail: "one\x1b[2J\ntwo" });
  const [line = ""] = lines;
  assert.equal(
    line,
    `${TIME} INFO  a\\r\\nb\\x1b[31m path="/\\x1b]0;x\\x07\\n\\x9b"\n    one\\x1b[2J\n    two\n`,
  );
});

test("L5: a JSON line is one line of JSON without a single control byte", () => {
  const { lines, log } = logTo("json");
  log.warn("a\nb", { path: "\x1b\x7f\x9b\u2028", error: new Error("why"), big: 1n });
  const [line = ""] = lines;
  assert.doesNotMatch(line.slice(0, -1), /[\x00-\x1f\x7f-\x9f]/);
  assert.deepEqual(JSON.parse(line), {
    time: TIME,
    level: "warn",
    message: "a\nb",
    path: "\x1b\x7f\x9b\u2028",
    error: "why",
    big: "1",
  });
});
