// A uwsgi request for people (uWSGI's manual, "The uwsgi Protocol"): the head of the packet, its variables, the body.
import { FieldReader, textOfBytes, type WireField } from "../../wire/fields.ts";

/** The fields of one request. */
export function dissectUwsgi(bytes: Buffer): WireField[] {
  const reader = new FieldReader(bytes);
  reader.number("modifier1", 1, "big", (value) => (value === 0 ? "a request" : "not a plain request"));
  const size = reader.number("size of the variables", 2, "little");
  reader.number("modifier2", 1, "big");
  reader.group("variables", size, (inner) => {
    while (inner.left > 0) variable(inner);
    return undefined;
  });
  if (reader.left > 0) reader.take("body", reader.left);
  return reader.fields;
}

function variable(reader: FieldReader): void {
  const { bytes, at, end } = reader;
  const name = sizeAt(bytes, at, end);
  const value = sizeAt(bytes, at + 2 + name, end);
  reader.group(bytes.toString("latin1", at + 2, at + 2 + name), 4 + name + value, (inner) => {
    inner.number("size of the name", 2, "little");
    inner.take("name", name);
    inner.number("size of the value", 2, "little");
    return textOfBytes(inner.take("value", value));
  });
}

const sizeAt = (bytes: Buffer, at: number, end: number): number =>
  at + 2 <= end ? bytes.readUInt16LE(at) : 0;
