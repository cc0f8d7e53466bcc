// The life-cycle that drives a protocol's table: each state to its limit, beyond it, at the peer's end and at the listener's.
import assert from "node:assert/strict";
import { test } from "node:test";
import { ConnectionLifecycle, type Moves, type StateRule } from "../../src/sockets/lifecycle.ts";

type State = "fresh" | "head" | "held" | "drain" | "linger";
type Rule = StateRule<"headTimeout" | "drainTimeout" | "lingerTimeout", "shut" | "late" | "probe">;

const RULES: Readonly<Record<State, Rule>> = {
  fresh: { limit: "headTimeout", expired: "shut", ended: "shut", stopped: "drop" },
  head: { limit: "headTimeout", expired: "late", ended: "late", stopped: "stay" },
  held: { limit: undefined, expired: "stay", ended: "probe", stopped: "stay" },
  drain: { limit: "drainTimeout", expired: "shut", ended: "shut", stopped: "leave" },
  linger: { limit: "lingerTimeout", expired: "drop", ended: "drop", stopped: "stay" },
};
const LIMITS = { headTimeout: 100, drainTimeout: 50, lingerTimeout: 20 };
const STATES = Object.keys(RULES) as State[];

/** A connection that writes down what is done to it. */
class Noting implements Moves<Rule> {
  readonly clock = { now: 1_000 };
  readonly done: string[] = [];
  readonly life: ConnectionLifecycle<State, Rule>;
  busy = false;

  constructor(state: State = "fresh") {
    const transport = {
      resume: () => this.done.push("resume"),
      destroySoon: () => void this.done.push("leave"),
      destroy: () => this.done.push("drop"),
    };
    this.life = new ConnectionLifecycle(RULES, state, LIMITS, this.clock, transport, this);
  }

  sending(): boolean {
    return this.busy;
  }

  shut(): void {
    if (this.life.linger()) this.done.push("shut");
  }

  late(): void {
    this.done.push("late");
  }

  probe(): void {
    this.done.push("probe");
  }
}

/** What a move leaves behind. */
const DONE: Readonly<Record<Rule["expired"], readonly string[]>> = {
  shut: ["resume", "shut"],
  late: ["late"],
  probe: ["probe"],
  leave: ["leave"],
  drop: ["drop"],
  stay: [],
};

for (const state of STATES) {
  const { limit, expired, ended, stopped } = RULES[state];

  test(`${state}: ${limit ?? "no limit"} bounds it, and beyond that it is ${expired}`, () => {
    const { life, done } = new Noting(state);
    assert.deepEqual([life.state, life.rule], [state, RULES[state]]);
    assert.equal(life.deadline, limit === undefined ? Number.POSITIVE_INFINITY : 1_000 + LIMITS[limit]);
    life.checkDeadline(Math.min(life.deadline, Number.MAX_SAFE_INTEGER) - 1);
    assert.deepEqual(done, []);
    life.checkDeadline(life.deadline);
    assert.deepEqual(done, DONE[expired]);
  });

  test(`${state}: the peer's end is ${ended}, the listener's ${stopped}`, () => {
    const peer = new Noting(state);
    peer.life.ended();
    assert.deepEqual(peer.done, DONE[ended]);
    const listener = new Noting(state);
    listener.life.stop();
    assert.deepEqual(listener.done, DONE[stopped]);
  });
}

test("while bytes are on their way out a state lasts as long again", () => {
  const noting = new Noting("drain");
  const { life, clock, done } = noting;
  noting.busy = true;
  clock.now = 1_050;
  life.checkDeadline(clock.now);
  assert.deepEqual([life.state, life.deadline, done], ["drain", 1_100, []]);
  noting.busy = false;
  life.checkDeadline(1_100);
  assert.equal(life.state, "linger");
});

test("a state that is entered has its own time, one that is advanced to what is left of the time before", () => {
  const { life, clock } = new Noting();
  clock.now = 1_030;
  life.advance("head");
  assert.deepEqual([life.state, life.deadline], ["head", 1_100]);
  life.enter("drain");
  assert.deepEqual([life.state, life.deadline], ["drain", 1_080]);
});

test("a state that is suspended has no end until it is renewed", () => {
  const { life, clock, done } = new Noting("head");
  life.suspend();
  life.checkDeadline(Number.MAX_SAFE_INTEGER);
  assert.deepEqual(done, []);
  clock.now = 5_000;
  life.renew();
  assert.deepEqual([life.state, life.deadline], ["head", 5_100]);
});

test("it lingers once: to shut again does nothing, and gives it no more time", () => {
  const noting = new Noting("drain");
  noting.shut();
  noting.clock.now = 1_010;
  noting.shut();
  assert.deepEqual([noting.done, noting.life.state, noting.life.deadline], [DONE.shut, "linger", 1_020]);
});
