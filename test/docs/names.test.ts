// What prose names is there: paths, links, options of the command line, codes of errors.
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { test } from "node:test";
import { FOREIGN_OPTIONS } from "../../src/cli/foreign-options.ts";
import { OPTIONS } from "../../src/cli/options.ts";
import { ERRORS } from "../../src/exchange/index.ts";
import { FROM_WORKER, TO_WORKER } from "../../src/workers/link.ts";
import { commentsOf, type Line, linesOf, PAGES, placeOf, ROOT, readText, SOURCES, TESTS } from "./prose.ts";

const PROSE = [...PAGES.flatMap(linesOf), ...[...SOURCES, ...TESTS].flatMap(commentsOf)];

/** What `pattern` finds in prose and `isThere` does not know, with its place. */
function missing(pattern: RegExp, isThere: (found: string, line: Line) => boolean, lines = PROSE): string[] {
  return lines.flatMap((line) =>
    [...line.text.matchAll(pattern)].flatMap(([, found = ""]) =>
      isThere(found, line) ? [] : [`${placeOf(line)} names ${found}`],
    ),
  );
}

// Paths.

/** Made by a run of the benchmarks, and not kept here. */
const MADE = new Set(["bench/results", "docs/benchmarks.svg"]);
const PATH =
  /(?<![\w./-])((?:src|test|docs|python|scripts|bench|fuzz|examples|bin)\/(?:[\w.-]+\/)*(?:[\w.-]*\w\*?|))/g;
const exists = (path: string): boolean => existsSync(join(ROOT, path));

/** A star stands for the rest of a name. */
const isPath = (path: string): boolean =>
  MADE.has(path) || exists(path) || (path.endsWith("*") && matches(path.slice(0, -1)));
const matches = (start: string): boolean =>
  [...SOURCES, ...TESTS, ...PAGES].some((file) => file.startsWith(start));

test("each path that pages and comments name exists", () => {
  assert.deepEqual(missing(PATH, isPath), []);
});

