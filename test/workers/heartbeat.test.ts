import assert from "node:assert/strict";
import { test } from "node:test";
import { ASK_AFTER, BLOCKED_AFTER, Heartbeat } from "../../src/workers/heartbeat.ts";

const TICK = 250;

/** Ticks until `holds`. */
function silence(heartbeat: Heartbeat, holds: (asked: boolean) => boolean): number {
  for (let passed = TICK; ; passed += TICK) if (holds(heartbeat.tick(TICK))) return passed;
}

test("a silent event loop is asked once, and counts as blocked when it does not answer", () => {
  const heartbeat = new Heartbeat();
  assert.equal(
    silence(heartbeat, (asked) => asked),
    ASK_AFTER,
  );
  assert.equal(
    silence(heartbeat, (asked) => {
      assert.equal(asked, false);
      return heartbeat.blocked;
    }),
    BLOCKED_AFTER,
  );
  assert.equal(heartbeat.unanswered, BLOCKED_AFTER);
});

test("a block is reported once in a silence, and so is its end", () => {
  const heartbeat = new Heartbeat();
  silence(heartbeat, () => heartbeat.blocked);
  assert.deepEqual([heartbeat.becameBlocked, heartbeat.becameBlocked], [true, false]);
  assert.deepEqual([heartbeat.heard(), heartbeat.heard()], [true, false]);
  assert.deepEqual([heartbeat.blocked, heartbeat.unanswered], [false, 0]);
});

test("any frame in time counts as an answer", () => {
  const heartbeat = new Heartbeat();
  for (let i = 0; i < 100; i++) {
    silence(heartbeat, (asked) => asked);
    heartbeat.heard();
  }
  assert.deepEqual([heartbeat.blocked, heartbeat.becameBlocked], [false, false]);
});
