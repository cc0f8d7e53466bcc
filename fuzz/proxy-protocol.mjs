// Invariant: any octets, split anywhere, give a header and what follows it untouched, a wish for more (never beyond 4,096 octets), or one SallyportError; however they were cut.
// node --import tsx fuzz/proxy-protocol.mjs [seconds] [seed]
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { SallyportError } from "../src/exchange/index.ts";
import { HeaderReader } from "../src/sockets/proxy-protocol/codec.ts";

const [seconds = "10", seed = String(Date.now() % 2 ** 31)] = process.argv.slice(2);
const MOST = 4_096;
const VECTORS = JSON.parse(
  readFileSync(new URL("../test/vectors/proxy-protocol.json", import.meta.url), "utf8"),
).map(({ octets }) => Buffer.from(octets, "hex"));

let state = Number(seed) || 1;
/** mulberry32: small, and the same on every machine. */
function random(below) {
  state = (state + 0x6d2b79f5) | 0;
  let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
  mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
  return ((mixed ^ (mixed >>> 14)) >>> 0) % below;
}

/** A header that somebody has altered: octets changed, a piece left out or doubled. */
function input() {
  const octets = Buffer.from(VECTORS[random(VECTORS.length)]);
  for (let flips = random(4); flips > 0; flips--) octets[random(octets.length)] = random(256);
  const [from, to] = [random(octets.length + 1), random(octets.length + 1)];
  const kinds = [
    octets,
    Buffer.concat([octets.subarray(0, from), octets.subarray(to)]),
    Buffer.concat([octets, octets]),
  ];
  return kinds[random(kinds.length)];
}

function pieces(octets) {
  const cut = [];
  for (let at = 0; at < octets.length; ) {
    const size = 1 + random(random(2) ? 9 : octets.length);
    cut.push(octets.subarray(at, at + size));
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
      const octets = Buffer.concat(parts);
      assert.ok(octets.subarray(octets.length - rest.length).equals(rest));
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
  const octets = input();
  try {
    const whole = read([octets]);
    assert.deepEqual(read(pieces(octets)), whole);
    if (Array.isArray(whole)) accepted++;
  } catch (error) {
    console.error(`seed ${seed}, run ${runs}: ${octets.toString("hex")}`);
    throw error;
  }
}
console.log(`${runs} inputs, ${accepted} headers accepted, seed ${seed}`);
