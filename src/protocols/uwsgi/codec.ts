// uwsgi requests as bytes (uWSGI's manual, "The uwsgi Protocol"): modifier1, the size of the variables (16 bits,
// little-endian), modifier2, then each name and value behind its own size. Pure, both ways.

import { Gathered, type VariablesRead, type VariablesReader } from "../../cgi/socket/incoming.ts";
import { SallyportError } from "../../exchange/index.ts";

const HEAD = 4;
const MOST = 65_535;

const bad = (why: string): SallyportError => new SallyportError("BAD_REQUEST", `not a uwsgi request: ${why}`);
const tooLarge = (most: number): SallyportError =>
  new SallyportError("HEADERS_TOO_LARGE", `variables of more than ${most} bytes`);

/** The server's: all variables in one packet. Throws HEADERS_TOO_LARGE where they do not fit: a size must never wrap. */
export function encodeUwsgiRequest(variables: ReadonlyMap<string, string>, length: number): Uint8Array {
  const pairs = [...variables].filter(([name]) => name !== "CONTENT_LENGTH");
  if (length > 0 || variables.has("CONTENT_LENGTH")) pairs.push(["CONTENT_LENGTH", String(length)]);
  const size = pairs.reduce((sum, [name, value]) => sum + 4 + name.length + value.length, 0);
  if (size > MOST) throw tooLarge(MOST);
  const packet = Buffer.alloc(HEAD + size);
  packet.writeUInt16LE(size, 1);
  let at = HEAD;
  for (const text of pairs.flat()) {
    at = packet.writeUInt16LE(text.length, at);
    at += packet.write(text, at, "latin1");
  }
  return packet;
}

/** The application's: reads one request up to its body. */
export class UwsgiRequestReader implements VariablesReader {
  readonly #limit: number;
  readonly #gathered = new Gathered();

  /** `limit`: bytes of variables accepted. */
  constructor(limit: number) {
    this.#limit = limit;
  }

  /** The variables once they are all here. Throws BAD_REQUEST or HEADERS_TOO_LARGE, and is of no use then. */
  feed(chunk: Uint8Array): VariablesRead | undefined {
    const bytes = this.#gathered.add(chunk);
    // Packets with other modifiers are not requests, or are for interpreters inside uWSGI.
    if (bytes.length > 0 && bytes[0] !== 0) throw bad(`modifier1 is ${bytes[0]}, only 0 is served`);
    if (bytes.length < HEAD) return undefined;
    const end = HEAD + bytes.readUInt16LE(1);
    if (end - HEAD > this.#limit) throw tooLarge(this.#limit);
    if (bytes[3] !== 0) throw bad(`modifier2 is ${bytes[3]}, only 0 is served`);
    if (bytes.length < end) return undefined;
    return { variables: parseVariables(bytes.subarray(HEAD, end)), rest: bytes.subarray(end) };
  }
}

function parseVariables(bytes: Buffer): string[] {
  const strings: string[] = [];
  for (let at = 0; at < bytes.length; ) {
    const start = at + 2;
    if (start > bytes.length) throw bad("a size of one byte");
    at = start + bytes.readUInt16LE(at);
    if (at > bytes.length) throw bad("a size beyond the end of the variables");
    strings.push(bytes.toString("latin1", start, at));
  }
  check(strings);
  return strings;
}

/** Header fields may come twice, as clients may repeat them; the length, which decides where the request ends, may not. */
function check(strings: readonly string[]): void {
  if (strings.length % 2 !== 0) throw bad("a name without a value");
  let lengths = 0;
  for (let i = 0; i < strings.length; i += 2) {
    if (strings[i] === "") throw bad("an empty name");
    if (strings[i] === "CONTENT_LENGTH") lengths++;
  }
  if (lengths > 1) throw bad("CONTENT_LENGTH comes twice");
}
