import assert from "node:assert/strict";
import { test } from "node:test";
import { inspect } from "node:util";
import { type LogFields, SallyportError, silentLog } from "../../src/exchange/index.ts";
import { errorReport, TEXT } from "../../src/server/report.ts";
import { logUncaught } from "../../src/server/uncaught.ts";

test("a message has its code, and the app's traceback follows, indented", () => {
  const error = new SallyportError("APP_IMPORT", "no module a", { detail: "Traceback:\n  a.py\n" });
  assert.equal(
    errorReport(error, TEXT),
    "sallyport: no module a [ERR_SALLYPORT_APP_IMPORT]\n  Traceback:\n    a.py\n",
  );
});

test("control characters in a message or a traceback do not reach the terminal", () => {
  const error = new SallyportError("APP_IMPORT", "a\x1b[2J\nb", { detail: "c\x1b]0;d\x07" });
  assert.equal(
    errorReport(error, TEXT),
    "sallyport: a\\x1b[2J\\nb [ERR_SALLYPORT_APP_IMPORT]\n  c\\x1b]0;d\\x07\n",
  );
});

test("a defect of ours asks for a report, and shows its stack only to those who debug", () => {
  const error = SallyportError.from(new TypeError("x is not a function"));
  assert.match(
    errorReport(error, TEXT),
    /^sallyport: x is not a function; this is a defect of Sallyport: .*\n$/,
  );
  assert.match(
    errorReport(error, { ...TEXT, level: "debug" }),
    /\n {2}TypeError: x is not a function\n {6}at .*report\.test\.ts/,
  );
});

test("what the system has too little of is no defect of ours: the message says what to do", () => {
  for (const [code, words] of [
    ["EMFILE", /ulimit -n/],
    ["ENOSPC", /make room/],
    ["EROFS", /can be written/],
  ] as const) {
    const cause = Object.assign(new Error(`${code}: it failed`), { code });
    const text = errorReport(SallyportError.from(cause), TEXT);
    assert.match(text, words);
    assert.doesNotMatch(text, /defect/);
  }
});

/** What the log hears of an error with this stack. */
function noted(stack: string, debug: boolean): [string, LogFields | undefined] {
  const error = Object.assign(new Error("boom"), { stack });
  let heard: [string, LogFields | undefined] = ["", undefined];
  logUncaught({ ...silentLog, error: (message, fields) => (heard = [message, fields]) }, error, debug);
  return heard;
}

const OURS = `    at serve (${new URL("../../src/server/serve.ts", import.meta.url).pathname}:1:1)`;
const NODES = "    at node:internal/timers:1:1";
const THEIRS = "    at shop (/srv/shop.ts:7:1)";

test("an uncaught error is logged with the app's frames only", () => {
  const [message, fields] = noted(`Error: boom\n${THEIRS}\n${OURS}\n${NODES}`, false);
  assert.equal(message, "an uncaught error: Error: boom");
  assert.equal(fields?.detail, `Error: boom\n${THEIRS}`);
});

test("whatever is thrown is logged, and ends nothing", () => {
  const heard: string[] = [];
  const log = { ...silentLog, error: (message: string) => void heard.push(message) };
  class Spiteful extends Error {
    override get name(): string {
      throw new Error("no name");
    }
    override get stack(): string {
      throw new Error("no stack");
    }
  }
  const untellable = {
    toString: () => assert.fail(),
    [inspect.custom]: () => assert.fail(),
  };
  for (const thrown of [Object.create(null), new Spiteful("boom"), untellable, Symbol("s")]) {
    logUncaught(log, thrown, false);
    assert.ok(SallyportError.from(thrown).message);
  }
  assert.deepEqual(heard, [
    "an uncaught error: [Object: null prototype] {}",
    "an uncaught error: (cannot be shown): boom",
    "an uncaught error: (cannot be shown)",
    "an uncaught error: Symbol(s)",
  ]);
});

test("an uncaught error of our own has a stack only at the level debug", () => {
  const stack = `Error: boom\n${OURS}\n${NODES}`;
  assert.equal(noted(stack, false)[1]?.detail, undefined);
  assert.equal(noted(stack, true)[1]?.detail, stack);
});
