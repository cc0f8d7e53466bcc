// The frames of the link between server and worker for people (docs/link.md), and the marshalled values in them.
// Format: Python/marshal.c of CPython; only what marshal.ts writes.

import { FieldReader, latin1OfBytes, textOfBytes, type WireField } from "../wire/fields.ts";
import { takeHead } from "../wire/message.ts";
import { FROM_WORKER, HEADER_SIZE, TO_WORKER } from "./link.ts";

const KINDS: Readonly<Record<string, number>> = { ...FROM_WORKER, ...TO_WORKER };
const kindName = (kind: number): string =>
  Object.keys(KINDS).find((name) => KINDS[name] === kind) ?? "unknown";

type ReadPayload = (reader: FieldReader) => void;

const marshalled: ReadPayload = (reader) => value(reader, "payload");
const count: ReadPayload = (reader) => void reader.number("count", 4, "little");
const head: ReadPayload = (reader) => {
  reader.number("flags", 1, "little", headFlags);
  takeHead(reader, "status");
};
const whole: ReadPayload = (reader) => {
  const length = reader.number("length of the head", 4, "little");
  reader.group("head", length, (inner) => {
    head(inner);
    return undefined;
  });
  if (reader.left > 0) reader.take("body", reader.left);
};

/** What a head says of itself (docs/link.md). */
const headFlags = (flags: number): string =>
  ["a Content-Length", "a Date", "Connection: close"].filter((_, bit) => flags & (1 << bit)).join(", ") ||
  "nothing known";

/** How a payload is read, by the kind of its frame; text, or bytes, where the kind is not here. */
const PAYLOADS: Readonly<Record<number, ReadPayload>> = {
  [TO_WORKER.INIT]: marshalled,
  [TO_WORKER.REQUEST]: marshalled,
  [TO_WORKER.COMMON]: marshalled,
  [TO_WORKER.REPEAT]: marshalled,
  [TO_WORKER.UPGRADE]: marshalled,
  [TO_WORKER.CREDIT]: count,
  [FROM_WORKER.RESPONSE]: whole,
  [FROM_WORKER.ANSWER]: whole,
  [FROM_WORKER.HEAD]: head,
  [FROM_WORKER.INFORM]: head,
  [FROM_WORKER.WANT]: count,
  [FROM_WORKER.PREFETCH]: count,
};

/** The frames in `bytes`, in either direction. */
export function dissectFrames(bytes: Buffer): WireField[] {
  const reader = new FieldReader(bytes);
  while (reader.left >= HEADER_SIZE) {
    const length = bytes.readUInt32LE(reader.at);
    reader.group("frame", HEADER_SIZE + length, frame);
  }
  if (reader.left > 0) reader.take("the beginning of a frame", reader.left);
  return reader.fields;
}

function frame(reader: FieldReader): string {
  reader.number("length", 4, "little");
  const stream = reader.number("stream", 4, "little");
  const kind = reader.number("kind", 1, "little", kindName);
  if (reader.left > 0) PAYLOADS[kind]?.(reader);
  if (reader.left > 0) reader.take("payload", reader.left);
  return `${kindName(kind)} of stream ${stream}`;
}

// Marshal.

/** Takes one value. What it cannot read stays, for the caller. */
function value(reader: FieldReader, name: string): void {
  const code = String.fromCharCode(reader.bytes[reader.at] as number);
  const read = VALUES[code];
  const size = sizeOf(reader);
  if (read && size !== undefined) reader.group(name, size, read);
}

type ReadValue = (reader: FieldReader) => string | undefined;

const constant =
  (text: string): ReadValue =>
  (reader) => {
    reader.take("code", 1, () => text);
    return text;
  };

/** A str or bytes: code, size, characters. */
const textual =
  (sizeBytes: number, prefix: string, show: (bytes: Buffer) => string): ReadValue =>
  (reader) => {
    reader.take("code", 1);
    const size = reader.number("size", sizeBytes, "little");
    return `${prefix}'${show(reader.take("characters", size, show))}'`;
  };

