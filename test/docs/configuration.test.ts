// What pages say of the configuration: its keys and sections exist, its snippets are valid, and no option has an old name.
import assert from "node:assert/strict";
import { test } from "node:test";
import { configTables } from "../../src/config/docs.ts";
import { checkConfig } from "../../src/config/errors.ts";
import { parseYaml } from "../../src/config/locate.ts";
import { dashed, OLD_NAMES } from "../../src/options/old-names.ts";
import { filesBelow, type Line, linesOf, PAGES, placeOf, readText, SOURCES } from "./prose.ts";

const LINES = PAGES.flatMap(linesOf);

/** The pieces in backticks of a line. */
const codeIn = ({ text }: Line): string[] => [...text.matchAll(/`([^`]+)`/g)].map(([, code = ""]) => code);

/** What `pattern` finds in code of the pages and `isThere` does not know, with its place. */
const missing = (pattern: RegExp, isThere: (found: string) => boolean): string[] =>
  LINES.flatMap((line) =>
    codeIn(line)
      .flatMap((code) => [...code.matchAll(pattern)].map(([found]) => found))
      .filter((found) => !isThere(found))
      .map((found) => `${placeOf(line)} names ${found}`),
  );

// Keys.

/** `limits.http2.streams`: the sections of the tables in docs/configuration.md, with their keys. */
const KEYS = new Set(
  Object.entries(configTables()).flatMap(([section, table]) => [
    section,
    ...[...table.matchAll(/^\| `(\w+)` \|/gm)].map(([, key = ""]) =>
      section === "config" ? key : `${section}.${key}`,
    ),
  ]),
);

test("each key of the configuration that a page names with its section is there", () => {
  assert.ok(KEYS.has("limits.http2.streams") && KEYS.has("log.level") && KEYS.has("serverProcesses"));
  assert.deepEqual(
    missing(/^(?:limits|log|listen|routes)\.(?!ts$)[\w.]+$/g, (key) =>
      KEYS.has(key.replace("uwsgi", "scgi")),
    ),
    [],
  );
});

/** Names that belong to others, such as Vite's hooks and options, those of Next.js, Hono's functions, and keys of Kubernetes. */
const OTHERS = new Set([
  "getConnInfo",
  "getRequestHandler",
  "handleHotUpdate",
  "maxUnavailable",
  "noExternal",
  "preStop",
  "serverExternalPackages",
  "shouldUpgradeCallback",
  "terminationGracePeriodSeconds",
]);
const sources = [...SOURCES, "package.json"].map(readText).join("\n");
const WORDS = new Set(sources.match(/[A-Za-z_$][\w$]*/g));

test("each name in camel case that a page gives is in the code", () => {
  assert.deepEqual(
    missing(/\b[a-z]+[A-Z]\w*\b/g, (name) => WORDS.has(name) || OTHERS.has(name)),
    [],
  );
});

test("no page gives an option by its old name", () => {
  // The other old names mean something else in other places: `directory` of staticFiles(), `cwd` of Node.
  const old = Object.keys(OLD_NAMES).filter((name) => !["directory", "cwd"].includes(name));
  const names = new Set([...old, ...old.map((name) => `--${dashed(name)}`)]);
  assert.deepEqual(
    missing(/(?:--)?[\w-]+/g, (name) => !names.has(name)),
    [],
  );
});

// Snippets.

const snippets = PAGES.flatMap((page) =>
  [...readText(page).matchAll(/^```yaml\n([\s\S]*?)^```$/gm)].map(([, text = ""]) => ({ page, text })),
);

test("each YAML snippet of a page is a valid configuration", () => {
  assert.ok(snippets.length >= 5, `${snippets.length} snippets were found`);
  for (const { page, text } of snippets) {
    const { value, errors } = parseYaml(text);
    assert.deepEqual(errors, [], page);
    // Some show only the keys that they are about.
    const whole = { apps: { app: { static: "." } }, ...(value as object) };
    const { renamed } = checkConfig(whole, { name: page, lineOf: () => undefined });
    assert.equal(renamed, undefined, page);
  }
});

// Test vectors, which docs/edge-cases.md names by their ids.

test("each id in the name of a test vector has its row in docs/edge-cases.md", () => {
  const rows = new Set(
    [...readText("docs/edge-cases.md").matchAll(/^\| ([A-Z]\d+) \|/gm)].map(([, id]) => id),
  );
  const named = filesBelow("test/vectors").flatMap((path) =>
    [...readText(path).matchAll(/"name": "([A-Z]\d{1,2}): /g)].map(([, id]) => id),
  );
  assert.ok(named.length > 10, `${named.length} ids were found`);
  assert.deepEqual(
    named.filter((id) => !rows.has(id)),
    [],
  );
});