test("each source file that a comment names by its last part exists", () => {
  const files = [...SOURCES, ...TESTS].map((file) => `/${file}`);
  const comments = SOURCES.flatMap(commentsOf);
  const isFile = (name: string): boolean => files.some((file) => file.endsWith(`/${name}`));
  assert.deepEqual(missing(/(?<![\w./*-])((?:[\w-]+\/)+[\w-]+\.(?:ts|mjs|py))\b/g, isFile, comments), []);
});

// Names in files.

/** "`flow` in [`src/...`]", "`Connection` (`src/...`)": each part of the name, and the file by its path or its last parts. */
const NAME_IN_FILE = /`([\w.#]+)`\s+(?:in|of|\()\s*\[?`([\w./-]+\.(?:ts|mjs|py))`/g;

/** Whether one of the files that `path` may mean has all parts of a name such as `GatewayServer.#handler`. */
function hasName(path: string, name: string): boolean {
  const parts = name.split(".");
  const files = [...SOURCES, ...TESTS].filter((file) => `/${file}`.endsWith(`/${path}`));
  return files.some((file) => parts.every((part) => readText(file).includes(part)));
}

test("each name that a page says is in a file is there", () => {
  const named = PAGES.flatMap((page) =>
    [...readText(page).matchAll(NAME_IN_FILE)].map(([, name = "", path = ""]) => ({ page, name, path })),
  );
  assert.ok(named.length > 20, `${named.length} names with their files were found`);
  assert.deepEqual(
    named.filter(({ name, path }) => !hasName(path, name)),
    [],
  );
});

// Links.

/** The anchor that a heading gets: lower case, no punctuation, hyphens for spaces. */
const anchorOf = (heading: string): string =>
  heading
    .toLowerCase()
    .replace(/[^\w\- ]/g, "")
    .replaceAll(" ", "-");

const anchorsOf = (page: string): string[] =>
  [...readText(page).matchAll(/^#+ (.*)$/gm)].map(([, heading = ""]) => anchorOf(heading));

function leads(link: string, { path }: Line): boolean {
  if (/^\w+:/.test(link)) return true;
  const [target = "", anchor] = link.split("#");
  const page = target === "" ? path : relative(ROOT, join(ROOT, dirname(path), target));
  if (!exists(page)) return false;
  return anchor === undefined || !page.endsWith(".md") || anchorsOf(page).includes(anchor);
}

test("each link of the pages leads somewhere, and its anchor to a heading", () => {
  assert.deepEqual(missing(/\]\(([^)\s]+)\)/g, leads, PAGES.flatMap(linesOf)), []);
});

test("each page is linked from another one, or stands in a folder that is", () => {
  const linked = new Set(
    PAGES.flatMap((page) =>
      [...readText(page).matchAll(/\]\(([^)\s#]+)/g)].map(([, link = ""]) => join(dirname(page), link)),
    ),
  );
  const isLinked = (page: string): boolean => linked.has(page) || linked.has(`${dirname(page)}/`);
  assert.deepEqual(
    PAGES.filter((page) => page.startsWith("docs/") && !isLinked(page)),
    [],
  );
});

// Options.

/** Options of programs other than `sallyport`. */
const OTHERS: Readonly<Record<string, readonly string[]>> = {
  "node and Python": [
    "import",
    "test",
    "expose-gc",
    "single-threaded-gc",
    "tls-cipher-list",
    "enable-shared",
    "disable-sigusr1",
  ],
  systemctl: ["kill-whom"],
  curl: ["unix-socket"],
  npm: ["global"],
  "other servers": Object.keys(FOREIGN_OPTIONS).map((name) => name.replace(/^--/, "")),
};
/** Options of our own scripts, which must know them. */
const SCRIPTS: Readonly<Record<string, readonly string[]>> = {
  "scripts/docs.mjs": ["check"],
  "bench/options.mjs": ["quick", "node", "peers", "list", "save", "save-days", "python"],
};
const known = new Set([
  ...Object.keys(OPTIONS),
  ...Object.values(OTHERS).flat(),
  ...Object.values(SCRIPTS).flat(),
]);
/** Not the arrows of a drawing: --what--> */
const OPTION = /(?<![\w-])--([a-z]\w*(?:-\w+)*)(?![\w-])(?! [\w ]*-->)/g;

test("each option that pages and comments name is one of the command line's", () => {
  assert.deepEqual(
    missing(OPTION, (name) => known.has(name)),
    [],
  );
});

for (const [script, options] of Object.entries(SCRIPTS))
  test(`${script} has the options that prose names`, () => {
    const source = readText(script);
    const absent = options.filter((name) => !new RegExp(`--${name}\\b|\\b${name}\\b["']?:`).test(source));
    assert.deepEqual(absent, []);
  });

// Codes.

const CODES = new Set(Object.keys(ERRORS));
/** Words that begin like a code and belong to another vocabulary. */
const NO_CODES = new Set([
  // constants of ours
  ...SOURCES.flatMap((path) => [...readText(path).matchAll(/^(?:export )?const ([A-Z_]+)\b/gm)]).map(
    ([, name = ""]) => name,
  ),
  ...Object.keys(TO_WORKER),
  ...Object.keys(FROM_WORKER),
  // CGI's variables
  "REQUEST_METHOD",
  "REQUEST_SCHEME",
  "REQUEST_URI",
  // FastCGI's status, HTTP/2's code, CPython's build
  "REQUEST_COMPLETE",
  "INTERNAL_ERROR",
  "PYTHON_CONFIGURE_OPTS",
]);
const FAMILIES = [...new Set([...CODES].map((code) => code.split("_")[0]))].join("|");

test("each code that pages and comments name is in the catalogue", () => {
  assert.deepEqual(
    missing(/ERR_SALLYPORT_(\w*[A-Z])\b/g, (code) => CODES.has(code)),
    [],
  );
  const short = new RegExp(`(?<![\\w.])((?:${FAMILIES})(?:_[A-Z]+)+)\\b`, "g");
  assert.deepEqual(
    missing(short, (code) => CODES.has(code) || NO_CODES.has(code)),
    [],
  );
});
