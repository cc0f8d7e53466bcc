// Python's marshal format (version 4 at the most), writing only: marshal.loads builds the dict at C speed, so no Python
// code ever parses a request. Format: Python/marshal.c of CPython; unchanged from 3.4 to 3.14 for what is used here.

const TYPE = {
  none: 0x4e, // "N"
  true: 0x54, // "T"
  int: 0x69, // "i": 32 bits
  bytes: 0x73, // "s": 32-bit length
  shortText: 0x7a, // "z": 8-bit length, one octet a character; the reader accepts all of latin-1
  text: 0x61, // "a": the same with a 32-bit length
  utf8: 0x75, // "u": 32-bit length of UTF-8 octets
  list: 0x5b, // "[": 32-bit count
  pair: 0x29, // ")": 8-bit count; a tuple
  dict: 0x7b, // "{": pairs until null
  null: 0x30, // "0"
} as const;

/** What every Buffer of Node's has, faster by half than `write(..., "latin1")`; its types leave it out. */
type Latin1Buffer = Buffer & { latin1Write(text: string, offset: number, length: number): number };

const CAPACITY = 16_384;
const UNICODE = /[^\x00-\xff]/;

export type MarshalValue =
  | null
  | true
  | number
  | string
  | Uint8Array
  | readonly MarshalValue[]
  | { readonly [key: string]: MarshalValue };

/** Writes values one after the other into a buffer that grows. Interned strings are never made: clients choose names. */
export class MarshalWriter {
  protected buffer: Latin1Buffer;
  protected size = 0;

  constructor(capacity: number = CAPACITY) {
    this.buffer = Buffer.allocUnsafeSlow(capacity) as Latin1Buffer;
  }

  beginDict(): void {
    this.#octet(TYPE.dict);
  }

  endDict(): void {
    this.#octet(TYPE.null);
  }

  /** A key and its value, both text of latin-1 characters: an environ's entry. */
  entry(key: string, value: string): void {
    this.latin1(key);
    this.latin1(value);
  }

  /** Text, each character one octet. */
  latin1(text: string): void {
    const length = text.length;
    this.reserve(length + 5);
    const { buffer } = this;
    if (length < 256) {
      buffer[this.size++] = TYPE.shortText;
      buffer[this.size++] = length;
    } else {
      buffer[this.size++] = TYPE.text;
      this.size = buffer.writeUInt32LE(length, this.size);
    }
    this.size += buffer.latin1Write(text, this.size, length);
  }

  bytes(octets: Uint8Array): void {
    this.#lengthed(TYPE.bytes, octets.length);
    this.reserve(octets.length);
    this.buffer.set(octets, this.size);
    this.size += octets.length;
  }

  /** Octets, given as text of latin-1 characters. */
  latin1Bytes(text: string): void {
    const { length } = text;
    this.#lengthed(TYPE.bytes, length);
    this.reserve(length);
    this.size += this.buffer.latin1Write(text, this.size, length);
  }

  /** Text of any characters. */
  text(text: string): void {
    if (!UNICODE.test(text)) return this.latin1(text);
    const octets = Buffer.from(text, "utf8");
    this.bytes(octets);
    this.buffer[this.size - octets.length - 5] = TYPE.utf8;
  }

  int(value: number): void {
    this.#lengthed(TYPE.int, value);
  }

  /** A list of `count` values, which are written next. */
  list(count: number): void {
    this.#lengthed(TYPE.list, count);
  }

  /** A tuple of two values, which are written next. */
  pair(): void {
    this.#octet(TYPE.pair);
    this.#octet(2);
  }

  none(): void {
    this.#octet(TYPE.none);
  }

  /** What was marshalled before, as text of latin-1 characters. */
  marshalled(text: string): void {
    const { length } = text;
    this.reserve(length);
    this.size += this.buffer.latin1Write(text, this.size, length);
  }

  /** Any value; text may be any Unicode. For what is sent once. */
  value(value: MarshalValue): void {
    if (value === null) this.none();
    else if (value === true) this.#octet(TYPE.true);
    else if (typeof value === "number") this.int(value);
    else if (typeof value === "string") this.text(value);
    else if (value instanceof Uint8Array) this.bytes(value);
    else if (Array.isArray(value)) this.#list(value);
    else this.#dict(value as { readonly [key: string]: MarshalValue });
  }

  /** A new buffer in place of the one that was handed over. */
  protected renew(): void {
    this.buffer = Buffer.allocUnsafeSlow(CAPACITY) as Latin1Buffer;
  }

  protected reserve(octets: number): void {
    const needed = this.size + octets;
    if (needed <= this.buffer.length) return;
    const grown = Buffer.allocUnsafeSlow(Math.max(needed, this.buffer.length * 2));
    this.buffer.copy(grown, 0, 0, this.size);
    this.buffer = grown as Latin1Buffer;
  }

  #list(values: readonly MarshalValue[]): void {
    this.list(values.length);
    for (const value of values) this.value(value);
  }

  #dict(entries: { readonly [key: string]: MarshalValue }): void {
    this.beginDict();
    for (const [key, value] of Object.entries(entries)) {
      this.text(key);
      this.value(value);
    }
    this.endDict();
  }

  #octet(octet: number): void {
    this.reserve(1);
    this.buffer[this.size++] = octet;
  }

  #lengthed(type: number, value: number): void {
    this.reserve(5);
    this.buffer[this.size++] = type;
    this.size = this.buffer.writeInt32LE(value, this.size);
  }
}
