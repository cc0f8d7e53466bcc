// PROXY headers as bytes: whole, byte by byte, with bytes left over, and mutilated.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import fc from "fast-check";
import { type Address, SallyportError } from "../../../src/exchange/index.ts";
import { HeaderReader, type ProxyHeader } from "../../../src/sockets/proxy-protocol/codec.ts";
import { crc32c } from "../../../src/sockets/proxy-protocol/crc32c.ts";
import { type Extra, OVER_TLS, summed, version1, version2 } from "../../kit/proxy-header.ts";

interface Vector {
  readonly name: string;
  readonly bytes: string;
  readonly addresses?: ProxyHeader["addresses"] | null;
  readonly encrypted?: boolean;
  readonly rest?: string;
  readonly refused?: true;
  readonly incomplete?: true;
}

const VECTORS: readonly Vector[] = JSON.parse(
  readFileSync(new URL("../../vectors/proxy-protocol.json", import.meta.url), "utf8"),
);

type Read =
  | "refused"
  | "incomplete"
  | { addresses: ProxyHeader["addresses"] | null; encrypted: boolean; rest: string };

/** What a reader makes of the pieces; what it was not fed any more is left over, too. */
function readAll(pieces: readonly Buffer[]): Read {
  const reader = new HeaderReader();
  for (const [i, piece] of pieces.entries()) {
    const read = attempt(() => reader.feed(piece));
    if (read === "refused") return read;
    if (!read) continue;
    const { addresses = null, encrypted } = read.header;
    return { addresses, encrypted, rest: Buffer.concat([read.rest, ...pieces.slice(i + 1)]).toString("hex") };
  }
  return "incomplete";
}

function attempt<T>(act: () => T): T | "refused" {
  try {
    return act();
  } catch (error) {
    assert.ok(error instanceof SallyportError, String(error));
    assert.equal(error.fault, "client");
    return "refused";
  }
}

const bytewise = (bytes: Buffer): Buffer[] => [...bytes].map((byte) => Buffer.from([byte]));

function expected({ refused, incomplete, addresses = null, encrypted = false, rest = "" }: Vector): Read {
  if (refused) return "refused";
  return incomplete ? "incomplete" : { addresses, encrypted, rest };
}

for (const vector of VECTORS) {
  const bytes = Buffer.from(vector.bytes, "hex");
  test(`${vector.name}: whole, and byte by byte`, () => {
    assert.deepEqual(readAll([bytes]), expected(vector));
    assert.deepEqual(readAll(bytewise(bytes)), expected(vector));
  });
}

test("no byte more is waited for than a header has, nor after the first that no header has", () => {
  for (const vector of VECTORS.filter(({ refused, incomplete }) => !refused && !incomplete)) {
    const bytes = Buffer.from(vector.bytes, "hex");
    const header = bytes.subarray(0, bytes.length - (vector.rest?.length ?? 0) / 2);
    assert.notEqual(readAll([header]), "incomplete", vector.name);
    assert.equal(readAll([header.subarray(0, -1)]), "incomplete", vector.name);
  }
  assert.equal(readAll([Buffer.from("PROXx")]), "refused");
  assert.equal(readAll([Buffer.from("0d0a0d0a01", "hex")]), "refused");
});

test("crc32c is that of RFC 3720, B.4", () => {
  assert.equal(crc32c(new Uint8Array(32)), 0x8a9136aa);
  assert.equal(crc32c(new Uint8Array(32).fill(0xff)), 0x62a8ab43);
  assert.equal(crc32c(Uint8Array.from({ length: 32 }, (_, i) => i)), 0x46dd794e);
});

const plain = { noNullPrototype: true } as const;
const port = fc.nat(65_535);
const ipv4 = fc.tuple(fc.nat(255), fc.nat(255), fc.nat(255), fc.nat(255)).map((bytes) => bytes.join("."));
const ipv6 = fc
  .array(fc.nat(0xffff), { minLength: 8, maxLength: 8 })
  .map((groups) => groups.map((group) => group.toString(16)).join(":"));
const addresses = fc.oneof(
  ...[ipv4, ipv6].map((ip) => fc.record({ remote: end(ip), local: end(ip) }, plain)),
);
/** Types that mean nothing to us. */
const extras = fc.array(
  fc.record({ type: fc.integer({ min: 0xe0, max: 0xff }), value: fc.uint8Array({ maxLength: 60 }) }),
  { maxLength: 5 },
);

function end(ip: fc.Arbitrary<string>): fc.Arbitrary<Address> {
  return fc.record({ address: ip, port }, plain);
}

test("what a proxy writes is read, however it is cut, and what follows is left alone", () => {
  fc.assert(
    fc.property(addresses, extras, fc.boolean(), fc.uint8Array(), (said, more, encrypted, body) => {
      const all: Extra[] = encrypted ? [OVER_TLS, ...more] : more;
      const binary = version2(said, all);
      const rest = Buffer.from(body).toString("hex");
      for (const bytes of [binary, summed(binary)]) {
        const sent = Buffer.concat([bytes, body]);
        for (const pieces of [[sent], bytewise(sent)])
          assert.deepEqual(readAll(pieces), { addresses: said, encrypted, rest });
      }
      const line = Buffer.concat([version1(said), body]);
      for (const pieces of [[line], bytewise(line)])
        assert.deepEqual(readAll(pieces), { addresses: said, encrypted: false, rest });
    }),
    { numRuns: 60 },
  );
});

test("any byte of a header with a checksum may be changed, and it is never believed to say something else", () => {
  fc.assert(
    fc.property(addresses, fc.nat(), fc.integer({ min: 1, max: 255 }), (said, at, flip) => {
      const bytes = summed(version2(said));
      const whole = readAll([bytes]);
      // From the addresses on: what is before says where the checksum is.
      const place = 16 + (at % (bytes.length - 16));
      bytes[place] = (bytes[place] as number) ^ flip;
      const read = readAll([bytes]);
      // A checksum that is taken for another extra guards nothing any more; the addresses are then still the same.
      if (read !== "refused") assert.deepEqual({ ...(read as object) }, whole);
    }),
  );
});

test("any bytes are a header, a part of one, or refused with one error", () => {
  const start = fc.constantFrom(
    "",
    "50524f585920",
    "0d0a0d0a000d0a515549540a",
    "0d0a0d0a000d0a515549540a2111",
  );
  fc.assert(
    fc.property(start, fc.uint8Array({ maxLength: 200 }), (hex, bytes) => {
      const sent = Buffer.concat([Buffer.from(hex, "hex"), bytes]);
      assert.deepEqual(readAll(bytewise(sent)), readAll([sent]));
    }),
  );
});
