// StreamEvents that all streams of a kind share.
import assert from "node:assert/strict";
import { EventEmitter } from "node:events";
import { test } from "node:test";
import { StreamEvents } from "../../src/sockets/stream-events.ts";

interface Owner {
  readonly heard: unknown[];
}

const events = new StreamEvents<Owner>({
  data: ({ heard }, first: string, second: number) => heard.push([first, second]),
  error: ({ heard }, error: Error) => heard.push(error.message),
});

const owned = (stream: EventEmitter): Owner => {
  const owner = { heard: [] };
  events.attach(stream, owner);
  return owner;
};

test("each stream's events reach its own owner, with what they have", () => {
  const [one, two] = [new EventEmitter(), new EventEmitter()];
  const [first, second] = [owned(one), owned(two)];
  one.emit("data", "a", 1);
  two.emit("data", "b", 2);
  two.emit("error", new Error("gone"));
  assert.deepEqual(first.heard, [["a", 1]]);
  assert.deepEqual(second.heard, [["b", 2], "gone"]);
});

test("all streams have the same functions", () => {
  const [one, two] = [new EventEmitter(), new EventEmitter()];
  owned(one);
  owned(two);
  assert.equal(one.listeners("data")[0], two.listeners("data")[0]);
});

test("another owner may have a stream that was given away", () => {
  const stream = new EventEmitter();
  const before = owned(stream);
  events.detach(stream);
  assert.equal(stream.listenerCount("error"), 0);
  const after = owned(stream);
  stream.emit("data", "a", 1);
  assert.deepEqual(before.heard, []);
  assert.deepEqual(after.heard, [["a", 1]]);
});

test("a late error of a stream whose owner is gone is nobody's, and not uncaught", () => {
  const stream = new EventEmitter();
  const { heard } = owned(stream);
  events.release(stream);
  stream.emit("error", new Error("late"));
  assert.deepEqual(heard, []);
  assert.equal(stream.listenerCount("error"), 1);
});
