// How fronts tell each other of their connections. A front's rest is seen by what it does not do: see addresses.test.ts.
import assert from "node:assert/strict";
import { EventEmitter } from "node:events";
import { readSync } from "node:fs";
import type { Socket } from "node:net";
import { type TestContext, test } from "node:test";
import { Scoreboard, Slot } from "../../src/cluster/scoreboard.ts";

function board(t: TestContext): Scoreboard {
  const made = new Scoreboard();
  t.after(() => made.close());
  return made;
}

const socket = (): Socket => new EventEmitter() as Socket;

/** What the first seats say: 0 for nobody, otherwise one more than the connections. */
function told({ fd }: Scoreboard, seats: number): number[] {
  const counts = new Uint32Array(seats);
  readSync(fd, counts, 0, seats * 4, 0);
  return [...counts];
}

test("each front tells its connections, from their beginning to their end", (t) => {
  const shared = board(t);
  const [one, two] = [new Slot(shared.fd, shared.take()), new Slot(shared.fd, shared.take())];
  const sockets = [socket(), socket()];
  for (const each of sockets) two.count(each);
  one.count(socket());
  assert.deepEqual(told(shared, 3), [2, 3, 0]);
  sockets[0]?.emit("close");
  assert.deepEqual(told(shared, 3), [2, 2, 0]);
});

test("a seat that is free is told to be nobody's, and is given away again", (t) => {
  const shared = board(t);
  const seats = [shared.take(), shared.take(), shared.take()];
  for (const seat of seats) new Slot(shared.fd, seat);
  shared.free(1);
  assert.deepEqual(told(shared, 3), [1, 0, 1]);
  assert.equal(shared.take(), 1);
});

test("a front that leaves is nobody that others wait for, though its connections live on", (t) => {
  const shared = board(t);
  const seat = new Slot(shared.fd, shared.take());
  const kept = socket();
  seat.count(kept);
  seat.leave();
  kept.emit("close");
  assert.deepEqual(told(shared, 1), [0]);
});

test("it is empty once its last connection has ended, or when the time is over", async (t) => {
  const shared = board(t);
  const seat = new Slot(shared.fd, shared.take());
  await seat.empty(60_000);
  const kept = socket();
  seat.count(kept);
  await seat.empty(1);
  const emptied = seat.empty(60_000);
  kept.emit("close");
  await emptied;
});

test("a front rests when it is ahead, but only so often at a stretch", (t) => {
  const shared = board(t);
  const seat = new Slot(shared.fd, shared.take());
  const rests = t.mock.method(Atomics, "wait", () => "timed-out");
  for (let i = 0; i < 10; i++) seat.count(socket());
  assert.equal(rests.mock.callCount(), 0, "nobody is behind");
  new Slot(shared.fd, shared.take());
  seat.count(socket());
  assert.equal(rests.mock.callCount(), 1);
  for (let i = 0; i < 1_000; i++) seat.count(socket());
  assert.ok(rests.mock.callCount() >= 32);
  assert.ok(rests.mock.callCount() < 500, `${rests.mock.callCount()} rests`);
});

test("fronts beyond the seats serve uncounted", (t) => {
  const shared = board(t);
  const seats = Array.from({ length: 300 }, () => shared.take());
  const last = new Slot(shared.fd, seats.at(-1) as number);
  last.count(socket());
  assert.deepEqual(told(shared, 1), [0]);
  shared.free(299);
  assert.equal(shared.take(), 299);
});
