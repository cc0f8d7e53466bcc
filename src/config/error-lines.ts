// The errors of a configuration, a line each: the file, the line where it is known, the key, and what to do. Without the
// schema, which a server process does not load.
// Tested by test/config/file.test.ts.
import { SallyportError } from "../exchange/index.ts";

export type KeyPath = readonly (string | number)[];

/** Where a configuration was written. */
export interface Origin {
  /** For messages: the file's name, or "command line". */
  readonly name: string;
  /** The line of a key, counted from 1; undefined when it cannot be known. */
  readonly lineOf: (path: KeyPath) => number | undefined;
  /** The key as it was written, where that is not its path in the configuration. */
  readonly keyOf?: (path: KeyPath) => KeyPath;
}

export const NOWHERE: Origin = { name: "configuration", lineOf: () => undefined };

export function configError(lines: readonly string[]): SallyportError {
  const [first = "the configuration is not valid"] = lines;
  if (lines.length < 2) return new SallyportError("CONFIG_INVALID", first);
  const message = `the configuration has ${lines.length} problems`;
  return new SallyportError("CONFIG_INVALID", message, { detail: lines.join("\n") });
}

/** `file:line: key.path: what is wrong`. A missing key has the line of what it is missing in: `written`. */
export function errorLine(origin: Origin, at: KeyPath, message: string, written: KeyPath = at): string {
  const path = origin.keyOf?.(at) ?? at;
  const line = origin.lineOf(written);
  const place = line === undefined ? origin.name : `${origin.name}:${line}`;
  return path.length === 0 ? `${place}: ${message}` : `${place}: ${keyText(path)}: ${message}`;
}

/** `apps.shop.listen[0]` */
const keyText = (path: KeyPath): string =>
  path.map((key, i) => (typeof key === "number" ? `[${key}]` : `${i ? "." : ""}${key}`)).join("");
