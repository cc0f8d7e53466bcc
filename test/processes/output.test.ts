import assert from "node:assert/strict";
import { test } from "node:test";
import { ApplicationOutput } from "../../src/processes/output.ts";
import { keepLog, type Line } from "../kit/keep-log.ts";

function said(say: (output: ApplicationOutput) => void): Line[] {
  const { log, lines } = keepLog();
  const output = new ApplicationOutput(log, () => ({ pid: 7 }));
  say(output);
  output.end();
  return lines;
}

test("a printed line is a record: of standard output at info, of standard error at warn", () => {
  const lines = said((output) => {
    output.line("out", 1);
    output.line("err", 2);
  });
  assert.deepEqual(
    lines.map(({ level, message, fields }) => [level, message, fields.pid]),
    [
      ["info", "out", 7],
      ["warn", "err", 7],
    ],
  );
});

test("PHP's own levels are kept", () => {
  const levelOf = (line: string) => said((output) => output.line(line, 2))[0]?.level;
  assert.equal(levelOf("PHP Fatal error:  Uncaught Error"), "error");
  assert.equal(levelOf("PHP message: PHP Parse error:  syntax"), "error");
  assert.equal(levelOf("PHP Warning:  Undefined variable $x"), "warn");
  assert.equal(levelOf("PHP Deprecated:  old()"), "info");
});

test("a record keeps level, logger, process and traceback", () => {
  const of = (level: number) =>
    said((output) =>
      output.record(
        JSON.stringify({ level, pid: 9, text: "no", logger: "shop", detail: "Traceback\n  x\x1b" }),
        2,
      ),
    )[0];
  assert.deepEqual(of(40), {
    level: "error",
    message: "no",
    fields: { pid: 9, logger: "shop", detail: "Traceback\n  x\\x1b" },
  });
  assert.deepEqual(
    [5, 10, 15, 20, 25, 30, 50].map((level) => of(level)?.level),
    ["debug", "debug", "debug", "info", "info", "warn", "error"],
  );
});

test("a record ends the traceback before it", () => {
  const lines = said((output) => {
    for (const line of ["Traceback (most recent call last):", "  x", "E: y"]) output.line(line, 2);
    output.record('{"level":20,"pid":9,"text":"next"}', 2);
  });
  assert.deepEqual(
    lines.map(({ message }) => message),
    ["E: y", "next"],
  );
});

test("what is no record is a line, whatever it is", () => {
  for (const json of ["", "{", "[]", "null", '{"level":"20","pid":1,"text":"x"}', '{"level":20,"pid":1}'])
    assert.deepEqual(
      said((output) => output.record(json, 1)).map(({ level, message }) => [level, message]),
      [["warn", json]],
    );
});

test("a line of JSON is taken apart: message, level, traceback; the rest are fields that cannot pass for ours", () => {
  const value = {
    event: "user in",
    level: "ERROR",
    time: "noon",
    pid: 1,
    user: { id: 7 },
    exception: "Traceback:\n  x",
    ["__proto__"]: 1,
  };
  const [line] = said((output) => output.line(JSON.stringify(value), 1));
  assert.equal(line?.level, "error");
  assert.equal(line?.message, "user in");
  const { pid, user, detail, ...rest } = line?.fields ?? {};
  assert.deepEqual({ pid, user, detail }, { pid: 7, user: { id: 7 }, detail: "Traceback:\n  x" });
  assert.equal(rest["app.time"], "noon");
  assert.equal(rest["app.pid"], 1);
});

test("the level of a record is better known than the one inside its JSON; JSON without a message stays a line", () => {
  const text = JSON.stringify({ message: "hello", severity: "critical" });
  const [known] = said((output) => output.record(JSON.stringify({ level: 20, pid: 9, text }), 1));
  assert.deepEqual([known?.level, known?.message], ["info", "hello"]);
  assert.equal(said((output) => output.line('{"a":1}', 1))[0]?.message, '{"a":1}');
  assert.equal(said((output) => output.line("{not json}", 1))[0]?.message, "{not json}");
});
