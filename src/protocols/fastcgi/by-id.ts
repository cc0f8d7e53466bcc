// What is under way on one connection, by request id. Lists and not a Map: V8 gives a Map new tables as entries come and go, and
// each old table keeps what came after it alive (src/workers/streams.ts). Few are under way at once, so a search is quick.
// Tested by test/road/survivors.test.ts.

export class ById<T> {
  readonly #ids: number[] = [];
  readonly #items: T[] = [];

  get size(): number {
    return this.#ids.length;
  }

  has(id: number): boolean {
    return this.#ids.includes(id);
  }

  get(id: number): T | undefined {
    return this.#items[this.#ids.indexOf(id)];
  }

  /** `id` is free. */
  add(id: number, item: T): void {
    this.#ids.push(id);
    this.#items.push(item);
  }

  /** Whether it was there. */
  delete(id: number): boolean {
    const at = this.#ids.indexOf(id);
    if (at < 0) return false;
    this.#ids.splice(at, 1);
    this.#items.splice(at, 1);
    return true;
  }

  /** In the order in which they were added: a copy. */
  all(): T[] {
    return this.#items.slice();
  }

  clear(): void {
    this.#ids.length = 0;
    this.#items.length = 0;
  }
}
