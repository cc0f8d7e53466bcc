// Octets of the suite's data as octets in memory.
import type { Bytes } from "./case.ts";

/** A prime, so that no piece of a power of two looks like its neighbour. */
const PERIOD = 251;

const pattern: Buffer = Buffer.from(Array.from({ length: PERIOD }, (_, i) => i));

export function toBytes(octets: Bytes = ""): Buffer {
  if (typeof octets === "string") return Buffer.from(octets, "latin1");
  return Buffer.alloc(octets.size, pattern);
}
