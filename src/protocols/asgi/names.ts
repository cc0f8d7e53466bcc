// Header names as an ASGI scope has them, in lower case, each made ready once: the beginning of the tuple that the value
// completes, marshalled.

/** Characters of names that are kept before it starts again. Clients choose names; they must not fill memory. */
const LIMIT = 65_536;

export class FieldNames {
  readonly #pairs = new Map<string, string>();
  #size = 0;

  /** Characters of the names that are kept. */
  get size(): number {
    return this.#size;
  }

  /** Marshal of a tuple of two whose first is the name as bytes; the second follows. As text of latin-1 characters. */
  pairOf(name: string): string {
    return this.#pairs.get(name) ?? this.#remember(name);
  }

  #remember(name: string): string {
    if (this.#size > LIMIT) this.#forget();
    // A copy, because a piece of a header block would keep the whole block in memory.
    const bytes = Buffer.from(name, "latin1");
    const lower = Buffer.from(name.toLowerCase(), "latin1");
    const start = Buffer.from(`)\x02s\0\0\0\0`, "latin1");
    start.writeUInt32LE(lower.length, 3);
    const pair = Buffer.concat([start, lower]).toString("latin1");
    this.#pairs.set(bytes.toString("latin1"), pair);
    this.#size += name.length;
    return pair;
  }

  #forget(): void {
    this.#pairs.clear();
    this.#size = 0;
  }
}
