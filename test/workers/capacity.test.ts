// Which streams of a worker are begun, by the way in which it runs them.
import assert from "node:assert/strict";
import { test } from "node:test";
import { Trace } from "../../src/exchange/index.ts";
import { Capacity } from "../../src/workers/capacity.ts";
import type { WorkerStream } from "../../src/workers/stream.ts";
import { Streams } from "../../src/workers/streams.ts";

const options = { threads: 1, concurrency: 100 };

/** A worker that was sent `count` streams, with the ids from 1. */
function sent(count: number): { streams: Streams; capacity: Capacity } {
  const streams = new Streams();
  for (let i = 0; i < count; i++) {
    const id = streams.nextId();
    streams.add(id, { id } as WorkerStream);
  }
  return { streams, capacity: new Capacity(streams) };
}

const idsOf = (streams: readonly WorkerStream[]): number[] => streams.map(({ id }) => id);

test("before it is ready it may have no streams", () => {
  const { capacity } = sent(0);
  assert.deepEqual([capacity.most, capacity.places, capacity.ahead], [0, 0, 0]);
});

test("without threads the oldest stream is begun, and the others wait for it to be done", () => {
  const { streams, capacity } = sent(3);
  capacity.begin("wsgi", options);
  assert.deepEqual([capacity.mode, capacity.most, capacity.places], ["inline", 16, 1]);
  assert.deepEqual(idsOf(capacity.begun), [1]);
  assert.deepEqual([capacity.ahead, capacity.firstAhead?.id], [2, 2]);
  streams.delete(1);
  assert.equal(capacity.nextBegun(1)?.id, 2);
});

test("with threads as many are begun as there are threads", () => {
  const { streams, capacity } = sent(4);
  capacity.begin("wsgi", { ...options, threads: 2 });
  assert.deepEqual([capacity.mode, capacity.most, capacity.places], ["threads", 2, 2]);
  assert.deepEqual(idsOf(capacity.begun), [1, 2]);
  streams.delete(2);
  assert.equal(capacity.nextBegun(2)?.id, 3);
  streams.delete(1);
  streams.delete(3);
  assert.equal(capacity.nextBegun(3), undefined, "a thread has nothing to do");
});

test("in an event loop all are begun, and none waits", () => {
  const { capacity } = sent(5);
  capacity.begin("asgi", { ...options, threads: 4 });
  assert.deepEqual([capacity.mode, capacity.most, capacity.places], ["loop", 100, 100]);
  assert.equal(capacity.begun.length, 5);
  assert.deepEqual([capacity.ahead, capacity.firstAhead], [0, undefined]);
});

test("a stream that is not begun waits, once, also when an authorizer before it had waited and had it", () => {
  const { capacity } = sent(1);
  capacity.begin("wsgi", options);
  const trace = new Trace();
  trace.queued();
  const first = trace.queuedAt;
  capacity.mark(trace, 7);
  assert.equal(trace.queuedAt, first, "it waited already");
  trace.handedOver();
  capacity.mark(trace, 7);
  assert.deepEqual([trace.waits, trace.handedOverAt, trace.pid], [true, 0, undefined]);
});
