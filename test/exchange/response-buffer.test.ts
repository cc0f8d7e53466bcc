import assert from "node:assert/strict";
import { readdirSync, readlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { test } from "node:test";
import fc from "fast-check";
import { ResponseBuffer, type ResponseBufferLimits } from "../../src/exchange/response-buffer.ts";
import { TemporaryFile } from "../../src/exchange/temporary.ts";
import { RecordedExchange } from "../../src/testing/recorded.ts";
import { makeFolder } from "../kit/make-folder.ts";

const LIMITS: ResponseBufferLimits = { memory: 1000, file: 5000, directory: tmpdir() };

function stalled(): RecordedExchange {
  const exchange = new RecordedExchange();
  exchange.start({ status: 200, reason: "", headers: [] });
  exchange.stalled = true;
  return exchange;
}

/** Resolves when `holds`: as late as the disk lets it on a busy machine. */
async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await new Promise((resolve) => setTimeout(resolve, 5));
}

/** Time for what must not happen. */
async function settled(): Promise<void> {
  for (let i = 0; i < 20; i++) await new Promise((resolve) => setImmediate(resolve));
  await new Promise((resolve) => setTimeout(resolve, 20));
}

test("what a stalled client does not take is accepted up to memory and file, and not a byte more", async () => {
  const exchange = stalled();
  let accepted = 0;
  const buffer = new ResponseBuffer(exchange, (data) => (accepted += data), LIMITS);
  for (let i = 0; i < 100; i++) buffer.push(Buffer.alloc(100, i));
  buffer.end();
  // The first piece left with the write that stalled; then 1000 bytes of memory and 5000 of file.
  await until(() => accepted >= 100 + 1000 + 5000);
  await settled();
  assert.equal(accepted, 100 + 1000 + 5000);
  assert.equal(exchange.closed, false);
  exchange.release();
  const { body, complete } = await exchange.done;
  assert.equal(complete, true);
  assert.equal(accepted, 10_000);
  assert.deepEqual(body, Buffer.concat(Array.from({ length: 100 }, (_, i) => Buffer.alloc(100, i))));
});

test("without a file, memory is the only bound", async () => {
  const exchange = stalled();
  let accepted = 0;
  const buffer = new ResponseBuffer(exchange, (data) => (accepted += data), { ...LIMITS, file: 0 });
  for (let i = 0; i < 30; i++) buffer.push(Buffer.alloc(100, i));
  buffer.end();
  await settled();
  assert.equal(accepted, 1100);
  exchange.release();
  assert.equal((await exchange.done).bytes, 3000);
});

test("a directory that cannot be written to fails the exchange as ours, not the application's", async () => {
  const exchange = stalled();
  const buffer = new ResponseBuffer(exchange, () => {}, { ...LIMITS, directory: "/nonexistent/folder" });
  for (let i = 0; i < 30; i++) buffer.push(Buffer.alloc(100));
  const { complete, error } = await exchange.done;
  assert.equal(complete, false);
  assert.equal(error?.code, "ERR_SALLYPORT_INTERNAL");
});

/** Files of a folder that this process holds open, also those without a name any more. */
const openFilesIn = (folder: string): number =>
  readdirSync("/proc/self/fd").filter((fd) => targetOf(`/proc/self/fd/${fd}`).startsWith(folder)).length;

function targetOf(link: string): string {
  try {
    return readlinkSync(link);
  } catch {
    return ""; // that of the folder of all of them
  }
}

test("when the client leaves, its file is closed and nothing more is accepted", async (t) => {
  const directory = makeFolder(t);
  const exchange = stalled();
  const buffer = new ResponseBuffer(exchange, () => {}, { ...LIMITS, directory });
  for (let i = 0; i < 40; i++) buffer.push(Buffer.alloc(100));
  await until(() => openFilesIn(directory) === 1);
  exchange.hangUp();
  await until(() => openFilesIn(directory) === 0);
});

test("bytes keep their order however pieces, stalls and limits fall", async () => {
  const pieces = fc.array(fc.uint8Array({ minLength: 1, maxLength: 300 }), { minLength: 1, maxLength: 40 });
  const stalls = fc.array(fc.boolean(), { minLength: 1, maxLength: 10 });
  const limits = fc.record({
    memory: fc.integer({ min: 0, max: 500 }),
    file: fc.integer({ min: 0, max: 2000 }),
  });
  await fc.assert(
    fc.asyncProperty(pieces, stalls, limits, async (sent, pattern, { memory, file }) => {
      const exchange = new RecordedExchange();
      exchange.start({ status: 200, reason: "", headers: [] });
      const buffer = new ResponseBuffer(exchange, () => {}, { memory, file, directory: tmpdir() });
      for (const [i, piece] of sent.entries()) {
        exchange.stalled = pattern[i % pattern.length] as boolean;
        buffer.push(piece);
        if (i % 3 === 0) await new Promise((resolve) => setImmediate(resolve));
        if (!exchange.stalled) exchange.release();
      }
      buffer.end();
      exchange.release();
      const { body, complete } = await exchange.done;
      assert.equal(complete, true);
      assert.deepEqual(body, Buffer.concat(sent));
    }),
    { numRuns: 60 },
  );
});

test("what is pushed while the file is being emptied does not overtake what was read from it", async (t) => {
  const exchange = stalled();
  let accepted = 0;
  const buffer = new ResponseBuffer(exchange, (bytes) => (accepted += bytes), { ...LIMITS, memory: 0 });
  let pushed = 0;
  const push = (): void => buffer.push(Buffer.of(pushed++));
  const { empty } = TemporaryFile.prototype;
  t.after(() => {
    TemporaryFile.prototype.empty = empty;
  });
  TemporaryFile.prototype.empty = async function () {
    push();
    await empty.call(this);
  };
  for (let i = 0; i < 10; i++) push();
  // All of them are in the file, or it would be emptied again and again.
  await until(() => accepted === 10);
  exchange.release();
  await until(() => accepted === 11);
  buffer.end();
  const { body } = await exchange.done;
  assert.deepEqual([...body], [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
});
