// What is missing on a person's machine is a loud skip; in CI it is a failure.
import assert from "node:assert/strict";
import { afterEach, test } from "node:test";
import { findProgram, missing } from "./needs.ts";

const ci = process.env.CI;
afterEach(() => {
  if (ci === undefined) delete process.env.CI;
  else process.env.CI = ci;
});

test("what is here is not missing", () => {
  assert.equal(missing("node"), false);
});

test("a program is found by its full path", () => {
  assert.match(findProgram("node") ?? "", /^\/.*\/node$/);
  assert.equal(findProgram("no-such-program"), undefined);
});

test("for a person, what is missing is named as the reason of a skip", () => {
  delete process.env.CI;
  const reason = missing("node", "no-such-program", "py:no_such_module");
  assert.equal(reason, "not on this machine: no-such-program, py:no_such_module");
});

test("in CI, what is missing is an error", () => {
  process.env.CI = "true";
  assert.throws(() => missing("no-such-program"), /not on this machine: no-such-program/);
});
