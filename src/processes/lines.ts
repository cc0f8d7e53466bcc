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
/** RS begins a record, as in a JSON text sequence (RFC 7464). */
const RECORD_SEPARATOR = 0x1e;
const LINE_LIMIT = 8192;
/** Bytes of a record: more than python/sallyport/logs.py makes. */
const RECORD_LIMIT = 655_360;
const decoder = new TextDecoder("utf-8", { ignoreBOM: true });

/** How a child marks lines that are records (python/sallyport/logs.py). */
export interface RecordLines {
  /** A secret of the child's: what it prints cannot look like a record by chance, or because a client wants it. */
  readonly token: string;
  /** Gets the JSON of each record. */
  readonly onRecord: (json: string) => void;
}

/** Splits a stream of bytes into lines, decoded as UTF-8. A line longer than `limit` bytes is cut there. */
export class LineSplitter {
  readonly #onLine: (line: string) => void;
  readonly #limit: number;
  readonly #records: RecordLines | undefined;
  readonly #mark: Buffer;
  #parts: Uint8Array[] = [];
  #size = 0;
  #dropped = 0;

  constructor(onLine: (line: string) => void, limit = LINE_LIMIT, records?: RecordLines) {
    this.#onLine = onLine;
    this.#limit = limit;
    this.#records = records;
    this.#mark = Buffer.from(`\x1e${records?.token} `);
  }

  push(chunk: Uint8Array): void {
    if (!this.#records) return this.#pushLines(chunk);
    // A record may follow text that has no line end yet.
    let start = 0;
    for (let at = chunk.indexOf(RECORD_SEPARATOR); at >= 0; at = chunk.indexOf(RECORD_SEPARATOR, at + 1)) {
      this.#pushLines(chunk.subarray(start, at));
      this.end();
      start = at;
    }
    this.#pushLines(chunk.subarray(start));
  }

  /** The stream is over: a rest without a line end is a line too. */
  end(): void {
    if (this.#size > 0) this.#emit();
  }

  #pushLines(chunk: Uint8Array): void {
    let start = 0;
    for (let end = chunk.indexOf(LINE_FEED); end >= 0; end = chunk.indexOf(LINE_FEED, start)) {
      this.#add(chunk.subarray(start, end));
      this.#emit();
      start = end + 1;
    }
    this.#add(chunk.subarray(start));
  }

  #add(part: Uint8Array): void {
    const room = this.#limitOf(this.#parts[0] ?? part) - this.#size;
    const head = part.length > room ? part.subarray(0, room) : part;
    this.#dropped += part.length - head.length;
    if (head.length === 0) return;
    // A copy: a few bytes must not keep a whole read buffer.
    this.#parts.push(Uint8Array.from(head));
    this.#size += head.length;
  }

  #limitOf(begin: Uint8Array): number {
    return this.#records && begin[0] === RECORD_SEPARATOR ? RECORD_LIMIT : this.#limit;
  }

  #emit(): void {
    const line = Buffer.concat(this.#parts);
    const dropped = this.#dropped;
    this.#parts = [];
    this.#size = 0;
    this.#dropped = 0;
    if (this.#records && isMarked(line, this.#mark))
      this.#records.onRecord(line.toString("utf8", this.#mark.length));
    else this.#emitText(line, dropped);
  }

  #emitText(line: Buffer, dropped: number): void {
    const kept = line.subarray(0, this.#limit);
    const more = dropped + line.length - kept.length;
    const text = escapeBytes(decoder.decode(withoutReturn(kept)));
    this.#onLine(more > 0 ? `${text}... (${more} bytes more)` : text);
  }
}

const isMarked = (line: Buffer, mark: Buffer): boolean =>
  line.length > mark.length && line.compare(mark, 0, mark.length, 0, mark.length) === 0;

const withoutReturn = (line: Uint8Array): Uint8Array =>
  line.at(-1) === CARRIAGE_RETURN ? line.subarray(0, -1) : line;
