// Python's marshal format (up to version 4), writing only: marshal.loads builds the dict at C speed, so no Python code ever
// parses a request. Format: Python/marshal.c of CPython; what is used here is the same from 3.4 to 3.14.
// The output is text of latin-1 characters, one for each byte: joining text costs next to nothing, and all frames of a turn
// of the loop then leave in one system call.

export type MarshalValue =
  | null
  | true
  | number
  | string
  | Uint8Array
  | readonly MarshalValue[]
  | { readonly [key: string]: MarshalValue };

const BYTES: readonly string[] = Array.from({ length: 256 }, (_, byte) => String.fromCharCode(byte));
const UNICODE = /[^\x00-\xff]/;

export const NONE = "N";
export const TRUE = "T";
/** A dict: this, keys and values in turn, and DICT_END. */
export const DICT = "{";
export const DICT_END = "0";
/** A tuple of two: this and its two values. */
export const PAIR = ")\x02";
/** A tuple of seven. */
export const SEVEN = ")\x07";

/** 32 bits, little endian. */
export const uint32 = (value: number): string =>
  value < 256
    ? `${BYTES[value]}\0\0\0`
    : String.fromCharCode(value & 255, (value >>> 8) & 255, (value >>> 16) & 255, value >>> 24);

/** A str of latin-1 characters. Never interned: clients choose names, and interned strings live as long as the process. */
export const latin1 = (text: string): string =>
  text.length < 256 ? `z${BYTES[text.length]}${text}` : `a${uint32(text.length)}${text}`;

/** A str without characters. */
export const EMPTY: string = latin1("");

/** A key and its value, both of latin-1 characters: an environ's entry. */
export const entry = (key: string, value: string): string => latin1(key) + latin1(value);

/** A bytes object, given as text of latin-1 characters. */
export const latin1Bytes = (text: string): string => `s${uint32(text.length)}${text}`;

/** A bytes object. */
export const bytes = (data: Uint8Array): string => latin1Bytes(textOf(data));

/** A str of any characters. */
export function unicode(text: string): string {
  if (!UNICODE.test(text)) return latin1(text);
  const utf8 = Buffer.from(text, "utf8").toString("latin1");
  return `u${uint32(utf8.length)}${utf8}`;
}

/** An int of 32 bits. */
export const int = (value: number): string => `i${uint32(value >>> 0)}`;

/** A list: this and its `count` values. */
export const list = (count: number): string => `[${uint32(count)}`;

/** Any value; text may be any Unicode. Slower than the functions above: for values that are sent once. */
export function marshal(value: MarshalValue): string {
  if (value === null) return NONE;
  if (value === true) return TRUE;
  if (typeof value === "number") return int(value);
  if (typeof value === "string") return unicode(value);
  if (value instanceof Uint8Array) return bytes(value);
  if (Array.isArray(value)) return list(value.length) + value.map(marshal).join("");
  const entries = Object.entries(value).map(([key, one]) => unicode(key) + marshal(one));
  return DICT + entries.join("") + DICT_END;
}

/** Bytes as text of latin-1 characters. */
export const textOf = (data: Uint8Array): string => asBuffer(data).toString("latin1");

const asBuffer = (data: Uint8Array): Buffer =>
  Buffer.isBuffer(data) ? data : Buffer.from(data.buffer, data.byteOffset, data.byteLength);
