import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";
import { describe, test } from "node:test";
import fc from "fast-check";
import { SallyportError } from "../../src/exchange/index.ts";
import {
  FROM_WORKER,
  FrameReader,
  FrameWriter,
  HEADER_SIZE,
  MAX_FRAME,
  TO_WORKER,
} from "../../src/workers/link.ts";

interface Vector {
  name: string;
  kind: string;
  number: number;
  stream: number;
  payload: string;
  bytes: string;
}

const vectors = JSON.parse(
  readFileSync(new URL("../vectors/link.json", import.meta.url), "utf8"),
) as Vector[];

type Frame = [kind: number, stream: number, payload: string];

const bytesOf = (pieces: readonly (string | Uint8Array)[]): Buffer =>
  Buffer.concat(pieces.map((piece) => (typeof piece === "string" ? Buffer.from(piece, "latin1") : piece)));

/** Neighbouring pieces of one response as one: where they are cut means nothing. */
function seamless(frames: readonly Frame[]): Frame[] {
  const joined: Frame[] = [];
  for (const [kind, stream, payload] of frames) {
    const last = joined.at(-1);
    const goesOn = kind === FROM_WORKER.CHUNK && last?.[0] === kind && last[1] === stream;
    if (goesOn) last[2] += payload;
    else joined.push([kind, stream, payload]);
  }
  return joined;
}

/** Each chunk is overwritten once it was read, like the buffer that all links share. */
function read(...chunks: Buffer[]): Frame[] {
  const frames: Frame[] = [];
  const reader = new FrameReader((kind, stream, payload) => {
    const { bytes } = payload;
    assert.equal(payload.text(0, payload.length), bytes.toString("latin1"));
    frames.push([kind, stream, bytes.toString("hex")]);
  });
  for (const chunk of chunks) {
    const shared = Buffer.from(chunk);
    reader.push(shared);
    shared.fill(0xee);
  }
  assert.equal(reader.pending, 0);
  return frames;
}

