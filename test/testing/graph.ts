// Who imports whom in src/, read from the sources.
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import { fileURLToPath } from "node:url";

export const SRC: string = fileURLToPath(new URL("../../src", import.meta.url));

export interface Import {
  /** Paths below src/, with slashes. */
  readonly from: string;
  /** A path below src/, or the name of a module ("node:net", "zod"). */
  readonly to: string;
  /** What is imported, as it is written: "type { Socket }", "{ isIP }"; "" where only the module is named. */
  readonly what: string;
}

/** import and export statements, and dynamic imports, with a literal. */
const STATEMENT =
  /(?:^|\n)\s*(?:import|export)\b([^;"']*?)from\s*["']([^"']+)["']|\bimport\(?\s*["']([^"']+)["']/g;

export function sources(): string[] {
  return readdirSync(SRC, { recursive: true, encoding: "utf8" })
    .filter((path) => path.endsWith(".ts"))
    .sort();
}

export const imports = (): Import[] => sources().flatMap(importsOf);

function importsOf(from: string): Import[] {
  const text = readFileSync(join(SRC, from), "utf8");
  return [...text.matchAll(STATEMENT)].map(([, what = "", named, bare]) => {
    const specifier = (named ?? bare) as string;
    return { from, to: specifier.startsWith(".") ? below(from, specifier) : specifier, what: what.trim() };
  });
}

const below = (from: string, specifier: string): string =>
  relative(SRC, resolve(SRC, dirname(from), specifier));
