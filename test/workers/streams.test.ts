import assert from "node:assert/strict";
import { test } from "node:test";
import type { WorkerStream } from "../../src/workers/stream.ts";
import { Streams } from "../../src/workers/streams.ts";

/** Of a stream only its id is looked at. */
function add(streams: Streams): WorkerStream {
  const stream = { id: streams.nextId() } as WorkerStream;
  streams.add(stream.id, stream);
  return stream;
}

test("a stream is found by its id until it is deleted", () => {
  const streams = new Streams();
  const [first, second] = [add(streams), add(streams)];
  assert.deepEqual([first.id, second.id, streams.size], [1, 2, 2]);
  streams.delete(first.id);
  streams.delete(first.id);
  assert.deepEqual([streams.get(first.id), streams.get(second.id), streams.size], [undefined, second, 1]);
});

test("an id that shares its place with another one is not taken for it", () => {
  const streams = new Streams();
  const first = add(streams);
  assert.equal(streams.get(first.id + 64), undefined);
  streams.delete(first.id + 64);
  assert.equal(streams.get(first.id), first);
});

test("the order is that in which they were added, past every growth and beside a stream that stays", () => {
  const streams = new Streams();
  const lasting = add(streams);
  for (let i = 0; i < 1_000; i++) streams.delete(add(streams).id);
  const later = Array.from({ length: 300 }, () => add(streams));

  assert.deepEqual(streams.all(), [lasting, ...later]);
  for (const stream of later) assert.equal(streams.get(stream.id), stream);
  streams.clear();
  assert.deepEqual([streams.size, streams.all()], [0, []]);
});

test("those that were added no later than the newest of some are found, whatever became of these", () => {
  const streams = new Streams();
  const [one, two, three, four] = Array.from({ length: 4 }, () => add(streams)) as [
    WorkerStream,
    WorkerStream,
    WorkerStream,
    WorkerStream,
  ];
  assert.deepEqual(streams.until([two.id]), [one, two]);
  assert.deepEqual(streams.until([three.id, one.id]), [one, two, three]);
  streams.delete(three.id);
  assert.deepEqual(streams.until([three.id, one.id]), [one, two]);
  assert.deepEqual(streams.until([four.id]), [one, two, four]);
  assert.deepEqual(streams.until([]), []);
});
