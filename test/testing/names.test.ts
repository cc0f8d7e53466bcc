// One exported name has one meaning, so that a search for it finds one thing.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { SRC, sources } from "./graph.ts";

/** Declarations, with the comment before them; `export { a } from` and `export type { A } from` declare nothing. */
const DECLARATION =
  /^(?:\/\*\*(?:(?!\*\/)[\s\S])*\*\/\n)?export (?:declare |abstract |async )*(?:const|let|class|function\*?|interface|type|enum) (\w+)/gm;

/** Names of more than one declaration, each with the one meaning that all of them have. */
const SAME: Readonly<Record<string, string>> = {};

/** The modules of each name. The overloads of a function are one declaration. */
function declared(): Map<string, string[]> {
  const places = new Map<string, string[]>();
  for (const path of sources())
    for (const name of namesIn(path)) places.set(name, [...(places.get(name) ?? []), path]);
  return places;
}

function namesIn(path: string): Set<string> {
  const found = [...readFileSync(join(SRC, path), "utf8").matchAll(DECLARATION)];
  const current = found.filter(([comment]) => !comment.includes("@deprecated"));
  return new Set(current.map(([, name = ""]) => name));
}

const places = declared();

test("no two modules export one name with two meanings", () => {
  const twice = [...places].filter(([name, paths]) => paths.length > 1 && !Object.hasOwn(SAME, name));
  assert.deepEqual(
    twice.map(([name, paths]) => `${name}: ${paths.join(", ")}`),
    [],
    "rename one of them",
  );
});

test("each name that may be declared more than once still is", () => {
  assert.ok(places.size > 500, "the declarations are found");
  for (const name of Object.keys(SAME)) assert.ok((places.get(name)?.length ?? 0) > 1, name);
});
