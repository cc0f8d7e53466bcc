// Options that had another name before. The old name works until 1.0, and the log says once what it is called now. One
// table for the command line (where `serverProcesses` is `--server-processes`), the configuration and the library.

/** The present name by the old one. It counts only where the present name is known and the old one is not. */
const OLD_NAMES: Readonly<Record<string, string>> = {
  fronts: "serverProcesses",
  frontTimeout: "serverProcessTimeout",
};

/** The present name by each old one, of the options that are `known`. `style`: how names are written there. */
export function oldNamesOf(
  known: readonly string[],
  style = (name: string): string => name,
): ReadonlyMap<string, string> {
  const names = Object.entries(OLD_NAMES).map(([old, present]) => [style(old), style(present)] as const);
  return new Map(names.filter(([old, present]) => known.includes(present) && !known.includes(old)));
}

/** `serverProcesses` becomes `server-processes`. */
export const dashed = (name: string): string =>
  name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);

interface Renaming<T> {
  /** The same values under their present names. */
  readonly value: T;
  /** The old names that were used, with the present ones. */
  readonly renamed: readonly (readonly [old: string, present: string])[];
  /** Those of them whose present name was used as well. */
  readonly twice: readonly (readonly [old: string, present: string])[];
}

/** Puts the options that were `given` by an old name under their present one. */
export function presentNames<T extends object>(given: T, known: readonly string[]): Renaming<T> {
  const names = oldNamesOf(known);
  if (!Object.keys(given).some((name) => names.has(name))) return { value: given, renamed: [], twice: [] };
  // An option that is undefined was not given.
  const entries = Object.entries(given).filter(([, value]) => value !== undefined);
  const used = new Set(entries.map(([name]) => name));
  const renamed = [...names].filter(([old]) => used.has(old));
  const value = Object.fromEntries(entries.map(([name, one]) => [names.get(name) ?? name, one]));
  return { value: value as T, renamed, twice: renamed.filter(([, present]) => used.has(present)) };
}

/** For the log. */
export const renamedText = (old: string, present: string): string => `${old} is called ${present} now`;

/** For an error. */
export const twiceText = (old: string, present: string): string =>
  `${renamedText(old, present)}: give one of them, not both`;
