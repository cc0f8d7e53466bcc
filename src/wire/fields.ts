// Bytes of a protocol taken apart for people: each field with its place in the bytes, so that both can be shown side by side.
// The dissectors of the protocols are in their folders; `sallyport explain` and the inspector show what they give.
import { escapeControls } from "./escape.ts";

/** A part of some bytes and what it means. The fields of a message are in order and do not overlap. */
export interface WireField {
  /** Its place: the first byte, and the one after its last. */
  readonly from: number;
  readonly to: number;
  readonly name: string;
  /** What the bytes say, as text; "" where the fields inside say it. */
  readonly value: string;
  readonly fields?: readonly WireField[];
}

/** Bytes beyond this are counted, not shown. */
const SHOWN = 256;

/** Collects the fields of a message from its first byte on. */
export class FieldReader {
  readonly fields: WireField[] = [];
  readonly bytes: Buffer;
  at: number;
  readonly end: number;

  constructor(bytes: Buffer, from = 0, end: number = bytes.length) {
    this.bytes = bytes;
    this.at = from;
    this.end = end;
  }

  /** Bytes that are left. */
  get left(): number {
    return this.end - this.at;
  }

  /** The next `size` bytes, or as many as there are, as a field. `value` of the bytes; their text when absent. */
  take(name: string, size: number, value: (bytes: Buffer) => string = textOfBytes): Buffer {
    const bytes = this.#next(size);
    this.fields.push({ from: this.at - bytes.length, to: this.at, name, value: value(bytes) });
    return bytes;
  }

  /** A whole number of `size` bytes; `meaning` says what it stands for. */
  number(name: string, size: number, order: "big" | "little", meaning?: (value: number) => string): number {
    let value = 0;
    this.take(name, size, (bytes) => {
      const digits = order === "big" ? bytes : Buffer.from(bytes).reverse();
      for (const digit of digits) value = value * 256 + digit;
      return meaning ? `${value} (${meaning(value)})` : `${value}`;
    });
    return value;
  }

  /** The next `size` bytes as a field with fields of its own, which `read` takes from a reader of exactly these bytes. */
  group(name: string, size: number, read: (inner: FieldReader) => string | undefined): void {
    const from = this.at;
    const to = from + this.#next(size).length;
    const inner = new FieldReader(this.bytes, from, to);
    const value = read(inner) ?? "";
    this.fields.push({ from, to, name, value, fields: inner.fields });
  }

  #next(size: number): Buffer {
    const bytes = this.bytes.subarray(this.at, Math.min(this.end, this.at + size));
    this.at += bytes.length;
    return bytes;
  }
}

const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** Bytes as text, controls escaped; as hexadecimal digits where they are not UTF-8. Long ones are cut, and their length told. */
export const textOfBytes = (bytes: Buffer): string =>
  shortened(bytes, (part) => readable(part) ?? `0x${part.toString("hex")}`);

/** Bytes that are a character each, as Python's str of a WSGI environ has them (PEP 3333, "A Note on String Types"). */
export const latin1OfBytes = (bytes: Buffer): string =>
  shortened(bytes, (part) => escaped(part.toString("latin1")));

function shortened(bytes: Buffer, show: (part: Buffer) => string): string {
  const text = show(bytes.subarray(0, SHOWN));
  return bytes.length > SHOWN ? `${text}… (${bytes.length} bytes)` : text;
}

function readable(bytes: Buffer): string | undefined {
  try {
    return escaped(utf8.decode(bytes));
  } catch {
    return undefined;
  }
}

/** On one line, and a backslash that was there cannot be taken for an escape. */
const escaped = (text: string): string => escapeControls(text.replaceAll("\\", "\\\\"));
