// Memory that is used again: never twice at once, never much larger than needed, and never much of it kept.
import assert from "node:assert/strict";
import { Writable } from "node:stream";
import { test } from "node:test";
import { BlockPool, pieceOf, pieces, writePiece } from "../../src/exchange/blocks.ts";

test("a block that was given back is taken again, and by one only", () => {
  const pool = new BlockPool();
  const first = pool.take(30_000);
  pool.give(first);
  const again = pool.take(29_000);
  assert.equal(again.length, 29_000);
  assert.equal(again.buffer, first.buffer);
  assert.notEqual(pool.take(29_000).buffer, first.buffer);
});

test("a block is of the next size, and the blocks of one size are for all that need it", () => {
  const pool = new BlockPool();
  for (const [size, block] of [
    [1, 4_096],
    [4_096, 4_096],
    [4_097, 8_192],
    [40_000, 65_536],
    [131_072, 131_072],
  ] as const)
    assert.equal(pool.take(size).buffer.byteLength, block);
  const block = pool.take(40_000);
  pool.give(block);
  assert.notEqual(pool.take(65_537).buffer, block.buffer);
  assert.notEqual(pool.take(32_768).buffer, block.buffer);
  assert.equal(pool.kept, 1);
  assert.equal(pool.take(32_769).buffer, block.buffer);
  assert.equal(pool.kept, 0);
});

test("few blocks are kept of each size, and no very large ones", () => {
  const pool = new BlockPool();
  pool.give(pool.take(131_073));
  assert.equal(pool.kept, 0);
  const giveMany = (size: number): void => {
    const taken = Array.from({ length: 100 }, () => pool.take(size));
    for (const block of taken) pool.give(block);
  };
  giveMany(16_384);
  assert.equal(pool.kept, 64);
  giveMany(65_536);
  assert.equal(pool.kept, 64 + 32);
});

test("what is given twice, or was not taken here, is not kept", () => {
  const pool = new BlockPool();
  const block = pool.take(20_000);
  pool.give(Buffer.alloc(20_000));
  pool.give(new BlockPool().take(20_000));
  assert.equal(pool.kept, 0);
  pool.give(block.subarray(5, 10));
  pool.give(block);
  assert.equal(pool.kept, 1);
});

test("a piece is used again once it was written, and not before", () => {
  const callbacks: ((error?: Error) => void)[] = [];
  const stream = new Writable({ write: (_bytes, _encoding, done) => callbacks.push(done) });
  stream.on("error", () => {});
  const kept = pieces.kept;
  writePiece(stream, pieceOf(60_000));
  writePiece(stream, Buffer.alloc(60_000));
  assert.equal(pieces.kept, kept);
  callbacks.shift()?.();
  return new Promise<void>((resolve) =>
    setImmediate(() => {
      assert.equal(pieces.kept, kept + 1);
      resolve();
    }),
  );
});

test("a piece that could not be written is not used again: the system may still read it", async () => {
  const stream = new Writable({ write: (_bytes, _encoding, done) => done(new Error("gone")) });
  stream.on("error", () => {});
  const piece = pieceOf(100_000);
  const kept = pieces.kept;
  writePiece(stream, piece);
  await new Promise((resolve) => stream.once("close", resolve));
  assert.equal(pieces.kept, kept);
});
