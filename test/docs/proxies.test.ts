// docs/proxies.md: what it shows is what the tests run, and what it lists is what there is.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { FORWARDED, FORWARDED_FIELDS } from "../../src/proxies/forwarded.ts";
import { parseTrust } from "../../src/proxies/trust.ts";

const read = (path: string): string => readFileSync(new URL(path, import.meta.url), "utf8");
const page = read("../../docs/proxies.md");

const CONFIGURATIONS: Readonly<Record<string, string>> = {
  nginx: "../interop/nginx/proxy.conf",
  haproxy: "../interop/haproxy/haproxy.cfg",
  yaml: "../apps/side_by_side/sallyport.config.yaml",
};

/** Indentation and empty lines are not looked at. */
const linesOf = (text: string): string =>
  text
    .split("\n")
    .map((line) => line.trim())
    .filter((line) => line !== "")
    .join("\n");

const snippets = [...page.matchAll(/^```(\w+)\n([\s\S]*?)^```$/gm)];

for (const [language, config] of Object.entries(CONFIGURATIONS))
  test(`each whole snippet for ${language} stands in ${config}`, () => {
    const tested = linesOf(read(config));
    const shown = snippets.filter(
      ([, fence, text = ""]) => fence === language && !text.includes("forwarded:"),
    );
    assert.notEqual(shown.length, 0);
    for (const [, , text = ""] of shown) assert.ok(tested.includes(linesOf(text)), text);
  });

/** The code in the first column of the table below a title. */
const column = (title: string): string[] => {
  const [, below = ""] = page.split(`\n## ${title}\n\n`);
  const table = below.slice(0, below.indexOf("\n\n"));
  return table
    .split("\n")
    .slice(2)
    .flatMap((row) => [...(row.split("|")[1] ?? "").matchAll(/`([^`]+)`/g)].map(([, code = ""]) => code));
};

test("each entry of `trust` that the page lists is valid", () => {
  const shown = column("Whom to trust");
  assert.equal(shown.length, 6);
  for (const text of shown) assert.ok(parseTrust(text), text);
});

test("the page lists each header that may be applied", () => {
  assert.deepEqual(
    column("Headers").map((name) => name.toLowerCase()),
    [...FORWARDED],
  );
});

test("where nginx sets one of the headers that we believe, it sets or removes all of them: a client must not", () => {
  const example = "../../examples/deploy/nginx/nginx.conf";
  const pages = ["proxies", "guide/wsgi", "guide/asgi"].map((name) => `../../docs/${name}.md`);
  const blocks = pages.flatMap((file) => [...read(file).matchAll(/^```nginx\n([\s\S]*?)^```/gm)]);
  const shown = [...blocks.map(([block]) => block), read(example)].filter((block) =>
    block.includes("X-Forwarded-"),
  );
  assert.equal(shown.length, 5);
  for (const block of shown)
    for (const name of FORWARDED_FIELDS)
      assert.match(block, new RegExp(`proxy_set_header ${name} `, "i"), `${name}:\n${block}`);
});
