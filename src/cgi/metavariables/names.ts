// The names of a list of meta-variables, apart from their values. A server in front sends the same ones in the same order
// for most requests, and to recognise them costs much less than to hash them all again.
import type { VariableList } from "./decode.ts";

/** What is asked for by name; of a variable that comes twice the last one counts. */
export interface Variables {
  get(name: string): string | undefined;
  has(name: string): boolean;
}

/** Variables that look like a field and are none: told elsewhere, or an attack (CVE-2016-5385, C1). */
const NO_FIELDS: ReadonlySet<string> = new Set(["HTTP_PROXY", "HTTP_CONTENT_LENGTH", "HTTP_CONTENT_TYPE"]);

/** The names of one list and where their values stand, for every list that has the same ones. */
export class VariableNames {
  /** The header fields in it, in order. */
  readonly fields: readonly string[];
  /** Where the value of each of `fields` stands. */
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

  /** Whether `list` has these names. What differs between requests of one server, the header fields, is at its end. */
  fits(list: VariableList): boolean {
    const names = this.#names;
    if (list.length !== names.length * 2) return false;
    for (let i = names.length - 1; i >= 0; i--) if (list[i * 2] !== names[i]) return false;
    return true;
  }

  /** The values of a list that it fits. */
  of(list: VariableList): Variables {
    return new Named(this.#places, list);
  }
}

class Named implements Variables {
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

/** Namings that are remembered, the latest first found again. */
const MOST_NAMINGS = 8;
/** Clients choose names, too: what is longer than any honest list is not remembered. */
const MOST_NAMES = 128;
const LONGEST_NAME = 64;

const namings: VariableNames[] = [];
let oldest = 0;

export function variableNamesOf(list: VariableList): VariableNames {
  for (const naming of namings) if (naming.fits(list)) return naming;
  if (!isMemorable(list)) return new VariableNames(list);
  const naming = new VariableNames(list.map((text, i) => (i % 2 === 0 ? apart(text) : "")));
  namings[oldest] = naming;
  oldest = (oldest + 1) % MOST_NAMINGS;
  return naming;
}

const isMemorable = (list: VariableList): boolean =>
  list.length <= MOST_NAMES * 2 && list.every((text, i) => i % 2 === 1 || text.length <= LONGEST_NAME);

/** A copy: a part of a text keeps the whole alive, with the values in it. */
const apart = (name: string): string => Buffer.from(name, "latin1").toString("latin1");

const FIELD = /^HTTP_[A-Za-z0-9_]+$/;

/** "Accept-Language" of HTTP_ACCEPT_LANGUAGE; undefined for what cannot have been a header that we take (C2). */
const fieldOf = (name: string): string | undefined =>
  FIELD.test(name) && !NO_FIELDS.has(name) ? titled(name.slice(5)) : undefined;

const titled = (name: string): string =>
  name
    .toLowerCase()
    .replaceAll("_", "-")
    .replace(/(?:^|-)[a-z]/g, (start) => start.toUpperCase());
