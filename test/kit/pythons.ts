// The CPython interpreters that our Python half must run on: every one of this machine from 3.9 on.
import { fileURLToPath } from "node:url";
import { findPythons, type Python } from "../../scripts/setup/pythons.mjs";

export type { Python };

const ROOT = fileURLToPath(new URL("../..", import.meta.url));

let found: readonly Python[] | undefined;

/** Newest first, one for each minor version; never empty. */
export function pythons(): readonly Python[] {
  found ??= findPythons(ROOT);
  if (found.length === 0) throw new Error("no CPython 3.9 or newer on this machine");
  return found;
}
