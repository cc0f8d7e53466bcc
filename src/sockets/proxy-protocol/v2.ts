// Version 2 of the PROXY protocol (specification, 2.2): sixteen bytes, two addresses, and optional extras (TLVs).
// Tested by test/sockets/proxy-protocol/codec.test.ts.
import type { Address } from "../../exchange/index.ts";
import { crc32c } from "./crc32c.ts";
import { bad, NO_ADDRESSES, type ProxyHeader } from "./header.ts";

/** No other protocol begins so. */
export const SIGNATURE: Buffer = Buffer.from("0d0a0d0a000d0a515549540a", "hex");
/** Signature, version and command, family and transport, length of the rest. */
export const FIXED = 16;
/**
 * The most bytes of a header. The format is made to fit into 536 (the smallest segment); a proxy that adds the client's
 * certificate needs more.
 */
const LONGEST_HEADER = 4_096;

const COMMAND = { local: 0x20, proxy: 0x21 } as const;
const TLV = { crc32c: 0x03, ssl: 0x20 } as const;
const CLIENT_SSL = 0x01;

type ReadAddress = (bytes: Buffer, at: number) => string;

interface Family {
  /** Bytes of both addresses, with their ports. */
  readonly size: number;
  readonly read: (bytes: Buffer) => ProxyHeader["addresses"];
}

const inet = (bytes: number, text: ReadAddress): Family => ({
  size: 2 * bytes + 4,
  read: (block) => ({
    remote: { address: text(block, 0), port: block.readUInt16BE(2 * bytes) },
    local: { address: text(block, bytes), port: block.readUInt16BE(2 * bytes + 2) },
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

const ipv4: ReadAddress = (bytes, at) => bytes.subarray(at, at + 4).join(".");
const ipv6: ReadAddress = (bytes, at) =>
  Array.from({ length: 8 }, (_, i) => bytes.readUInt16BE(at + 2 * i).toString(16)).join(":");

/** By family and transport; all others are invalid. The addresses of datagrams are not those of our connection. */
const FAMILIES: Readonly<Record<number, Family>> = {
  17: inet(4, ipv4),
  18: ignored(12),
  33: inet(16, ipv6),
  34: ignored(36),
  49: unix,
  50: ignored(216),
};
const UNSPECIFIED = 0x00;

/** The length of the whole header, from its first sixteen bytes. Throws BAD_REQUEST. */
export function headerSize(bytes: Buffer): number {
  if (bytes[12] !== COMMAND.local && bytes[12] !== COMMAND.proxy) throw bad("an unknown version or command");
  const size = FIXED + bytes.readUInt16BE(14);
  if (size > LONGEST_HEADER) throw bad(`of more than ${LONGEST_HEADER} bytes`);
  return size;
}

/** Reads a whole header. Throws BAD_REQUEST. */
export function readHeader(bytes: Buffer): ProxyHeader {
  // The specification has the rest discarded, valid or not.
  if (bytes[12] === COMMAND.local || bytes[13] === UNSPECIFIED) return NO_ADDRESSES;
  const family = FAMILIES[bytes[13] as number];
  if (!family) throw bad("an unknown family or transport");
  const block = bytes.subarray(FIXED);
  if (block.length < family.size) throw bad("too short for its addresses");
  return { addresses: family.read(block), encrypted: readExtras(bytes, FIXED + family.size) };
}

/** Whether the client speaks TLS, from the extras (TLVs) at `start`, all of which must be complete. */
function readExtras(bytes: Buffer, start: number): boolean {
  let encrypted = false;
  for (const { type, value, at } of extrasOf(bytes, start)) {
    if (type === TLV.crc32c) checkSum(bytes, value, at);
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

function extrasOf(bytes: Buffer, start: number): Extra[] {
  const extras: Extra[] = [];
  for (let at = start; at < bytes.length; ) {
    if (at + 3 > bytes.length) throw bad("an incomplete extra");
    const end = at + 3 + bytes.readUInt16BE(at + 1);
    if (end > bytes.length) throw bad("an extra that is longer than the header");
    extras.push({ type: bytes[at] as number, value: bytes.subarray(at + 3, end), at: at + 3 });
    at = end;
  }
  return extras;
}

/** The checksum over the whole header, with zeros in its own place. */
function checkSum(bytes: Buffer, value: Buffer, at: number): void {
  const zeroed = Buffer.from(bytes);
  zeroed.fill(0, at, at + value.length);
  if (value.length !== 4 || crc32c(zeroed) !== value.readUInt32BE()) throw bad("a wrong checksum");
}

/** Whether the client speaks TLS; its version, cipher and certificate are not used. */
function readSsl(value: Buffer): boolean {
  if (value.length < 5) throw bad("an incomplete TLS extra");
  extrasOf(value, 5);
  return ((value[0] as number) & CLIENT_SSL) !== 0;
}

/** A path, or "": a client's socket has no name, and an abstract name, which starts with NUL, is no path. */
function unixAddress(bytes: Buffer): Address {
  const end = bytes.indexOf(0);
  return { address: bytes.toString("latin1", 0, end < 0 ? bytes.length : end), port: 0 };
}
