// docs/moving.md: its commands and its configuration are valid, and what it says we answer is what we answer.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { parse } from "yaml";
import { parseCommandLine } from "../../src/cli/command-line.ts";
import { FOREIGN_OPTIONS } from "../../src/cli/foreign-options.ts";
import { foreignTables } from "../../src/cli/option-docs.ts";
import { OPTIONS } from "../../src/cli/options.ts";
import { checkConfig } from "../../src/config/errors.ts";

const page = readFileSync(new URL("../../docs/moving.md", import.meta.url), "utf8");

const blocks = (language: string): string[] =>
  [...page.matchAll(new RegExp(`^\`\`\`${language}\n([\\s\\S]*?)^\`\`\``, "gm"))].map(
    ([, text = ""]) => text,
  );

test("each command of ours that the page shows is one; each option of the others is theirs by our table", () => {
  const lines = blocks("sh").flatMap((block) => block.trim().split("\n"));
  const [ours, theirs] = [true, false].map((own) =>
    lines.filter((line) => line.startsWith("sallyport") === own),
  );
  assert.equal(ours?.length, theirs?.length);
  for (const line of ours ?? []) parseCommandLine(line.split(" ").slice(1));
  for (const line of theirs ?? [])
    for (const [option] of line.matchAll(/--[a-z-]+/g))
      assert.ok(option.slice(2) in OPTIONS || option in FOREIGN_OPTIONS, `${line}: ${option}`);
});

test("what it says of a foreign option is what the command says", () => {
  const [, args = "", said = ""] =
    /^\$ sallyport (.*)\nsallyport: (.*) \[ERR_SALLYPORT_USAGE\]$/m.exec(page) ?? [];
  assert.throws(() => parseCommandLine(args.split(" ")), { code: "ERR_SALLYPORT_USAGE", message: said });
});

test("the configuration that takes the place of NGINX Unit's is valid, and is the same", () => {
  const [yaml = ""] = blocks("yaml");
  const { apps } = checkConfig(parse(yaml), { name: "moving.md", lineOf: () => undefined });
  const unit = JSON.parse(blocks("json")[0] ?? "").applications.shop;
  const shop = apps.shop as { wsgi: string; chdir: string; processes: object };
  assert.equal(shop.wsgi, `${unit.module}:${unit.callable}`);
  assert.equal(shop.chdir, unit.path);
  const { max, spare, idle_timeout: seconds } = unit.processes;
  assert.deepEqual(shop.processes, { min: spare, max, idleTimeout: seconds * 1000 });
});

test("every server of our table has its own on the page", () => {
  for (const server of Object.keys(foreignTables()))
    if (!["flask", "php"].includes(server)) assert.ok(page.includes(`<!-- table: ${server} -->`), server);
});
