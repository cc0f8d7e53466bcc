// The records of FastCGI: vectors, every way to cut them, and round trips.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import fc from "fast-check";
import {
  abortRequest,
  beginRequest,
  endRequest,
  type RecordPiece,
  RecordReader,
  readBegin,
  readEnd,
  STATUS,
  streamEnd,
  streamPart,
  TYPE,
  unknownType,
  wholeStream,
} from "../../../src/protocols/fastcgi/codec.ts";
import { decodePairs, encodePairs } from "../../../src/protocols/fastcgi/pairs.ts";

interface Piece {
  type: number;
  id: number;
  content: string;
}

interface Vectors {
  records: { name: string; hex: string; pieces: Piece[] }[];
  written: { what: string; hex: string }[];
  pairs: { name: string; hex: string; pairs: string[] }[];
  notPairs: { name: string; hex: string }[];
}

const vectors: Vectors = JSON.parse(
  readFileSync(new URL("../../vectors/fastcgi.json", import.meta.url), "utf8"),
);
const bytes = (hex: string): Buffer => Buffer.from(hex.replace(/[^0-9a-f]/g, ""), "hex");
const VIOLATION = { code: "ERR_SALLYPORT_BAD_REQUEST" };

function drain(reader: RecordReader): RecordPiece[] {
  const pieces: RecordPiece[] = [];
  for (let piece = reader.next(); piece; piece = reader.next()) pieces.push(piece);
  return pieces;
}

/** Pieces of one stream that follow each other are one, so that the result does not depend on the cuts. */
function joined(pieces: RecordPiece[]): Piece[] {
  const result: Piece[] = [];
  for (const { type, id, content } of pieces) {
    const last = result.at(-1);
    const hex = content.toString("hex");
    if (last && last.type === type && last.id === id && hex !== "" && last.content !== "")
      last.content += hex;
    else result.push({ type, id, content: hex });
  }
  return result;
}

function readIn(pieces: Buffer[]): Piece[] {
  const reader = new RecordReader("BAD_REQUEST");
  const found = pieces.flatMap((piece) => {
    reader.feed(piece);
    return drain(reader);
  });
  assert.ok(reader.between);
  return joined(found);
}

for (const { name, hex, pieces } of vectors.records) {
  test(`${name}: read whole, and byte by byte (F1)`, () => {
    const all = bytes(hex);
    assert.deepEqual(readIn([all]), pieces);
    assert.deepEqual(readIn(Array.from(all, (_, i) => all.subarray(i, i + 1))), pieces);
  });

  test(`${name}: read at every cut, and with bytes left over`, () => {
    const all = bytes(hex);
    for (let cut = 1; cut < all.length; cut++)
      assert.deepEqual(readIn([all.subarray(0, cut), all.subarray(cut)]), pieces);
    const reader = new RecordReader("BAD_REQUEST");
    reader.feed(Buffer.concat([all, bytes("01 06 00")]));
    assert.deepEqual(joined(drain(reader)), pieces);
    assert.equal(reader.between, false);
  });
}

test("what is written is what the vectors say", () => {
  const written: Record<string, Buffer> = {
    "beginRequest 1 responder keep": beginRequest(1, "responder", true),
    "beginRequest 258 filter close": beginRequest(258, "filter", false),
    "abortRequest 2": abortRequest(2),
    "endRequest 1 status 1 overloaded": endRequest(1, 1, STATUS.OVERLOADED),
    "stdout 1 of 3 bytes": streamPart(TYPE.STDOUT, 1, Buffer.from("abc")),
    "end of stdout 1": streamEnd(TYPE.STDOUT, 1),
    "unknown type 42": unknownType(42),
  };
  for (const { what, hex } of vectors.written) assert.deepEqual(written[what], bytes(hex), what);
});

test("F2: 65,535 bytes with 255 of padding are 65,790, and what follows is read", () => {
  const content = Buffer.alloc(65_535, "a");
  const record = Buffer.concat([bytes("01 06 0001 ffff ff 00"), content, Buffer.alloc(255)]);
  const pieces = readIn([Buffer.concat([record, streamEnd(TYPE.STDOUT, 1)])]);
  assert.deepEqual(
    pieces.map(({ content }) => content.length / 2),
    [65_535, 0],
  );
});

