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

/**
 * What an HTTP/1.1 client received in answer to one request: each informational response (RFC 9110, 15.2) as one field, then the
 * fields of the answer.
 */
export function dissectAnswer(bytes: Buffer): WireField[] {
  const reader = new FieldReader(bytes);
  let from = 0;
  for (const to of informationalEnds(bytes)) {
    reader.group("informational response", to - from, (inner) => {
      inner.fields.push(...dissectMessage(bytes.subarray(from, to), "status line").map(movedBy(from)));
      return undefined;
    });
    from = to;
  }
  return [...reader.fields, ...dissectMessage(bytes.subarray(from), "status line").map(movedBy(from))];
}

const movedBy =
  (distance: number) =>
  ({ from, to, fields, ...rest }: WireField): WireField => ({
    ...rest,
    from: from + distance,
    to: to + distance,
    ...(fields ? { fields: fields.map(movedBy(distance)) } : {}),
  });

/** Where the head of the answer has begun: after all that is informational. Its end may not be there yet. */
export const answerAt = (bytes: Buffer): number => informationalEnds(bytes).at(-1) ?? 0;

/** 101 is an answer: nothing of HTTP/1.1 comes after it. */
const INFORMATIONAL = /^HTTP\/1\.1 1(?!01)\d\d /;

/** The ends of the heads with which `bytes` begins although they are no answer. */
function informationalEnds(bytes: Buffer): number[] {
  const ends: number[] = [];
  for (let at = 0; INFORMATIONAL.test(bytes.toString("latin1", at, at + 16)); at = ends.at(-1) as number) {
    const end = bytes.indexOf("\r\n\r\n", at);
    if (end < 0) break;
    ends.push(end + 4);
  }
  return ends;
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
