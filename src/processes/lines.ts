// A child's output as lines for a log: bounded, and unable to forge or garble the log (L5).

/** Controls, which a terminal might obey (C0 but TAB, DEL, C1), and the separators that some viewers break lines at. */
const UNSAFE = /[\0-\x08\x0a-\x1f\x7f-\x9f\u2028\u2029]/g;

/** `text` with every control character written as an escape. */
export const escapeBytes = (text: string): string => text.replace(UNSAFE, escapeControl);

function escapeControl(character: string): string {
  const code = character.charCodeAt(0);
  if (code > 0xff) return `\\u${code.toString(16)}`;
  return `\\x${code.toString(16).padStart(2, "0")}`;
}

const LINE_FEED = 0x0a;
const CARRIAGE_RETURN = 0x0d;
const decoder = new TextDecoder("utf-8", { ignoreBOM: true });

/** Splits a stream of bytes into lines, decoded as UTF-8. A line longer than `limit` bytes is cut there. */
export class LineSplitter {
  readonly #onLine: (line: string) => void;
  readonly #limit: number;
  #parts: Uint8Array[] = [];
  #size = 0;
  #dropped = 0;

  constructor(onLine: (line: string) => void, limit = 8192) {
    this.#onLine = onLine;
    this.#limit = limit;
  }

  push(chunk: Uint8Array): void {
    let start = 0;
    for (let end = chunk.indexOf(LINE_FEED); end >= 0; end = chunk.indexOf(LINE_FEED, start)) {
      this.#add(chunk.subarray(start, end));
      this.#emit();
      start = end + 1;
    }
    this.#add(chunk.subarray(start));
  }

  /** The stream is over: a rest without a line end is a line too. */
  end(): void {
    if (this.#size > 0) this.#emit();
  }

  #add(part: Uint8Array): void {
    const room = this.#limit - this.#size;
    const head = part.length > room ? part.subarray(0, room) : part;
    this.#dropped += part.length - head.length;
    if (head.length === 0) return;
    // A copy: a few bytes must not keep a whole read buffer.
    this.#parts.push(Uint8Array.from(head));
    this.#size += head.length;
  }

  #emit(): void {
    const line = Buffer.concat(this.#parts);
    const dropped = this.#dropped;
    this.#parts = [];
    this.#size = 0;
    this.#dropped = 0;
    const text = escapeBytes(decoder.decode(withoutReturn(line)));
    this.#onLine(dropped > 0 ? `${text}... (${dropped} bytes more)` : text);
  }
}

const withoutReturn = (line: Uint8Array): Uint8Array =>
  line.at(-1) === CARRIAGE_RETURN ? line.subarray(0, -1) : line;
