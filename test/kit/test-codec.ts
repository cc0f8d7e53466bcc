// Tests for the codecs of "CGI over a socket": vectors, every way of cutting bytes, and properties.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import fc from "fast-check";
import type { VariablesRead, VariablesReader } from "../../src/cgi/socket/incoming.ts";
import { type ErrorName, SallyportError } from "../../src/exchange/index.ts";

/** Bytes in hex beside what they mean; `error` where they must be refused. */
export interface Vector {
  readonly name: string;
  readonly meaning: string;
  readonly bytes: string;
  readonly variables: readonly string[];
  readonly rest: string;
  readonly error?: ErrorName;
}

export const vectors = (protocol: string): Vector[] =>
  JSON.parse(readFileSync(new URL(`../vectors/${protocol}.json`, import.meta.url), "utf8"));

/** Feeds pieces until the variables are there. */
export function readAll(reader: VariablesReader, pieces: readonly Uint8Array[]): VariablesRead | undefined {
  for (const [at, piece] of pieces.entries()) {
    const read = reader.feed(piece);
    if (read) return { ...read, rest: Buffer.concat([read.rest, ...pieces.slice(at + 1)]) };
  }
  return undefined;
}

export const bytewise = (bytes: Uint8Array): Uint8Array[] => Array.from(bytes, (byte) => Uint8Array.of(byte));

function checkVector(vector: Vector, reader: VariablesReader, pieces: readonly Uint8Array[]): void {
  if (vector.error !== undefined) {
    assert.throws(() => readAll(reader, pieces), { code: `ERR_SALLYPORT_${vector.error}` });
    return;
  }
  const read = readAll(reader, pieces);
  assert.deepEqual(read?.variables, vector.variables);
  assert.equal(Buffer.from(read?.rest ?? []).toString("hex"), vector.rest);
}

/** Every vector of `protocol`, whole, byte by byte, and in two pieces cut everywhere. */
export function testVectors(protocol: string, newReader: () => VariablesReader): void {
  for (const vector of vectors(protocol)) {
    const bytes = Buffer.from(vector.bytes, "hex");
    const does = vector.error === undefined ? "is read" : "is refused";
    test(`${protocol}: ${vector.name} ${does}, however it arrives`, () => {
      checkVector(vector, newReader(), [bytes]);
      checkVector(vector, newReader(), bytewise(bytes));
      for (let at = 1; at < bytes.length; at++)
        checkVector(vector, newReader(), [bytes.subarray(0, at), bytes.subarray(at)]);
    });
  }
}

/** Any bytes, in any pieces: variables, or nothing yet, or an error of ours. */
export function testAnyBytes(protocol: string, newReader: () => VariablesReader): void {
  test(`${protocol}: any bytes give variables, ask for more, or are refused with an error of ours`, () => {
    const pieces = fc.array(fc.uint8Array({ maxLength: 40 }), { maxLength: 6 });
    fc.assert(
      fc.property(pieces, (given) => {
        try {
          readAll(newReader(), given);
        } catch (error) {
          assert.ok(error instanceof SallyportError);
        }
      }),
    );
  });
}

/** Names and values as latin-1, without the byte 0, each name once. */
export const anyVariables: fc.Arbitrary<Map<string, string>> = fc
  .array(
    fc.tuple(latin1(1, 20), latin1(0, 60)).filter(([name]) => !["CONTENT_LENGTH", "SCGI"].includes(name)),
    { maxLength: 20 },
  )
  .map((pairs) => new Map(pairs));

function latin1(minLength: number, maxLength: number): fc.Arbitrary<string> {
  return fc
    .array(fc.integer({ min: 1, max: 255 }), { minLength, maxLength })
    .map((bytes) => String.fromCharCode(...bytes));
}
