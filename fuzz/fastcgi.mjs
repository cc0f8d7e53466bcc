// Invariant: any bytes, split anywhere, give records or one SallyportError; the reader never holds more than one record; a record that is read means the same however it was cut; pairs are read or refused, and never larger than what held them.
// node --import tsx fuzz/fastcgi.mjs [seconds] [seed]
import assert from "node:assert/strict";
import { SallyportError } from "../src/exchange/index.ts";
import {
  beginRequest,
  endRequest,
  RecordReader,
  streamEnd,
  streamPart,
  unknownType,
} from "../src/protocols/fastcgi/codec.ts";
import { decodePairs, encodePairs } from "../src/protocols/fastcgi/pairs.ts";

const [seconds = "10", seed = String(Date.now() % 2 ** 31)] = process.argv.slice(2);

let state = Number(seed) || 1;
/** mulberry32: small, and the same on every machine. */
function random(below) {
  state = (state + 0x6d2b79f5) | 0;
  let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
  mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
  return ((mixed ^ (mixed >>> 14)) >>> 0) % below;
}

const bytes = (most) => Buffer.from(Array.from({ length: random(most) }, () => random(256)));
const PARTS = [
  () => beginRequest(random(4), "responder", random(2) === 1),
  () => endRequest(random(4), random(2), random(4)),
  () => streamPart(4 + random(5), random(4), bytes(300)),
  () => streamEnd(4 + random(5), random(4)),
  () => unknownType(random(256)),
  () => streamPart(4, 1, encodePairs(["A", bytes(200).toString("latin1")])),
  () => Buffer.from([1, random(256), 0, random(3), 0, random(40), random(10), 0]),
  () => bytes(20),
];

function input() {
  const data = Buffer.concat(Array.from({ length: 1 + random(6) }, () => PARTS[random(PARTS.length)]()));
  for (let flips = random(3); flips > 0 && data.length > 0; flips--) data[random(data.length)] = random(256);
  return data;
}

/** Everything read, joined so that cuts do not show; and the error, if there was one. */
function read(data, nextSize) {
  const reader = new RecordReader("BAD_REQUEST");
  const words = [];
  try {
    for (let at = 0; at < data.length; ) {
      const size = nextSize();
      reader.feed(data.subarray(at, at + size));
      at += size;
      for (let found = reader.next(); found; found = reader.next()) words.push(...wordsOf(found));
    }
  } catch (error) {
    assert.ok(error instanceof SallyportError, String(error));
    words.push("violation");
  }
  return words.join("");
}

const wordsOf = ({ type, id, content }) =>
  content.length === 0 ? [`|${type},${id}.`] : [...content].map((byte) => `|${type},${id}:${byte}`);

function pairsHold(data) {
  try {
    const pairs = decodePairs(data, "BAD_REQUEST");
    assert.ok(pairs.join("").length <= data.length);
    assert.deepEqual(decodePairs(encodePairs(pairs), "BAD_REQUEST"), pairs);
  } catch (error) {
    assert.ok(error instanceof SallyportError, String(error));
  }
}

const end = Date.now() + Number(seconds) * 1000;
let runs = 0;
for (; Date.now() < end; runs++) {
  const before = state;
  const data = input();
  try {
    const whole = read(data, () => data.length);
    assert.equal(
      read(data, () => 1 + random(9)),
      whole,
    );
    pairsHold(data);
  } catch (error) {
    console.error(`seed ${before}: ${data.toString("hex")}`);
    throw error;
  }
}
console.log(`fastcgi: ${runs} inputs, no violation of the invariant (seed ${seed})`);
