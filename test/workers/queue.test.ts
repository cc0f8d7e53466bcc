// The queue of requests that wait for a worker: long ones, too, lose only those whose clients have left.
import assert from "node:assert/strict";
import { test } from "node:test";
import { type SallyportError, Trace } from "../../src/exchange/index.ts";
import { RequestQueue } from "../../src/workers/queue.ts";
import type { WorkerStream } from "../../src/workers/stream.ts";

/** More than can be the arguments of one call. */
const MANY = 300_000;

const stream = (closed: boolean): WorkerStream =>
  ({ exchange: { closed }, since: 0, fail: () => assert.fail("nothing is late") }) as never;

test("in a queue of hundreds of thousands, requests whose clients have left are dropped, and no others", () => {
  const queue = new RequestQueue({ queue: MANY, queueTimeout: 600_000 }, "worker");
  for (let i = 0; i < MANY; i++) queue.add(stream(i % 2 === 1));
  const staying = queue.waiting.filter(({ exchange }) => !exchange.closed);
  queue.expire();
  assert.equal(queue.waiting.length, staying.length);
  assert.ok(queue.waiting.every((each, i) => each === staying[i]));
});

test("what is put back waits again, and what waited still waits since then", () => {
  const queue = new RequestQueue({ queue: 2, queueTimeout: 600_000 }, "worker");
  const [had, waited] = [new Trace(), new Trace()];
  had.handedOver(7);
  waited.queued();
  const since = waited.queuedAt;
  queue.putBack([had, waited].map((trace) => ({ exchange: { closed: false, trace } }) as never));
  assert.deepEqual([had.waits, had.pid], [true, undefined]);
  assert.equal(waited.queuedAt, since);
});

test("with a queueTimeout of 0 what is not taken at once fails", () => {
  const failures: string[] = [];
  const queue = new RequestQueue({ queue: 2, queueTimeout: 0 }, "worker");
  const exchange = { closed: false };
  queue.add({ exchange, since: 0, fail: ({ code }: SallyportError) => failures.push(code) } as never);
  queue.expire();
  assert.deepEqual([failures, queue.waiting.length], [["ERR_SALLYPORT_QUEUE_TIMEOUT"], 0]);
});
