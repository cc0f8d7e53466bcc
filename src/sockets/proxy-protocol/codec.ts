// The receiver's half of the PROXY protocol, versions 1 and 2 (HAProxy, "The PROXY protocol", 2): bytes in, one header
// out, and the bytes after it untouched. Never waits for a byte that could not change the outcome.
import { bad, type ProxyHeader } from "./header.ts";
import { LONGEST_LINE, readLine } from "./v1.ts";
import { FIXED, headerSize, readHeader, SIGNATURE } from "./v2.ts";

export type { ProxyHeader } from "./header.ts";

export interface HeaderRead {
  readonly header: ProxyHeader;
  /** The bytes after it. */
  readonly rest: Buffer;
}

const LINE_START = Buffer.from("PROXY ", "latin1");

/** Reads one header from bytes that arrive in pieces. */
export class HeaderReader {
  #bytes: Buffer = Buffer.alloc(0);

  /** Whether any byte has arrived. */
  get fed(): boolean {
    return this.#bytes.length > 0;
  }

  /** The header, once it is complete; feed no more then. Throws BAD_REQUEST for anything else. */
  feed(piece: Uint8Array): HeaderRead | undefined {
    this.#bytes = Buffer.concat([this.#bytes, piece]);
    const bytes = this.#bytes;
    if (bytes.length === 0) return undefined;
    if (beginsLike(bytes, LINE_START)) return readVersion1(bytes);
    if (beginsLike(bytes, SIGNATURE)) return readVersion2(bytes);
    throw bad("the connection begins with something else");
  }
}

/** Compares the bytes that both have. */
function beginsLike(bytes: Buffer, start: Buffer): boolean {
  const length = Math.min(bytes.length, start.length);
  return bytes.subarray(0, length).equals(start.subarray(0, length));
}

function readVersion1(bytes: Buffer): HeaderRead | undefined {
  const end = bytes.subarray(0, LONGEST_LINE).indexOf("\r\n");
  if (end < 0 && bytes.length >= LONGEST_LINE) throw bad(`a line of more than ${LONGEST_LINE} bytes`);
  if (end < 0) return undefined;
  return { header: readLine(bytes.toString("latin1", 0, end)), rest: bytes.subarray(end + 2) };
}

function readVersion2(bytes: Buffer): HeaderRead | undefined {
  if (bytes.length < FIXED) return undefined;
  const size = headerSize(bytes);
  if (bytes.length < size) return undefined;
  return { header: readHeader(bytes.subarray(0, size)), rest: bytes.subarray(size) };
}
