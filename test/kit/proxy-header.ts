// The proxy's half of the PROXY protocol, for tests: headers as HAProxy writes them.
import { isIP } from "node:net";
import type { Address } from "../../src/exchange/index.ts";
import { crc32c } from "../../src/sockets/proxy-protocol/crc32c.ts";

export interface Said {
  readonly remote: Address;
  readonly local: Address;
}

const SIGNATURE = Buffer.from("\r\n\r\n\0\r\nQUIT\n", "latin1");

/** `PROXY TCP4 ...`. Both addresses are of the same family. */
export const version1 = ({ remote, local }: Said): Buffer =>
  Buffer.from(
    `PROXY TCP${isIP(remote.address)} ${remote.address} ${local.address} ${remote.port} ${local.port}\r\n`,
  );

export interface Extra {
  readonly type: number;
  readonly value: Uint8Array;
}

/** The binary form of the same; IPv6 addresses are written with all their groups. */
export function version2({ remote, local }: Said, extras: readonly Extra[] = []): Buffer {
  const six = isIP(remote.address) === 6;
  const block = [bytesOf(remote.address), bytesOf(local.address), word(remote.port), word(local.port)];
  return framed(0x21, six ? 0x21 : 0x11, [...block, ...extras.map(extra)]);
}

/** The same with its checksum as the last extra. */
export function summed(header: Buffer): Buffer {
  const rest = [header.subarray(16), extra({ type: 0x03, value: new Uint8Array(4) })];
  const bytes = framed(header[12] as number, header[13] as number, rest);
  bytes.writeUInt32BE(crc32c(bytes), bytes.length - 4);
  return bytes;
}

/** A health check: the proxy itself connects. */
export const localHeader = (): Buffer => framed(0x20, 0x00, []);

/** That the client speaks TLS with the proxy. */
export const OVER_TLS: Extra = { type: 0x20, value: Buffer.from([1, 0, 0, 0, 0]) };

function framed(command: number, family: number, parts: readonly Uint8Array[]): Buffer {
  const block = Buffer.concat(parts);
  return Buffer.concat([SIGNATURE, Buffer.from([command, family]), word(block.length), block]);
}

const extra = ({ type, value }: Extra): Buffer =>
  Buffer.concat([Buffer.from([type]), word(value.length), value]);

const word = (number: number): Buffer => Buffer.from([number >> 8, number & 255]);

const bytesOf = (address: string): Buffer =>
  isIP(address) === 4
    ? Buffer.from(address.split(".").map(Number))
    : Buffer.concat(address.split(":").map((group) => word(Number.parseInt(group, 16))));
