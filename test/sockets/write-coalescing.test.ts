import assert from "node:assert/strict";
import type { Socket } from "node:net";
import { test } from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import { WriteCoalescer } from "../../src/sockets/write-coalescing.ts";

/** Counts as a socket does. */
class Corked {
  writableCorked = 0;
  cork(): void {
    this.writableCorked++;
  }
  uncork(): void {
    this.writableCorked--;
  }
  get gone(): boolean {
    return this.writableCorked === 0;
  }
}

function setup(count: number): { sockets: Corked[]; hold: (...at: number[]) => void; gone: () => boolean[] } {
  const coalescer = new WriteCoalescer();
  const sockets = Array.from({ length: count }, () => new Corked());
  const hold = (...at: number[]): void => {
    for (const i of at) coalescer.hold(sockets[i] as unknown as Socket);
  };
  return { sockets, hold, gone: () => sockets.map(({ gone }) => gone) };
}

test("one alone leaves at the end of its turn", async () => {
  const { hold, gone } = setup(1);
  hold(0);
  assert.deepEqual(gone(), [false]);
  await turn();
  assert.deepEqual(gone(), [true]);
});

test("one is held once, however often it sends, and again in another turn", async () => {
  const { hold, sockets, gone } = setup(1);
  hold(0, 0, 0);
  assert.equal(sockets[0]?.writableCorked, 1);
  await turn();
  hold(0);
  assert.deepEqual(gone(), [false]);
  await turn();
  assert.deepEqual(gone(), [true]);
});

test("while turns bring more they wait, and leave when one brings none", async () => {
  const { hold, gone } = setup(3);
  // A machine that does something else meanwhile lets them leave sooner; then it is tried again.
  for (let tries = 0; tries < 50; tries++) {
    hold(0, 1);
    await turn();
    const waited = gone().join() === "false,false,true";
    if (waited) hold(2);
    await turn();
    await turn();
    assert.deepEqual(gone(), [true, true, true]);
    if (waited) return;
  }
  assert.fail("they never waited");
});

test("nobody waits for a turn that lasts: the others leave as soon as one comes that would join them", async () => {
  const { hold, gone } = setup(3);
  hold(0, 1);
  for (const start = performance.now(); performance.now() - start < 5; );
  hold(2);
  assert.deepEqual(gone(), [true, true, false]);
  await turn();
  assert.deepEqual(gone(), [true, true, true]);
});
