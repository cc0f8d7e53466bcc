// The decisions on how many processes there are: facts in, a number and a reason out; no process is started.
import assert from "node:assert/strict";
import { test } from "node:test";
import { decide, describeDecision, type ScalingFacts } from "../../src/workers/scaling.ts";

const QUIET: ScalingFacts = {
  ready: 2,
  starting: 0,
  waiting: 0,
  oldest: 0,
  lag: 0,
  spare: 0,
  pausing: false,
};
const POLICY = { min: 1, max: 8, idleTimeout: 30_000 };

interface Case {
  readonly name: string;
  readonly facts: Partial<ScalingFacts>;
  readonly policy?: Partial<typeof POLICY>;
  readonly count: number;
}

const CASES: readonly Case[] = [
  { name: "nothing to do is left as it is", facts: {}, count: 0 },
  { name: "a queue that moves is no reason", facts: { waiting: 50, oldest: 99 }, count: 0 },
  { name: "a request that waits too long brings one more", facts: { waiting: 1, oldest: 100 }, count: 1 },
  { name: "a longer queue brings more", facts: { waiting: 8, oldest: 100 }, count: 2 },
  { name: "but at most twice as many", facts: { waiting: 500, oldest: 100 }, count: 2 },
  { name: "and no more than there may be", facts: { ready: 7, waiting: 500, oldest: 100 }, count: 1 },
  { name: "at the most a queue changes nothing", facts: { ready: 8, waiting: 500, oldest: 9_000 }, count: 0 },
  { name: "event loops that are held up bring one more", facts: { lag: 100 }, count: 1 },
  { name: "loops that answer in time do not", facts: { lag: 99 }, count: 0 },
  {
    name: "what was started last may help first",
    facts: { starting: 1, waiting: 500, oldest: 900 },
    count: 0,
  },
  {
    name: "after a start that failed there is a pause",
    facts: { waiting: 500, oldest: 900, pausing: true },
    count: 0,
  },
  {
    name: "the first request starts the first process, without a wait",
    facts: { ready: 0, waiting: 1 },
    policy: { min: 0 },
    count: 1,
  },
  {
    name: "and all others that come meanwhile no further one",
    facts: { ready: 0, starting: 1, waiting: 90, oldest: 500 },
    policy: { min: 0 },
    count: 0,
  },
  {
    name: "an application that does not start is not started by each request",
    facts: { ready: 0, waiting: 1, pausing: true },
    policy: { min: 0 },
    count: 0,
  },
  { name: "without requests none is started", facts: { ready: 0 }, policy: { min: 0 }, count: 0 },
  { name: "a process to spare ends after the timeout", facts: { spare: 30_000 }, count: -1 },
  { name: "not before", facts: { spare: 29_999 }, count: 0 },
  { name: "one at a time", facts: { ready: 8, spare: 900_000 }, count: -1 },
  { name: "never below the least", facts: { ready: 1, spare: 900_000 }, count: 0 },
  {
    name: "the last one, if there may be none",
    facts: { ready: 1, spare: 30_000 },
    policy: { min: 0 },
    count: -1,
  },
  { name: "more than there may be end at once", facts: { ready: 8 }, policy: { max: 3 }, count: -5 },
  { name: "those that are starting count", facts: { ready: 3, starting: 2 }, policy: { max: 3 }, count: -2 },
  { name: "fewer than there must be start at once", facts: { ready: 1 }, policy: { min: 4 }, count: 3 },
  { name: "those that are starting need not", facts: { starting: 2 }, policy: { min: 4 }, count: 0 },
  {
    name: "a start that failed pauses these, too",
    facts: { ready: 1, pausing: true },
    policy: { min: 4 },
    count: 0,
  },
];

for (const { name, facts, policy, count } of CASES)
  test(name, () => {
    assert.equal(decide({ ...QUIET, ...facts }, { ...POLICY, ...policy })?.count ?? 0, count);
  });

test("a decision says what it was for", () => {
  const facts = { ...QUIET, waiting: 9, oldest: 130.4 };
  const decision = decide(facts, POLICY);
  assert.ok(decision);
  assert.equal(
    describeDecision(facts, decision),
    "grows from 2 to 4 processes: 9 requests wait, the first for 130 ms",
  );
});
