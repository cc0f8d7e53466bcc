// docs/edge-cases.md: each test that it names is there, and each id that comments and tests name has its row in it.
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { commentsOf, type Line, linesOf, PAGES, placeOf, ROOT, readText, SOURCES, TESTS } from "./prose.ts";

interface Row {
  readonly id: string;
  readonly cells: readonly string[];
  readonly tests: readonly { readonly file: string; readonly name: string }[];
}

const COLUMNS = ["id", "stimulus", "what happens here", "source", "test"];

function rowOf(text: string): Row | undefined {
  const cells = text
    .split("|")
    .slice(1, -1)
    .map((cell) => cell.trim());
  const [id = ""] = cells;
  return /^[A-Z]\d+$/.test(id) ? { id, cells, tests: testsOf(cells.at(-1) ?? "") } : undefined;
}

/** `file`: "name", "another name"; `another file`: "name" */
const testsOf = (cell: string): Row["tests"] =>
  [...cell.matchAll(/`([^`]+)`: ("[^"]+"(?:, "[^"]+")*)/g)].flatMap(([, file = "", names = ""]) =>
    [...names.matchAll(/"([^"]+)"/g)].map(([, name = ""]) => ({ file, name })),
  );

const ROWS = linesOf("docs/edge-cases.md").flatMap(({ text }) => rowOf(text) ?? []);
const IDS = new Set(ROWS.map(({ id }) => id));

const escaped = (text: string): string => text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");

/** A name begins where a text or a function of Python does; `…` is what varies from case to case. */
function isNamedIn(file: string, name: string): boolean {
  const parts = name.split("…").map(escaped).join(".*");
  return new RegExp(`(?:["'\`](?:[^"\`\\n]*[ }])?|def )${parts}`).test(readText(file));
}

test("docs/edge-cases.md has a row for each id, and each row all of its cells", () => {
  assert.ok(ROWS.length > 100, `${ROWS.length} rows were read`);
  assert.equal(IDS.size, ROWS.length, "an id has two rows");
  for (const { id, cells } of ROWS) {
    assert.equal(cells.length, COLUMNS.length, `${id}: a cell for each of ${COLUMNS.join(", ")}`);
    assert.ok(
      cells.every((cell) => cell !== ""),
      `${id} has an empty cell`,
    );
  }
});

test("a row of docs/edge-cases.md names a test, or says that there is none yet", () => {
  const without = ROWS.filter(({ tests, cells }) => tests.length === 0 && cells.at(-1) !== "no test yet");
  assert.deepEqual(
    without.map(({ id }) => id),
    [],
  );
});

test("each test that docs/edge-cases.md names stands in its file", () => {
  const missing = ROWS.flatMap(({ id, tests }) =>
    tests
      .filter(({ file, name }) => !existsSync(join(ROOT, file)) || !isNamedIn(file, name))
      .map(({ file, name }) => `${id}: ${file}: ${name}`),
  );
  assert.deepEqual(missing, []);
});

test("a test that is named but not there is missed", () => {
  assert.equal(isNamedIn("test/protocols/http1/vectors.ts", "H1 length and coding together"), true);
  assert.equal(isNamedIn("test/protocols/http1/vectors.ts", "H1 length and … together"), true);
  assert.equal(isNamedIn("test/protocols/http1/vectors.ts", "H1 coding together"), false);
});

const LETTERS = [...new Set([...IDS].map(([letter]) => letter))].join("");
const LIST = `(?:[${LETTERS}]\\d{1,2}, )*[${LETTERS}]\\d{1,2}`;
/** In comments: any word like H19, but for the controls that are called C0. */
const IN_COMMENTS = new RegExp(`(?<![\\\\%\\w])(?!C0\\b)[${LETTERS}]\\d{1,2}\\b`, "g");
/** In tests: where a name begins ("H19: ..."), in parentheses or brackets, and at the end of a function of Python's. */
const IN_NAMES = [
  new RegExp(`["\`](?:\\$\\{\\w+\\}, )?(${LIST})(?::| [a-z])`, "g"),
  new RegExp(`[([](${LIST})(?:, CVE-[\\d-]+)?[)\\]]["\`]`, "g"),
  new RegExp(`def test_\\w+_(${LIST})\\(`, "g"),
];

const idsInComments = (line: Line): string[] => [...line.text.matchAll(IN_COMMENTS)].map(([id]) => id);
const idsInNames = (line: Line): string[] =>
  IN_NAMES.flatMap((pattern) =>
    [...line.text.matchAll(pattern)].flatMap(([, list = ""]) => list.split(", ")),
  );

const unknown = (lines: readonly Line[], idsOf: (line: Line) => string[]): string[] =>
  lines.flatMap((line) =>
    idsOf(line)
      .filter((id) => !IDS.has(id))
      .map((id) => `${placeOf(line)} names ${id}`),
  );

test("each id that a comment or a page names has its row in docs/edge-cases.md", () => {
  const comments = [...SOURCES, ...TESTS].flatMap(commentsOf);
  assert.deepEqual(unknown([...comments, ...PAGES.flatMap(linesOf)], idsInComments), []);
});

test("each id in the name of a test has its row in docs/edge-cases.md", () => {
  const cases = SOURCES.filter((path) => path.startsWith("src/testing/cases/"));
  const lines = [...TESTS, ...cases].filter((path) => !path.startsWith("test/docs/")).flatMap(linesOf);
  const named = lines.flatMap(idsInNames);
  assert.ok(named.length > 200, `${named.length} ids were found in names`);
  assert.deepEqual(unknown(lines, idsInNames), []);
});