describe("frames of the link", () => {
  const kinds: Record<string, number> = { ...TO_WORKER, ...FROM_WORKER };

  for (const { name, kind, number, stream, payload, bytes: data } of vectors) {
    test(`${kind}: ${name}`, () => {
      assert.equal(kinds[kind], number);
      const writer = new FrameWriter();
      writer.frame(number, stream, Buffer.from(payload, "hex"));
      assert.equal(bytesOf(writer.take()).toString("hex"), data);
      const expected: Frame[] = [[number, stream, payload]];
      const whole = Buffer.from(data, "hex");
      assert.deepEqual(read(whole), expected);
      assert.deepEqual(read(...[...whole].map((byte) => Buffer.of(byte))), expected);
      assert.deepEqual(read(Buffer.concat([whole, whole])), seamless([...expected, ...expected]));
    });
  }

  test("arrive the same however the bytes are cut", () => {
    const frames = fc.array(
      fc.tuple(
        fc.integer({ min: 0, max: 255 }),
        fc.integer({ min: 0, max: 0xffffffff }),
        fc.uint8Array({ maxLength: 400 }),
      ),
      { maxLength: 20 },
    );
    fc.assert(
      fc.property(frames, fc.array(fc.integer({ min: 1, max: 300 }), { minLength: 1 }), (sent, sizes) => {
        const writer = new FrameWriter();
        for (const [kind, stream, payload] of sent) writer.frame(kind, stream, payload);
        const data = bytesOf(writer.take());
        assert.deepEqual(
          seamless(read(...cut(data, sizes))),
          seamless(
            sent.map(([kind, stream, payload]) => [kind, stream, Buffer.from(payload).toString("hex")]),
          ),
        );
      }),
    );
  });

  test("that announce more than any frame can hold break the link, before anything is allocated", () => {
    const reader = new FrameReader(() => assert.fail("no frame is complete"));
    const header = Buffer.alloc(9);
    header.writeUInt32LE(MAX_FRAME + 1, 0);
    assert.throws(
      () => reader.push(header),
      (error) => error instanceof SallyportError && error.code === "ERR_SALLYPORT_LINK_BROKEN",
    );
  });

  test("pieces of one response that come together are one, of no more than a piece may have", () => {
    const sizes = [10_000, 0, 1, 30_000, 25_536, 1, 5];
    const writer = new FrameWriter();
    const sent: Frame[] = [];
    const send = (kind: number, stream: number, size: number): void => {
      const payload = randomBytes(size);
      writer.frame(kind, stream, payload);
      sent.push([kind, stream, payload.toString("hex")]);
    };
    for (const size of sizes) send(FROM_WORKER.CHUNK, 7, size);
    send(FROM_WORKER.CHUNK, 8, 100);
    send(FROM_WORKER.HEAD, 7, 3);
    send(FROM_WORKER.CHUNK, 7, 100);
    send(FROM_WORKER.CHUNK, 7, 100);
    const frames = read(bytesOf(writer.take()));
    assert.deepEqual(
      frames.map(([kind, stream, payload]) => [kind, stream, payload.length / 2]),
      [
        [FROM_WORKER.CHUNK, 7, 40_001],
        [FROM_WORKER.CHUNK, 7, 25_542],
        [FROM_WORKER.CHUNK, 8, 100],
        [FROM_WORKER.HEAD, 7, 3],
        [FROM_WORKER.CHUNK, 7, 200],
      ],
    );
    assert.deepEqual(seamless(frames), seamless(sent));
  });

  test("a large piece of a response is passed on as it arrives; frames around it come whole", () => {
    const large = randomBytes(100_000);
    const writer = new FrameWriter();
    writer.frame(FROM_WORKER.HEAD, 7, Buffer.from("200"));
    writer.frame(FROM_WORKER.CHUNK, 7, large);
    writer.frame(FROM_WORKER.END, 7);
    writer.frame(FROM_WORKER.BINARY_OUT, 8, large);
    const data = bytesOf(writer.take());
    for (const size of [1, 7, 9, 1000, 40_000, 100_012, 100_030, data.length]) {
      const frames: [number, number, Buffer][] = [];
      const reader = new FrameReader((kind, id, { bytes }) => frames.push([kind, id, bytes]));
      for (const piece of cut(data, [size])) reader.push(piece);
      const parts = frames.filter(([kind]) => kind === FROM_WORKER.CHUNK);
      assert.deepEqual(Buffer.concat(parts.map(([, , part]) => part)), large);
      assert.ok(parts.every(([, stream, part]) => stream === 7 && part.length > 0));
      assert.deepEqual(
        frames
          .filter(([kind]) => kind !== FROM_WORKER.CHUNK)
          .map(([kind, id, { length }]) => [kind, id, length]),
        [
          [FROM_WORKER.HEAD, 7, 3],
          [FROM_WORKER.END, 7, 0],
          [FROM_WORKER.BINARY_OUT, 8, large.length],
        ],
      );
    }
  });

  test("bytes behind text are one frame with it, and are not copied", () => {
    const large = randomBytes(60_000);
    const writer = new FrameWriter();
    writer.count(TO_WORKER.CREDIT, 2, 5);
    writer.text(TO_WORKER.REQUEST, 1, "text \xff", large);
    assert.equal(writer.length, 2 * HEADER_SIZE + 4 + 6 + large.length);
    assert.equal(writer.total, writer.length);
    const pieces = writer.take();
    assert.equal(pieces.at(-1), large);
    assert.deepEqual(read(bytesOf(pieces)), [
      [TO_WORKER.CREDIT, 2, "05000000"],
      [TO_WORKER.REQUEST, 1, Buffer.concat([Buffer.from("text \xff", "latin1"), large]).toString("hex")],
    ]);
  });

  test("a large payload leaves without a copy, in its place among the others", () => {
    const large = randomBytes(60_000);
    const write = (writer: FrameWriter): FrameWriter => {
      writer.frame(TO_WORKER.BODY, 1, large);
      writer.count(TO_WORKER.CREDIT, 2, 5);
      writer.frame(TO_WORKER.BODY, 3, large);
      writer.frame(TO_WORKER.BODY, 3, large);
      return writer;
    };
    const writer = write(new FrameWriter());
    assert.equal(writer.length, 3 * large.length + 4 * HEADER_SIZE + 4);
    const pieces = writer.take();
    assert.equal(pieces.filter((piece) => piece === large).length, 3);
    assert.equal(writer.length, 0);
    assert.deepEqual(pieces, write(writer).take());
    const hex = large.toString("hex");
    assert.deepEqual(read(bytesOf(pieces)), [
      [TO_WORKER.BODY, 1, hex],
      [TO_WORKER.CREDIT, 2, "05000000"],
      [TO_WORKER.BODY, 3, hex],
      [TO_WORKER.BODY, 3, hex],
    ]);
  });
});

function cut(data: Buffer, sizes: number[]): Buffer[] {
  const pieces: Buffer[] = [];
  for (let at = 0, i = 0; at < data.length; i++) {
    const size = sizes[i % sizes.length] as number;
    pieces.push(data.subarray(at, at + size));
    at += size;
  }
  return pieces;
}
