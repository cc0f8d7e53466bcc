// Invariant: any bytes, split anywhere, give a header and what follows it untouched, a wish for more (never beyond 4,096 bytes), or one SallyportError; however they were cut.
// node --import tsx fuzz/proxy-protocol.mjs [seconds] [seed]
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { SallyportError } from "../src/exchange/index.ts";
import { HeaderReader } from "../src/sockets/proxy-protocol/codec.ts";

const [seconds = "10", seed = String(Date.now() % 2 ** 31)] = process.argv.slice(2);
const MOST = 4_096;
const VECTORS = JSON.parse(
  readFileSync(new URL("../test/vectors/proxy-protocol.json", import.meta.url), "utf8"),
).map(({ bytes }) => Buffer.from(bytes, "hex"));

let state = Number(seed) || 1;
/** mulberry32: small, and the same on every machine. */
function random(below) {
  state = (state + 0x6d2b79f5) | 0;
  let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
  mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
  return ((mixed ^ (mixed >>> 14)) >>> 0) % below;
}

/** A header that somebody has altered: bytes changed, a piece left out or doubled. */
function input() {
  const bytes = Buffer.from(VECTORS[random(VECTORS.length)]);
  for (let flips = random(4); flips > 0; flips--) bytes[random(bytes.length)] = random(256);
  const [from, to] = [random(bytes.length + 1), random(bytes.length + 1)];
  const kinds = [
    bytes,
    Buffer.concat([bytes.subarray(0, from), bytes.subarray(to)]),
    Buffer.concat([bytes, bytes]),
  ];
  return kinds[random(kinds.length)];
}

function pieces(bytes) {
  const cut = [];
  for (let at = 0; at < bytes.length; ) {
    const size = 1 + random(random(2) ? 9 : bytes.length);
    cut.push(bytes.subarray(at, at + size));
    at += size;
  }
  return cut;
}

function read(parts) {
  const reader = new HeaderReader();
  try {
    for (const [i, part] of parts.entries()) {
      const found = reader.feed(part);
      if (!found) continue;
      const rest = Buffer.concat([found.rest, ...parts.slice(i + 1)]);
      const bytes = Buffer.concat(parts);
      assert.ok(bytes.subarray(bytes.length - rest.length).equals(rest));
      return [found.header, rest.toString("hex")];
    }
  } catch (error) {
    if (!(error instanceof SallyportError) || error.fault !== "client") throw error;
    return "refused";
  }
  assert.ok(Buffer.concat(parts).length < MOST, "waits for ever");
  return "more";
}

const until = Date.now() + Number(seconds) * 1000;
let runs = 0;
let accepted = 0;
for (; Date.now() < until; runs++) {
  const bytes = input();
  try {
    const whole = read([bytes]);
    assert.deepEqual(read(pieces(bytes)), whole);
    if (Array.isArray(whole)) accepted++;
  } catch (error) {
    console.error(`seed ${seed}, run ${runs}: ${bytes.toString("hex")}`);
    throw error;
  }
}
console.log(`${runs} inputs, ${accepted} headers accepted, seed ${seed}`);
