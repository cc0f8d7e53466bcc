import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, test } from "node:test";
import fc from "fast-check";
import { SallyportError } from "../../src/exchange/index.ts";
import { FROM_WORKER, FrameReader, FrameWriter, MAX_FRAME, TO_WORKER } from "../../src/workers/link.ts";

interface Vector {
  name: string;
  kind: string;
  number: number;
  stream: number;
  payload: string;
  octets: string;
}

const vectors = JSON.parse(
  readFileSync(new URL("../vectors/link.json", import.meta.url), "utf8"),
) as Vector[];

type Frame = [kind: number, stream: number, payload: string];

function read(...chunks: Buffer[]): Frame[] {
  const frames: Frame[] = [];
  const reader = new FrameReader((kind, stream, payload) =>
    frames.push([kind, stream, payload.toString("hex")]),
  );
  for (const chunk of chunks) reader.push(chunk);
  assert.equal(reader.pending, 0);
  return frames;
}

describe("frames of the link", () => {
  const kinds: Record<string, number> = { ...TO_WORKER, ...FROM_WORKER };

  for (const { name, kind, number, stream, payload, octets } of vectors) {
    test(`${kind}: ${name}`, () => {
      assert.equal(kinds[kind], number);
      const writer = new FrameWriter();
      writer.frame(number, stream, Buffer.from(payload, "hex"));
      assert.equal(writer.take().toString("hex"), octets);
      const expected: Frame[] = [[number, stream, payload]];
      const whole = Buffer.from(octets, "hex");
      assert.deepEqual(read(whole), expected);
      assert.deepEqual(read(...[...whole].map((octet) => Buffer.of(octet))), expected);
      assert.deepEqual(read(Buffer.concat([whole, whole])), [...expected, ...expected]);
    });
  }

  test("arrive the same however the octets are cut", () => {
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
        const writer = new FrameWriter(16);
        for (const [kind, stream, payload] of sent) writer.frame(kind, stream, payload);
        const octets = writer.take();
        assert.deepEqual(
          read(...cut(octets, sizes)),
          sent.map(([kind, stream, payload]) => [kind, stream, Buffer.from(payload).toString("hex")]),
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

  test("a dropped frame leaves those before it untouched", () => {
    const writer = new FrameWriter();
    writer.frame(1, 1, Buffer.from("kept"));
    writer.begin(2, 2);
    writer.entry("half", "written");
    writer.drop();
    assert.deepEqual(read(writer.take()), [[1, 1, Buffer.from("kept").toString("hex")]]);
  });
});

function cut(octets: Buffer, sizes: number[]): Buffer[] {
  const pieces: Buffer[] = [];
  for (let at = 0, i = 0; at < octets.length; i++) {
    const size = sizes[i % sizes.length] as number;
    pieces.push(octets.subarray(at, at + size));
    at += size;
  }
  return pieces;
}
