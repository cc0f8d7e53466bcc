// Version 2 of the PROXY protocol (specification, 2.2): sixteen octets, two addresses, and what else a proxy has to say.
import type { Address } from "../../exchange/index.ts";
import { crc32c } from "./crc32c.ts";
import { bad, NOTHING_SAID, type ProxyHeader } from "./header.ts";

/** No other protocol begins so. */
export const SIGNATURE: Buffer = Buffer.from("0d0a0d0a000d0a515549540a", "hex");
/** Signature, version and command, family and transport, length of the rest. */
export const FIXED = 16;
/**
 * Octets of a header at the most. The format is made to fit into 536 (the smallest segment); a proxy that adds the
 * client's certificate needs more.
 */
export const LONGEST_HEADER = 4_096;

const COMMAND = { local: 0x20, proxy: 0x21 } as const;
const TLV = { crc32c: 0x03, ssl: 0x20 } as const;
const CLIENT_SSL = 0x01;

type ReadAddress = (octets: Buffer, at: number) => string;

interface Family {
  /** Octets of both addresses, with their ports. */
  readonly size: number;
  readonly read: (octets: Buffer) => ProxyHeader["ends"];
}

const inet = (octets: number, text: ReadAddress): Family => ({
  size: 2 * octets + 4,
  read: (block) => ({
    remote: { address: text(block, 0), port: block.readUInt16BE(2 * octets) },
    local: { address: text(block, octets), port: block.readUInt16BE(2 * octets + 2) },
  }),
});

const ignored = (size: number): Family => ({ size, read: () => undefined });

const UNIX = 108;
const unix: Family = {
  size: 2 * UNIX,
  read: (block) => ({
    remote: unixAddress(block.subarray(0, UNIX)),
    local: unixAddress(block.subarray(UNIX)),
  }),
};

const ipv4: ReadAddress = (octets, at) => octets.subarray(at, at + 4).join(".");
const ipv6: ReadAddress = (octets, at) =>
  Array.from({ length: 8 }, (_, i) => octets.readUInt16BE(at + 2 * i).toString(16)).join(":");

/** Family and transport; all others are invalid. A datagram is no connection, and its addresses are not those of ours. */
const FAMILIES: Readonly<Record<number, Family>> = {
  17: inet(4, ipv4),
  18: ignored(12),
  33: inet(16, ipv6),
  34: ignored(36),
  49: unix,
  50: ignored(216),
};
const UNSPECIFIED = 0x00;

/** How long the whole header is, by its first sixteen octets. Throws BAD_REQUEST. */
export function headerSize(octets: Buffer): number {
  if (octets[12] !== COMMAND.local && octets[12] !== COMMAND.proxy)
    throw bad("an unknown version or command");
  const size = FIXED + octets.readUInt16BE(14);
  if (size > LONGEST_HEADER) throw bad(`of more than ${LONGEST_HEADER} octets`);
  return size;
}

/** Reads a whole header. Throws BAD_REQUEST. */
export function readHeader(octets: Buffer): ProxyHeader {
  // What follows is to be discarded, be it as it may.
  if (octets[12] === COMMAND.local || octets[13] === UNSPECIFIED) return NOTHING_SAID;
  const family = FAMILIES[octets[13] as number];
  if (!family) throw bad("an unknown family or transport");
  const block = octets.subarray(FIXED);
  if (block.length < family.size) throw bad("too short for its addresses");
  return { ends: family.read(block), encrypted: readExtras(octets, FIXED + family.size) };
}

/** Whether the client speaks TLS, from the extras at `start`, all of which must be whole. */
function readExtras(octets: Buffer, start: number): boolean {
  let encrypted = false;
  for (const { type, value, at } of extrasOf(octets, start)) {
    if (type === TLV.crc32c) checkSum(octets, value, at);
    else if (type === TLV.ssl) encrypted = readSsl(value);
  }
  return encrypted;
}

interface Extra {
  readonly type: number;
  readonly value: Buffer;
  /** Where the value begins. */
  readonly at: number;
}

function extrasOf(octets: Buffer, start: number): Extra[] {
  const extras: Extra[] = [];
  for (let at = start; at < octets.length; ) {
    if (at + 3 > octets.length) throw bad("an extra that breaks off");
    const end = at + 3 + octets.readUInt16BE(at + 1);
    if (end > octets.length) throw bad("an extra that is longer than the header");
    extras.push({ type: octets[at] as number, value: octets.subarray(at + 3, end), at: at + 3 });
    at = end;
  }
  return extras;
}

/** The sum over the whole header, with zeros in its own place. */
function checkSum(octets: Buffer, value: Buffer, at: number): void {
  const zeroed = Buffer.from(octets);
  zeroed.fill(0, at, at + value.length);
  if (value.length !== 4 || crc32c(zeroed) !== value.readUInt32BE()) throw bad("a wrong checksum");
}

/** What the client's TLS is like; of its version, cipher and certificate nothing is taken over. */
function readSsl(value: Buffer): boolean {
  if (value.length < 5) throw bad("a TLS extra that breaks off");
  extrasOf(value, 5);
  return ((value[0] as number) & CLIENT_SSL) !== 0;
}

/** A path, or the empty name that a client's socket has; that of the abstract kind, which starts with NUL, is no path. */
function unixAddress(octets: Buffer): Address {
  const end = octets.indexOf(0);
  return { address: octets.toString("latin1", 0, end < 0 ? octets.length : end), port: 0 };
}
