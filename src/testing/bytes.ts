// Turns the suite's data into bytes.
// Tested by test/testing/run.test.ts.
import type { Bytes } from "./case.ts";

/** A prime, so that no piece of a power of two looks like its neighbour. */
const PERIOD = 251;

const pattern: Buffer = Buffer.from(Array.from({ length: PERIOD }, (_, i) => i));

export function toBytes(bytes: Bytes = ""): Buffer {
  if (typeof bytes === "string") return Buffer.from(bytes, "latin1");
  return Buffer.alloc(bytes.size, pattern);
}
