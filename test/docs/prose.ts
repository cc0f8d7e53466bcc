// What people read: the pages, and the comments of the code.
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

export const ROOT: string = fileURLToPath(new URL("../..", import.meta.url));

export const readText = (path: string): string => readFileSync(join(ROOT, path), "utf8");

/** Every file below `folder`, by its path from the root. */
export function filesBelow(folder: string): string[] {
  return readdirSync(join(ROOT, folder), { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(ROOT.length).replace(/^\//, ""));
}

/** What people read first, and the documentation. The changelog tells of what was, so it is not among them. */
export const PAGES: readonly string[] = [
  "README.md",
  "CONTRIBUTING.md",
  "SECURITY.md",
  ...filesBelow("docs").filter((path) => path.endsWith(".md")),
];

const SOURCE = /\.(?:ts|mts|mjs|js|py)$/;
const isOurs = (path: string): boolean => SOURCE.test(path) && !/__pycache__|node_modules/.test(path);

export const SOURCES: readonly string[] = ["bin", "src", "python", "scripts", "fuzz", "bench", "examples"]
  .flatMap(filesBelow)
  .filter(isOurs);

export const TESTS: readonly string[] = filesBelow("test").filter(isOurs);

export interface Line {
  readonly path: string;
  readonly number: number;
  readonly text: string;
}

export const linesOf = (path: string): Line[] =>
  readText(path)
    .split("\n")
    .map((text, i) => ({ path, number: i + 1, text }));

export const placeOf = ({ path, number }: Line): string => `${path}:${number}`;

/** The comments and docstrings of a file, line by line. */
export function commentsOf(path: string): Line[] {
  const lines = linesOf(path);
  return path.endsWith(".py") ? pythonComments(lines) : scriptComments(lines);
}

function scriptComments(lines: readonly Line[]): Line[] {
  return lines.flatMap((line) => {
    const [comment] = /^\s*\/?\*.*|(?:^|\s)\/\/ .*/.exec(line.text) ?? [];
    return comment ? [{ ...line, text: comment }] : [];
  });
}

function pythonComments(lines: readonly Line[]): Line[] {
  let isDocstring = false;
  return lines.flatMap((line) => {
    const quotes = line.text.split('"""').length - 1;
    const wasDocstring = isDocstring;
    if (quotes % 2 === 1) isDocstring = !isDocstring;
    if (wasDocstring || quotes > 0) return [line];
    const [comment] = /(?:^|\s)# .*/.exec(line.text) ?? [];
    return comment ? [{ ...line, text: comment }] : [];
  });
}
