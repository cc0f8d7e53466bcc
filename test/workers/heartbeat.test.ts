import assert from "node:assert/strict";
import { test } from "node:test";
import { ASK_AFTER, BLOCKED_AFTER, Heartbeat } from "../../src/workers/heartbeat.ts";

const TICK = 250;

/** Ticks until `holds`. */
function silence(pulse: Heartbeat, holds: (asked: boolean) => boolean): number {
  for (let passed = TICK; ; passed += TICK) if (holds(pulse.tick(TICK))) return passed;
}

test("an event loop that says nothing is asked once, and blocked when it does not answer", () => {
  const pulse = new Heartbeat();
  assert.equal(
    silence(pulse, (asked) => asked),
    ASK_AFTER,
  );
  assert.equal(
    silence(pulse, (asked) => {
      assert.equal(asked, false);
      return pulse.blocked;
    }),
    BLOCKED_AFTER,
  );
  assert.equal(pulse.unanswered, BLOCKED_AFTER);
});

test("that it became blocked is told once in a silence, and that it answers again, too", () => {
  const pulse = new Heartbeat();
  silence(pulse, () => pulse.blocked);
  assert.deepEqual([pulse.becameBlocked, pulse.becameBlocked], [true, false]);
  assert.deepEqual([pulse.heard(), pulse.heard()], [true, false]);
  assert.deepEqual([pulse.blocked, pulse.unanswered], [false, 0]);
});

test("whatever it says in time counts as an answer", () => {
  const pulse = new Heartbeat();
  for (let i = 0; i < 100; i++) {
    silence(pulse, (asked) => asked);
    pulse.heard();
  }
  assert.deepEqual([pulse.blocked, pulse.becameBlocked], [false, false]);
});
