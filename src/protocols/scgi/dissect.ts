// An SCGI request for people (protocol.txt, 2 and 4): the netstring, its names and values, the body.
import { FieldReader, textOfBytes, type WireField } from "../../wire/fields.ts";

/** The fields of one request. */
export function dissectScgi(bytes: Buffer): WireField[] {
  const reader = new FieldReader(bytes);
  const colon = bytes.indexOf(":");
  const length = Number(bytes.toString("latin1", 0, Math.max(0, colon)));
  if (colon < 1 || !Number.isSafeInteger(length)) return rest(reader, "not a netstring");
  reader.take("length of the netstring", colon);
  reader.take("colon", 1);
  reader.group("variables", length, (inner) => {
    while (inner.left > 0) variable(inner);
    return undefined;
  });
  reader.take("comma", 1);
  return rest(reader, "body");
}

function variable(reader: FieldReader): void {
  const { bytes, at, end } = reader;
  const afterName = after(bytes, at, end);
  const afterValue = after(bytes, afterName, end);
  reader.group(bytes.toString("latin1", at, afterName - 1), afterValue - at, (inner) => {
    inner.take("name", afterName - at - 1);
    inner.take("end of the name", 1);
    const value = inner.take("value", afterValue - afterName - 1);
    inner.take("end of the value", 1);
    return textOfBytes(value);
  });
}

/** The place after the next byte 0. */
function after(bytes: Buffer, at: number, end: number): number {
  const zero = bytes.indexOf(0, at);
  return zero < 0 || zero >= end ? end : zero + 1;
}

function rest(reader: FieldReader, name: string): WireField[] {
  if (reader.left > 0) reader.take(name, reader.left);
  return reader.fields;
}