test("F3: 99,000 bytes leave in several records, none longer than its length field can say", () => {
  const data = Buffer.alloc(99_000, "x");
  const written = wholeStream(TYPE.STDIN, 1, data);
  assert.equal(written.readUInt16BE(4), 65_528);
  assert.deepEqual(readIn([written]), [
    { type: TYPE.STDIN, id: 1, content: data.toString("hex") },
    { type: TYPE.STDIN, id: 1, content: "" },
  ]);
});

test("F4: no data makes no record, which would be the end", () => {
  assert.equal(streamPart(TYPE.STDOUT, 1, Buffer.alloc(0)).length, 0);
});

test("F17: a version other than 1 is a violation at its first byte", () => {
  for (const version of [0, 2, 255]) {
    const reader = new RecordReader("BAD_REQUEST");
    reader.feed(Buffer.from([version]));
    assert.throws(() => reader.next(), VIOLATION);
  }
});

test("contents that are too short say nothing", () => {
  assert.equal(readBegin(Buffer.from([0, 1])), undefined);
  assert.equal(readEnd(Buffer.from([0, 0, 0, 1])), undefined);
  assert.deepEqual(readBegin(bytes("0001 01")), { role: 1, keep: true });
  assert.deepEqual(readEnd(bytes("00000102 03")), { appStatus: 258, protocolStatus: 3 });
});

for (const { name, hex, pairs } of vectors.pairs)
  test(`pairs: ${name}`, () => assert.deepEqual(decodePairs(bytes(hex), "BAD_REQUEST"), pairs));

for (const { name, hex } of vectors.notPairs)
  test(`not pairs: ${name}`, () => assert.throws(() => decodePairs(bytes(hex), "BAD_REQUEST"), VIOLATION));

test("F5: lengths of 127 and 128 bytes are written in one and in four", () => {
  for (const length of [0, 1, 127, 128, 300]) {
    const pairs = ["N".repeat(length), "v".repeat(length)];
    const written = encodePairs(pairs);
    assert.equal(written.length, 2 * length + (length > 127 ? 8 : 2));
    assert.deepEqual(decodePairs(written, "BAD_REQUEST"), pairs);
  }
});

const latin1 = fc.string({ unit: fc.nat(255).map((code) => String.fromCharCode(code)), maxLength: 300 });

test("any pairs are read as they were written", () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(latin1, latin1), { maxLength: 6 }), (pairs) => {
      assert.deepEqual(decodePairs(encodePairs(pairs.flat()), "BAD_REQUEST"), pairs.flat());
    }),
  );
});

test("any streams are read as they were written, wherever the connection cuts them", () => {
  const stream = fc.record({
    type: fc.constantFrom(TYPE.PARAMS, TYPE.STDIN, TYPE.STDOUT, TYPE.STDERR, TYPE.DATA),
    id: fc.integer({ min: 1, max: 65_535 }),
    data: fc.uint8Array({ maxLength: 400 }),
  });
  fc.assert(
    fc.property(fc.array(stream, { maxLength: 5 }), fc.integer({ min: 1, max: 50 }), (streams, size) => {
      const all = Buffer.concat(streams.map(({ type, id, data }) => wholeStream(type, id, data)));
      const cuts: Buffer[] = [];
      for (let at = 0; at < all.length; at += size) cuts.push(all.subarray(at, at + size));
      const expected = streams.flatMap(({ type, id, data }) => {
        const end = { type, id, content: "" };
        const content = Buffer.from(data).toString("hex");
        return content === "" ? [end] : [{ type, id, content }, end];
      });
      assert.deepEqual(readIn(cuts), expected);
    }),
  );
});

test("any bytes give records or one protocol error", () => {
  fc.assert(
    fc.property(fc.array(fc.uint8Array({ maxLength: 40 }), { maxLength: 8 }), (chunks) => {
      const reader = new RecordReader("BAD_REQUEST");
      try {
        for (const chunk of chunks) {
          reader.feed(Buffer.from(chunk));
          drain(reader);
        }
        decodePairs(Buffer.concat(chunks), "BAD_REQUEST");
      } catch (error) {
        assert.equal((error as { code: string }).code, VIOLATION.code);
      }
    }),
  );
});
