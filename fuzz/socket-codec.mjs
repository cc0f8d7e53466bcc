// Shared by the fuzz targets of SCGI and uwsgi: requests with bytes changed, and the invariant of every result.
import assert from "node:assert/strict";
import { SallyportError } from "../src/exchange/index.ts";

/** mulberry32: small, and the same on every machine. */
function generator(seed) {
  let state = seed;
  const random = (below) => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below;
  };
  return { random, seed: () => state };
}

/** Runs until the time is over or the invariant is broken. */
export function fuzzCodec({
  name,
  newReader,
  encodeRequest,
  seconds = "10",
  seed = String(Date.now() % 2 ** 31),
}) {
  const { random, seed: now } = generator(Number(seed) || 1);
  const end = Date.now() + Number(seconds) * 1000;
  let runs = 0;
  for (; Date.now() < end; runs++) {
    const before = now();
    const bytes = input(random, encodeRequest);
    try {
      const whole = read(newReader(), [bytes]);
      assert.deepEqual(read(newReader(), cut(bytes, random)), whole);
      assert.ok(whole === "refused" || whole === "more" || whole.join("").length <= bytes.length);
    } catch (error) {
      console.error(`seed ${before}: ${bytes.toString("hex")}`);
      throw error;
    }
  }
  console.log(`${name}: ${runs} inputs, no violation of the invariant (seed ${seed})`);
}

const NAMES = ["REQUEST_METHOD", "CONTENT_LENGTH", "SCGI", "HTTP_X", "A", ""];

function input(random, encodeRequest) {
  const text = (most) =>
    Array.from({ length: random(most) }, () => String.fromCharCode(1 + random(255))).join("");
  const variables = new Map();
  for (let pairs = random(6); pairs > 0; pairs--)
    variables.set(NAMES[random(NAMES.length - 1)] + text(2), text(40));
  const rest = Buffer.from(text(30), "latin1");
  const bytes = Buffer.concat([encodeRequest(variables, random(100)), rest]);
  for (let flips = random(4); flips > 0; flips--) bytes[random(bytes.length)] = random(256);
  return bytes;
}

function cut(bytes, random) {
  const pieces = [];
  for (let at = 0; at < bytes.length; ) {
    const size = 1 + random(9);
    pieces.push(bytes.subarray(at, at + size));
    at += size;
  }
  return pieces;
}

/** The strings that were read and all bytes after them; "more"; or "refused". */
function read(reader, pieces) {
  try {
    for (const [at, piece] of pieces.entries()) {
      const found = reader.feed(piece);
      if (found)
        return [...found.variables, Buffer.concat([found.rest, ...pieces.slice(at + 1)]).toString("latin1")];
    }
    return "more";
  } catch (error) {
    assert.ok(error instanceof SallyportError, String(error));
    return "refused";
  }
}
