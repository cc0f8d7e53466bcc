// What a CGI program is handed, for people: its environment as the system lays it into the new process (execve(2): each
// NAME=value ends with a zero byte), and its standard input.
// Tested by test/explain/handover.test.ts.
import { FieldReader, textOfBytes, type WireField } from "../../wire/fields.ts";

export const environmentBlock = (env: Readonly<Record<string, string>>): Buffer =>
  Buffer.from(
    Object.entries(env)
      .map(([name, value]) => `${name}=${value}\0`)
      .join(""),
  );

/** A field for each variable of an environment block. */
export function dissectEnvironment(bytes: Buffer): WireField[] {
  const reader = new FieldReader(bytes);
  while (reader.left > 0) variable(reader);
  return reader.fields;
}

function variable(reader: FieldReader): void {
  const { bytes, at } = reader;
  const equals = bytes.indexOf("=", at);
  const zero = bytes.indexOf(0, equals);
  reader.group(bytes.toString("latin1", at, equals), zero + 1 - at, (inner) => {
    inner.take("name", equals - at);
    inner.take("equals sign", 1);
    const value = inner.take("value", zero - equals - 1);
    inner.take("end of the value", 1);
    return textOfBytes(value);
  });
}

export function dissectInput(bytes: Buffer): WireField[] {
  const reader = new FieldReader(bytes);
  reader.take("body", bytes.length);
  return reader.fields;
}
