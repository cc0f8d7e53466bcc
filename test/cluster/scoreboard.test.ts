// How server processes see each other's connections. The effect of the pauses is tested in addresses.test.ts.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { EventEmitter } from "node:events";
import { readSync } from "node:fs";
import type { Socket } from "node:net";
import { type TestContext, test } from "node:test";
import { fileURLToPath } from "node:url";
import { Scoreboard, Slot } from "../../src/cluster/scoreboard.ts";
import { needs } from "../kit/needs.ts";

function newScoreboard(t: TestContext): Scoreboard {
  const made = new Scoreboard();
  t.after(() => made.close());
  return made;
}

const socket = (): Socket => new EventEmitter() as Socket;

/** The first slots: 0 for a free one, otherwise one more than the connections. */
function countsIn({ fd }: Scoreboard, slots: number): number[] {
  const counts = new Uint32Array(slots);
  readSync(fd, counts, 0, slots * 4, 0);
  return [...counts];
}

test("each server process counts its connections, from their beginning to their end", (t) => {
  const shared = newScoreboard(t);
  const [one, two] = [new Slot(shared.fd, shared.take()), new Slot(shared.fd, shared.take())];
  const sockets = [socket(), socket()];
  for (const each of sockets) two.count(each);
  one.count(socket());
  assert.deepEqual(countsIn(shared, 3), [2, 3, 0]);
  sockets[0]?.emit("close");
  assert.deepEqual(countsIn(shared, 3), [2, 2, 0]);
});

test("a slot that is freed says how many connections its server process had", (t) => {
  const shared = newScoreboard(t);
  const [busy, idle] = [shared.take(), shared.take()];
  const slot = new Slot(shared.fd, busy);
  for (const each of [socket(), socket()]) slot.count(each);
  new Slot(shared.fd, idle);
  assert.deepEqual([shared.free(busy), shared.free(idle), shared.free(shared.take())], [2, 0, 0]);
});

test("a slot that is freed counts 0, and is taken again", (t) => {
  const shared = newScoreboard(t);
  const slots = [shared.take(), shared.take(), shared.take()];
  for (const slot of slots) new Slot(shared.fd, slot);
  shared.free(1);
  assert.deepEqual(countsIn(shared, 3), [1, 0, 1]);
  assert.equal(shared.take(), 1);
});

test("the others do not wait for a server process that leaves, though its connections live on", (t) => {
  const shared = newScoreboard(t);
  const slot = new Slot(shared.fd, shared.take());
  const kept = socket();
  slot.count(kept);
  slot.leave();
  kept.emit("close");
  assert.deepEqual(countsIn(shared, 1), [0]);
});

test("it is empty once its last connection has ended, or when the time is over", async (t) => {
  const shared = newScoreboard(t);
  const slot = new Slot(shared.fd, shared.take());
  await slot.empty(60_000);
  const kept = socket();
  slot.count(kept);
  await slot.empty(1);
  const emptied = slot.empty(60_000);
  kept.emit("close");
  await emptied;
});

test("a server process pauses when it is ahead, but only a limited number of times in a row", (t) => {
  const shared = newScoreboard(t);
  const slot = new Slot(shared.fd, shared.take());
  const pauses = t.mock.method(Atomics, "wait", () => "timed-out");
  for (let i = 0; i < 10; i++) slot.count(socket());
  assert.equal(pauses.mock.callCount(), 0, "no other is behind");
  new Slot(shared.fd, shared.take());
  slot.count(socket());
  assert.equal(pauses.mock.callCount(), 1);
  for (let i = 0; i < 1_000; i++) slot.count(socket());
  assert.ok(pauses.mock.callCount() >= 32);
  assert.ok(pauses.mock.callCount() < 500, `${pauses.mock.callCount()} pauses`);
});

test("server processes beyond the slots serve uncounted", (t) => {
  const shared = newScoreboard(t);
  const slots = Array.from({ length: 300 }, () => shared.take());
  const last = new Slot(shared.fd, slots.at(-1) as number);
  last.count(socket());
  assert.deepEqual(countsIn(shared, 1), [0]);
  shared.free(299);
  assert.equal(shared.take(), 299);
});

test("a temporary directory without room fails the start with advice, as one that cannot be written does", (t) => {
  if (!needs(t, "prlimit")) return;
  const bin = fileURLToPath(new URL("../../bin/sallyport.js", import.meta.url));
  const command = [process.execPath, bin, "serve", fileURLToPath(new URL(".", import.meta.url))];
  // A file may not become as large as the scoreboard is: EFBIG in the place of ENOSPC.
  const { status, stderr } = spawnSync("prlimit", ["--fsize=512", ...command, "--server-processes", "2"], {
    encoding: "utf8",
  });
  assert.equal(status, 1);
  assert.match(
    stderr,
    /need a temporary directory that can be written: EFBIG.*set TMPDIR \[ERR_SALLYPORT_CONFIG_INVALID\]/,
  );
});
