// Version 1 of the PROXY protocol (specification, 2.1): one line of text that a person can write with telnet.
// Tested by test/sockets/proxy-protocol/codec.test.ts.
import { isIP } from "node:net";
import type { Address } from "../../exchange/index.ts";
import { bad, NO_ADDRESSES, type ProxyHeader } from "./header.ts";

/** Bytes of the longest line that there can be, with its CRLF. */
export const LONGEST_LINE = 107;

const FAMILIES: Readonly<Record<string, number>> = { TCP4: 4, TCP6: 6 };
/** Exactly one space between the words. */
const LINE = /^PROXY (TCP4|TCP6) ([0-9a-fA-F:.]+) ([0-9a-fA-F:.]+) (\d{1,5}) (\d{1,5})$/;
/** After UNKNOWN anything may follow, and is not looked at. */
const UNKNOWN = /^PROXY UNKNOWN(?: .*)?$/s;

/** Reads a line without its CRLF. Throws BAD_REQUEST. */
export function readLine(line: string): ProxyHeader {
  if (UNKNOWN.test(line)) return NO_ADDRESSES;
  const [, family, from, to, fromPort, toPort] = LINE.exec(line) ?? [];
  const remote = family && addressOf(FAMILIES[family] as number, from, fromPort);
  const local = family && addressOf(FAMILIES[family] as number, to, toPort);
  if (!remote || !local) throw bad(`a malformed line: ${JSON.stringify(line)}`);
  return { addresses: { remote, local }, encrypted: false };
}

function addressOf(family: number, address = "", port = ""): Address | undefined {
  // No zeros in front: some read them as octal.
  if (isIP(address) !== family || String(Number(port)) !== port || Number(port) > 65_535) return undefined;
  return { address, port: Number(port) };
}
