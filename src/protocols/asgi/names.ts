// Header names of ASGI scopes, in lower case, each marshalled once as the beginning of the tuple that its value completes.

/** Characters of names after which all are dropped: clients choose names, and must not fill memory. */
const LIMIT = 65_536;

export class FieldNames {
  readonly #pairs = new Map<string, string>();
  #size = 0;

  /** Characters of the names that are kept. */
  get size(): number {
    return this.#size;
  }

  /** A marshalled tuple of two up to its first value, the name as bytes; the second one must follow. */
  pairOf(name: string): string {
    return this.#pairs.get(name) ?? this.#remember(name);
  }

  #remember(name: string): string {
    if (this.#size > LIMIT) this.#forget();
    // A copy: a substring would keep its whole header block in memory.
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
