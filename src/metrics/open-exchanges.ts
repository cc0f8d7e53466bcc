// The exchanges of one app that are under way. Places are used again, so that a request neither grows nor makes anything that
// outlives it.
// Tested by test/metrics/counts.test.ts.
import type { Exchange } from "../exchange/index.ts";

export class OpenExchanges {
  readonly #places: (Exchange | undefined)[] = [];
  /** Places that are empty: the last `#spare` of them count. */
  readonly #empty: number[] = [];
  #spare = 0;

  get size(): number {
    return this.#places.length - this.#spare;
  }

  /** Gives its place. */
  add(exchange: Exchange): number {
    if (this.#spare === 0) return this.#places.push(exchange) - 1;
    const place = this.#empty[--this.#spare] as number;
    this.#places[place] = exchange;
    return place;
  }

  delete(place: number): void {
    this.#places[place] = undefined;
    this.#empty[this.#spare++] = place;
  }

  /** In no particular order. */
  *[Symbol.iterator](): Generator<Exchange> {
    for (const exchange of this.#places) if (exchange) yield exchange;
  }
}