const values =
  (sizeBytes: number): ReadValue =>
  (reader) => {
    reader.take("code", 1);
    const count = reader.number("count", sizeBytes, "little");
    for (let i = 0; i < count; i++) value(reader, `${i}`);
    return `${count} values`;
  };

const dict: ReadValue = (reader) => {
  reader.take("code", 1);
  let count = 0;
  for (; reader.left > 1; count++) {
    const before = reader.at;
    entry(reader);
    if (reader.at === before) break;
  }
  reader.take("end", 1, () => "");
  return `${count} entries`;
};

/** A key and its value, as one field with the key's name. */
function entry(reader: FieldReader): void {
  const { bytes, at } = reader;
  const keySize = sizeOf(reader);
  if (keySize === undefined) return;
  const valueSize = sizeAt(bytes, at + keySize);
  if (valueSize === undefined) return;
  const name = keyText(bytes, at);
  reader.group(name, keySize + valueSize, (inner) => {
    value(inner, "key");
    value(inner, "value");
    return inner.fields[1]?.value;
  });
}

const keyText = (bytes: Buffer, at: number): string =>
  bytes[at] === SHORT_TEXT
    ? bytes.toString("latin1", at + 2, at + 2 + (bytes[at + 1] as number))
    : bytes.toString("latin1", at + 5, at + 5 + bytes.readUInt32LE(at + 1));

const SHORT_TEXT = 0x7a; // "z"

const VALUES: Readonly<Record<string, ReadValue>> = {
  N: constant("None"),
  T: constant("True"),
  i: (reader) => {
    reader.take("code", 1);
    return `${reader.number("value", 4, "little")}`;
  },
  z: textual(1, "", latin1OfBytes),
  a: textual(4, "", latin1OfBytes),
  u: textual(4, "", textOfBytes),
  s: textual(4, "b", textOfBytes),
  ")": values(1),
  "[": values(4),
  "{": dict,
};

const sizeOf = ({ bytes, at }: FieldReader): number | undefined => sizeAt(bytes, at);

/** Bytes of the value that begins at `at`; undefined for one that marshal.ts does not write, or that is cut off. */
function sizeAt(bytes: Buffer, at: number): number | undefined {
  const end = endOf(bytes, at);
  return end === undefined || end > bytes.length ? undefined : end - at;
}

type FindEnd = (bytes: Buffer, at: number) => number | undefined;

function endOf(bytes: Buffer, at: number): number | undefined {
  return at < bytes.length ? ENDS[String.fromCharCode(bytes[at] as number)]?.(bytes, at + 1) : undefined;
}

const afterOne: FindEnd = (_bytes, at) => at;
const afterFive: FindEnd = (bytes, at) =>
  at + 4 > bytes.length ? undefined : at + 4 + bytes.readUInt32LE(at);

function afterValues(bytes: Buffer, at: number, count: number): number | undefined {
  let end: number | undefined = at;
  for (let i = 0; i < count && end !== undefined; i++) end = endOf(bytes, end);
  return end;
}

const ENDS: Readonly<Record<string, FindEnd>> = {
  N: afterOne,
  T: afterOne,
  i: (_bytes, at) => at + 4,
  z: (bytes, at) => at + 1 + (bytes[at] ?? 0),
  a: afterFive,
  u: afterFive,
  s: afterFive,
  ")": (bytes, at) => afterValues(bytes, at + 1, bytes[at] ?? 0),
  "[": (bytes, at) =>
    at + 4 > bytes.length ? undefined : afterValues(bytes, at + 4, bytes.readUInt32LE(at)),
  "{": (bytes, at) => {
    let end: number | undefined = at;
    while (end !== undefined && bytes[end] !== DICT_ENDS) end = endOf(bytes, end);
    return end === undefined ? undefined : end + 1;
  },
};

const DICT_ENDS = 0x30; // "0"
