import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { ERRORS, type ErrorName } from "../../src/exchange/index.ts";

const page = readFileSync(new URL("../../docs/errors.md", import.meta.url), "utf8");
const paragraphs = new Map(
  page
    .split(/^### ERR_SALLYPORT_/m)
    .slice(1)
    .map((part): [string, string] => [part.slice(0, part.indexOf("\n")), part.slice(part.indexOf("\n") + 1)]),
);

test("docs/errors.md has a paragraph for every code, and none for others", () => {
  assert.deepEqual([...paragraphs.keys()].sort(), Object.keys(ERRORS).sort());
});

for (const name of Object.keys(ERRORS) as ErrorName[]) {
  const { fault, status } = ERRORS[name];
  test(`the paragraph of ${name} names its fault and its status`, () => {
    const [first = ""] = (paragraphs.get(name) ?? "").split(". ");
    assert.match(first, new RegExp(`, ${fault}$`));
    if (fault !== "config" && status !== 0) assert.match(first, new RegExp(`^${status},`));
  });
}
