// The names of a list of meta-variables, apart from their values. A server in front sends the same names in the same order
// for most requests, and recognising a list costs much less than hashing all of its names again.
// Tested by test/cgi/metavariables/decode.test.ts.
import type { VariableList } from "./decode.ts";

/** Values by name; of a variable that comes twice the last one counts. */
export interface Variables {
  get(name: string): string | undefined;
  has(name: string): boolean;
}

/** Variables that look like a header field and are none: repeated elsewhere, or an attack (CVE-2016-5385, C1). */
const NO_FIELDS: ReadonlySet<string> = new Set(["HTTP_PROXY", "HTTP_CONTENT_LENGTH", "HTTP_CONTENT_TYPE"]);

/** The names of a list and the places of their values, for every list that has the same names. */
export class VariableNames {
  /** The header fields in it, in order. */
  readonly fields: readonly string[];
  /** The place of the value of each of `fields`. */
  readonly fieldPlaces: readonly number[];
  readonly #names: readonly string[];
  readonly #places: ReadonlyMap<string, number>;

  constructor(list: VariableList) {
    const names: string[] = [];
    const places = new Map<string, number>();
    const fields: string[] = [];
    const fieldPlaces: number[] = [];
    for (let i = 0; i < list.length; i += 2) {
      const name = list[i] as string;
      names.push(name);
      places.set(name, i + 1);
      const field = fieldOf(name);
      if (field === undefined) continue;
      fields.push(field);
      fieldPlaces.push(i + 1);
    }
    this.fields = fields;
    this.fieldPlaces = fieldPlaces;
    this.#names = names;
    this.#places = places;
  }

  /** Whether `list` has these names. From its end: there are the header fields, which differ between requests. */
  fits(list: VariableList): boolean {
    const names = this.#names;
    if (list.length !== names.length * 2) return false;
    for (let i = names.length - 1; i >= 0; i--) if (list[i * 2] !== names[i]) return false;
    return true;
  }

  /** The values of a list that it fits. */
  of(list: VariableList): Variables {
    return new ListedVariables(this.#places, list);
  }
}

class ListedVariables implements Variables {
  readonly #places: ReadonlyMap<string, number>;
  readonly #list: VariableList;

  constructor(places: ReadonlyMap<string, number>, list: VariableList) {
    this.#places = places;
    this.#list = list;
  }

  get(name: string): string | undefined {
    const place = this.#places.get(name);
    return place === undefined ? undefined : this.#list[place];
  }

  has(name: string): boolean {
    return this.#places.has(name);
  }
}

/** Lists of names that are remembered. */
const MOST_LISTS = 8;
/** Clients choose names, too: a list that is longer than any honest one is not remembered. */
const MOST_NAMES = 128;
const LONGEST_NAME = 64;

const remembered: VariableNames[] = [];
let oldest = 0;

export function variableNamesOf(list: VariableList): VariableNames {
  for (const names of remembered) if (names.fits(list)) return names;
  if (!isMemorable(list)) return new VariableNames(list);
  const names = new VariableNames(list.map((text, i) => (i % 2 === 0 ? copied(text) : "")));
  remembered[oldest] = names;
  oldest = (oldest + 1) % MOST_LISTS;
  return names;
}

const isMemorable = (list: VariableList): boolean =>
  list.length <= MOST_NAMES * 2 && list.every((text, i) => i % 2 === 1 || text.length <= LONGEST_NAME);

/** A copy: a substring would keep the whole text alive, with the values in it. */
const copied = (name: string): string => Buffer.from(name, "latin1").toString("latin1");

const FIELD = /^HTTP_[A-Za-z0-9_]+$/;

/** "Accept-Language" of HTTP_ACCEPT_LANGUAGE; undefined for a variable that cannot come from a header that we accept (C2). */
const fieldOf = (name: string): string | undefined =>
  FIELD.test(name) && !NO_FIELDS.has(name) ? titleCase(name.slice(5)) : undefined;

const titleCase = (name: string): string =>
  name
    .toLowerCase()
    .replaceAll("_", "-")
    .replace(/(?:^|-)[a-z]/g, (start) => start.toUpperCase());
