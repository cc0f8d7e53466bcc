// Temporary files of all clients together have one limit.
import assert from "node:assert/strict";
import { tmpdir } from "node:os";
import { afterEach, test } from "node:test";
import { DISK_LIMIT, disk } from "../../src/exchange/disk.ts";
import { PushedBody, type SallyportError } from "../../src/exchange/index.ts";
import { ResponseBuffer } from "../../src/exchange/response-buffer.ts";
import { spool } from "../../src/exchange/spool.ts";
import { RecordedExchange } from "../../src/testing/recorded.ts";

afterEach(() => {
  assert.equal(disk.taken, 0, "all of it is given back");
  disk.limit = DISK_LIMIT;
});

function uploaded(size: number): PushedBody {
  const body = new PushedBody(undefined, { pause() {}, resume() {} }, 1e9);
  for (let sent = 0; sent < size; sent += 1_000) body.push(Buffer.alloc(Math.min(1_000, size - sent)));
  body.end();
  return body;
}

const OPTIONS = { memory: 1_000, limit: 1_000_000 };

test("an upload that finds no room is refused, and one that comes when there is room again is not", async () => {
  disk.limit = 50_000;
  const first = await spool(uploaded(40_000), OPTIONS);
  assert.ok(disk.taken >= 40_000);
  await assert.rejects(spool(uploaded(40_000), OPTIONS), (error: SallyportError) => {
    assert.match(error.message, /hold \d+ of 50000 bytes already \(limits\.temporary\)/);
    return error.status === 503;
  });
  await first.dispose();
  const next = await spool(uploaded(40_000), OPTIONS);
  assert.equal(next.length, 40_000);
  await next.dispose();
});

test("a body that fits into memory needs no room", async () => {
  disk.limit = 0;
  const spooled = await spool(uploaded(1_000), OPTIONS);
  assert.equal(spooled.whole?.length, 1_000);
});

test("a response for a client that does not read makes its application wait where there is no room", async () => {
  disk.limit = 3_000;
  const exchange = new RecordedExchange();
  exchange.start({ status: 200, reason: "", headers: [] });
  exchange.stalled = true;
  let accepted = 0;
  const limits = { memory: 1_000, file: 1_000_000, directory: tmpdir() };
  const buffer = new ResponseBuffer(exchange, (bytes) => (accepted += bytes), limits);
  for (let i = 0; i < 100; i++) buffer.push(Buffer.alloc(100, i));
  buffer.end();
  // One piece left with the write that stalled.
  const most = 100 + 1_000 + 3_000;
  while (accepted < most) await new Promise((resolve) => setTimeout(resolve, 5));
  await new Promise((resolve) => setTimeout(resolve, 50));
  assert.deepEqual([accepted, disk.taken], [most, 3_000]);
  exchange.release();
  const { body, complete } = await exchange.done;
  assert.equal(complete, true);
  assert.deepEqual(body, Buffer.concat(Array.from({ length: 100 }, (_, i) => Buffer.alloc(100, i))));
});

test("what a client that left did not take is given back", async () => {
  const exchange = new RecordedExchange();
  exchange.start({ status: 200, reason: "", headers: [] });
  exchange.stalled = true;
  const buffer = new ResponseBuffer(exchange, () => {}, { memory: 0, file: 1_000_000, directory: tmpdir() });
  for (let i = 0; i < 10; i++) buffer.push(Buffer.alloc(100));
  while (disk.taken < 900) await new Promise((resolve) => setTimeout(resolve, 5));
  exchange.hangUp();
  while (disk.taken > 0) await new Promise((resolve) => setTimeout(resolve, 5));
});
