// The line in front of a chunk: its size, and perhaps extensions, which nothing here understands (RFC 9112, 7.1, 7.1.1).
// Tested by test/protocols/http1/codec.test.ts.
import { SallyportError } from "../../exchange/index.ts";

/** Both in bytes. */
export interface ChunkLine {
  readonly size: number;
  readonly extensions: number;
}

/** Up to 13 hexadecimal digits are an exact number. */
const CHUNK_SIZE = /^([0-9A-Fa-f]{1,13})([ \t]*;.*)?$/;
/** One extension, from its semicolon on: a name, and perhaps a token or a quoted string (RFC 9110, 5.6.4). */
const EXTENSION =
  /[ \t]*;[ \t]*[!#$%&'*+\-.^_`|~\w]+(?:[ \t]*=[ \t]*(?:[!#$%&'*+\-.^_`|~\w]+|"(?:[\t !#-[\]-~\x80-\xff]|\\[\t -~\x80-\xff])*"))?/y;

/** `line` is without its CRLF. Throws BAD_REQUEST. */
export function readChunkLine(line: string): ChunkLine {
  const [, size, extensions = ""] = CHUNK_SIZE.exec(line) ?? [];
  if (size === undefined) throw new SallyportError("BAD_REQUEST", "a malformed chunk size");
  if (!areExtensions(extensions)) throw new SallyportError("BAD_REQUEST", "a malformed chunk extension");
  return { size: Number.parseInt(size, 16), extensions: extensions.length };
}

/** Anything but extensions is refused: another recipient might read it as the end of the line. */
function areExtensions(text: string): boolean {
  EXTENSION.lastIndex = 0;
  while (EXTENSION.lastIndex < text.length) if (!EXTENSION.test(text)) return false;
  return true;
}
