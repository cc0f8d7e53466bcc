// The receiver's half of the PROXY protocol, versions 1 and 2 (HAProxy, "The PROXY protocol", 2): octets in, one header
// out, and what follows it untouched. No octet is waited for that could not change the outcome.
import { bad, type ProxyHeader } from "./header.ts";
import { LONGEST_LINE, readLine } from "./v1.ts";
import { FIXED, headerSize, readHeader, SIGNATURE } from "./v2.ts";

export type { ProxyHeader } from "./header.ts";

export interface HeaderRead {
  readonly header: ProxyHeader;
  /** What came after it. */
  readonly rest: Buffer;
}

const LINE_START = Buffer.from("PROXY ", "latin1");

/** Reads one header from octets that come in pieces. */
export class HeaderReader {
  #octets: Buffer = Buffer.alloc(0);

  /** Whether anything has come at all. */
  get fed(): boolean {
    return this.#octets.length > 0;
  }

  /** The header, once it is complete; then no more may be fed. Throws BAD_REQUEST for what is none. */
  feed(piece: Uint8Array): HeaderRead | undefined {
    this.#octets = Buffer.concat([this.#octets, piece]);
    const octets = this.#octets;
    if (octets.length === 0) return undefined;
    if (beginsLike(octets, LINE_START)) return readVersion1(octets);
    if (beginsLike(octets, SIGNATURE)) return readVersion2(octets);
    throw bad("the connection begins with something else");
  }
}

/** As far as both go. */
function beginsLike(octets: Buffer, start: Buffer): boolean {
  const length = Math.min(octets.length, start.length);
  return octets.subarray(0, length).equals(start.subarray(0, length));
}

function readVersion1(octets: Buffer): HeaderRead | undefined {
  const end = octets.subarray(0, LONGEST_LINE).indexOf("\r\n");
  if (end < 0 && octets.length >= LONGEST_LINE) throw bad(`a line of more than ${LONGEST_LINE} octets`);
  if (end < 0) return undefined;
  return { header: readLine(octets.toString("latin1", 0, end)), rest: octets.subarray(end + 2) };
}

function readVersion2(octets: Buffer): HeaderRead | undefined {
  if (octets.length < FIXED) return undefined;
  const size = headerSize(octets);
  if (octets.length < size) return undefined;
  return { header: readHeader(octets.subarray(0, size)), rest: octets.subarray(size) };
}
