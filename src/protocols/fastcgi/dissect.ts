// FastCGI records for people (specification, 3.3, 3.4, 5): each number of a record's head, and the name-value pairs.
import { FieldReader, textOfBytes, type WireField } from "../../wire/fields.ts";
import { ROLE, STATUS, TYPE } from "./codec.ts";

const HEAD = 8;

const nameIn =
  (table: Readonly<Record<string, number>>) =>
  (value: number): string =>
    Object.keys(table).find((name) => table[name] === value) ?? "unknown";

const typeName = nameIn(TYPE);
const roleName = nameIn(ROLE);
const statusName = nameIn(STATUS);

/** The records in `bytes`, in either direction. What is left of a record that was cut off is its last field. */
export function dissectRecords(bytes: Buffer): WireField[] {
  const reader = new FieldReader(bytes);
  while (reader.left >= HEAD) {
    const content = bytes.readUInt16BE(reader.at + 4);
    const padding = bytes[reader.at + 6] as number;
    reader.group("record", HEAD + content + padding, record);
  }
  if (reader.left > 0) reader.take("the beginning of a record", reader.left);
  return reader.fields;
}

function record(reader: FieldReader): string {
  reader.number("version", 1, "big");
  const type = reader.number("type", 1, "big", typeName);
  const id = reader.number("request id", 2, "big");
  const length = reader.number("content length", 2, "big");
  const padding = reader.number("padding length", 1, "big");
  reader.number("reserved", 1, "big");
  if (length > 0) (CONTENT[type] ?? streamPiece)(reader, length);
  if (padding > 0) reader.take("padding", padding, (bytes) => `${bytes.length} bytes`);
  return `${typeName(type)} of request ${id}${length === 0 ? ", the end of the stream" : ""}`;
}

type ReadContent = (reader: FieldReader, length: number) => void;

const streamPiece: ReadContent = (reader, length) => void reader.take("content", length);

const pairs: ReadContent = (reader, length) =>
  reader.group("name-value pairs", length, (inner) => {
    while (inner.left > 0 && pair(inner));
    // A pair may go on in the next record.
    if (inner.left > 0) inner.take("a part of a pair", inner.left);
    return undefined;
  });

/** False when not all of it is in this record. */
function pair(reader: FieldReader): boolean {
  const { bytes, at, end } = reader;
  const nameSize = lengthSize(bytes, at);
  const valueSize = lengthSize(bytes, at + nameSize);
  const lengths = at + nameSize + valueSize;
  if (lengths > end) return false;
  const name = readLength(bytes, at, nameSize);
  const value = readLength(bytes, at + nameSize, valueSize);
  if (lengths + name + value > end) return false;
  reader.group(bytes.toString("latin1", lengths, lengths + name), lengths - at + name + value, (inner) => {
    inner.take("length of the name", nameSize, () => `${name}`);
    inner.take("length of the value", valueSize, () => `${value}`);
    inner.take("name", name);
    return textOfBytes(inner.take("value", value));
  });
  return true;
}

const lengthSize = (bytes: Buffer, at: number): number => ((bytes[at] ?? 0) > 127 ? 4 : 1);

const readLength = (bytes: Buffer, at: number, size: number): number =>
  size === 1 ? (bytes[at] as number) : bytes.readUInt32BE(at) - 0x8000_0000;

const CONTENT: Readonly<Record<number, ReadContent>> = {
  [TYPE.BEGIN_REQUEST]: (reader) => {
    reader.number("role", 2, "big", roleName);
    reader.number("flags", 1, "big", (flags) => (flags & 1 ? "the connection stays open" : "close after it"));
    reader.take("reserved", 5, () => "");
  },
  [TYPE.END_REQUEST]: (reader) => {
    reader.number("application status", 4, "big");
    reader.number("protocol status", 1, "big", statusName);
    reader.take("reserved", 3, () => "");
  },
  [TYPE.PARAMS]: pairs,
  [TYPE.GET_VALUES]: pairs,
  [TYPE.GET_VALUES_RESULT]: pairs,
};
