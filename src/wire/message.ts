// A head in lines, for people: HTTP/1.1 (RFC 9112, 2.1) and the output of CGI programs (RFC 3875, 6.2).
import { FieldReader, textOfBytes, type WireField } from "./fields.ts";

/**
 * A message: the first line if it has one (a request line, a status line), a field for each header, the empty line, and the
 * body as it was sent.
 */
export function dissectMessage(bytes: Buffer, firstLine: string | undefined): WireField[] {
  const reader = new FieldReader(bytes);
  takeHead(reader, firstLine);
  if (reader.left > 0) reader.take("empty line", lineSize(reader), () => "");
  if (reader.left > 0) reader.take("body", reader.left);
  return reader.fields;
}

/** Takes the lines of a head, up to the empty one or to the end. */
export function takeHead(reader: FieldReader, firstLine: string | undefined): void {
  if (firstLine !== undefined) reader.take(firstLine, lineSize(reader));
  while (reader.left > 0 && !isEmptyLine(reader)) headerField(reader);
}

/** Bytes of the next line, its end included. */
function lineSize({ bytes, at, end }: FieldReader): number {
  const feed = bytes.indexOf("\n", at);
  return (feed < 0 || feed >= end ? end : feed + 1) - at;
}

const isEmptyLine = ({ bytes, at }: FieldReader): boolean =>
  bytes[at] === 0x0a || (bytes[at] === 0x0d && bytes[at + 1] === 0x0a);

function headerField(reader: FieldReader): void {
  const { bytes, at } = reader;
  const size = lineSize(reader);
  const line = bytes.toString("latin1", at, at + size);
  const colon = line.indexOf(":");
  const blanks = /^:[ \t]*/.exec(line.slice(colon))?.[0].length ?? 0;
  const text = line.trimEnd().length;
  if (colon < 1) return void reader.take("a line that is no header", size);
  reader.group(line.slice(0, colon), size, (inner) => {
    inner.take("name", colon);
    inner.take("colon", blanks, () => "");
    const value = inner.take("value", Math.max(0, text - colon - blanks));
    inner.take("end of the line", inner.left);
    return textOfBytes(value);
  });
}
