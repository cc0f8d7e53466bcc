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

function declared(): Map<string, string[]> {
  const places = new Map<string, string[]>();
  for (const path of sources())
    for (const [comment, name] of readFileSync(join(SRC, path), "utf8").matchAll(DECLARATION))
      if (!comment.includes("@deprecated"))
        places.set(name as string, [...(places.get(name as string) ?? []), path]);
  return places;
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
