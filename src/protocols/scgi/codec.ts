// SCGI requests as bytes (protocol.txt of 2008-06-23, 3 and 4): "70:CONTENT_LENGTH\0" ... ",". Pure, both ways.

import { Gathered, type VariablesRead, type VariablesReader } from "../../cgi/socket/incoming.ts";
import { SallyportError } from "../../exchange/index.ts";
import { nginxRepeatsFields } from "./peers.ts";

const COLON = 0x3a;
const COMMA = 0x2c;

const bad = (why: string): SallyportError => new SallyportError("BAD_REQUEST", `not an SCGI request: ${why}`);

/** The server's: all variables as a netstring, CONTENT_LENGTH before the others. Throws BAD_REQUEST for a byte 0. */
export function encodeScgiRequest(variables: ReadonlyMap<string, string>, length: number): Uint8Array {
  let text = `CONTENT_LENGTH\0${length}\0SCGI\x001\0`;
  for (const [name, value] of variables) {
    if (name === "CONTENT_LENGTH" || name === "SCGI") continue;
    if (name === "" || name.includes("\0") || value.includes("\0"))
      throw new SallyportError("BAD_REQUEST", `a variable that SCGI cannot send: ${shown(name)}`);
    text += `${name}\0${value}\0`;
  }
  return Buffer.from(`${text.length}:${text},`, "latin1");
}

/** The application's: reads one request up to its body. */
export class ScgiRequestReader implements VariablesReader {
  readonly #limit: number;
  readonly #gathered = new Gathered();
  /** Bytes of the netstring with its head; 0 while unknown. */
  #total = 0;
  /** Bytes of its head, "70:". */
  #head = 0;

  /** `limit`: bytes of variables accepted. */
  constructor(limit: number) {
    this.#limit = limit;
  }

  /** The variables once they are all here. Throws BAD_REQUEST or HEADERS_TOO_LARGE, and is of no use then. */
  feed(chunk: Uint8Array): VariablesRead | undefined {
    const bytes = this.#gathered.add(chunk);
    if (this.#total === 0 && !this.#readHead(bytes)) return undefined;
    if (bytes.length < this.#total) return undefined;
    if (bytes[this.#total - 1] !== COMMA) throw bad("no comma after the variables");
    const variables = parseVariables(bytes.subarray(this.#head, this.#total - 1));
    return { variables, rest: bytes.subarray(this.#total) };
  }

  #readHead(bytes: Buffer): boolean {
    const digits = String(this.#limit).length;
    const colon = bytes.subarray(0, digits + 1).indexOf(COLON);
    const length = bytes.toString("latin1", 0, colon < 0 ? digits + 1 : colon);
    checkLength(length, colon >= 0);
    if (Number(length) > this.#limit)
      throw new SallyportError("HEADERS_TOO_LARGE", `variables of more than ${this.#limit} bytes`);
    if (colon < 0) return false;
    this.#head = colon + 1;
    this.#total = this.#head + Number(length) + 1;
    return true;
  }
}

/** One or more digits, the first not 0 (S1). */
function checkLength(length: string, complete: boolean): void {
  if (!/^(?:[1-9]\d*)?$/.test(length) || (complete && length === ""))
    throw bad(`a malformed length of the variables: ${shown(length)}`);
}

const shown = (text: string): string => JSON.stringify(text.slice(0, 40));

function parseVariables(bytes: Buffer): string[] {
  if (bytes.at(-1) !== 0) throw bad("no byte 0 after the last value");
  const strings = bytes.toString("latin1", 0, bytes.length - 1).split("\0");
  if (strings.length % 2 !== 0) throw bad("a name without a value");
  check(strings);
  return strings;
}

/** Section 3: CONTENT_LENGTH first, SCGI of 1, and no name empty or twice (S3, S4). */
function check(strings: readonly string[]): void {
  const [first, length = ""] = strings;
  if (first !== "CONTENT_LENGTH") throw bad(`${shown(first ?? "")} comes before CONTENT_LENGTH`);
  if (!/^\d{1,15}$/.test(length)) throw bad(`a malformed CONTENT_LENGTH: ${shown(length)}`);
  const variables = new Map<string, string>();
  const repeated = new Set<string>();
  for (let i = 0; i < strings.length; i += 2) {
    const name = strings[i] as string;
    if (name === "") throw bad("an empty name");
    if (variables.has(name)) repeated.add(name);
    else variables.set(name, strings[i + 1] as string);
  }
  if (variables.get("SCGI") !== "1") throw bad("SCGI is not 1");
  for (const name of repeated)
    if (!nginxRepeatsFields(name, variables)) throw bad(`${shown(name)} comes twice`);
}
