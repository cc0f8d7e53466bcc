// `npm run docs`: writes the tables of the pages from the code that they describe. With --check it only compares, and fails
// when they are not current.
import { readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { optionTables } from "../src/cli/option-docs.ts";
import { configTables } from "../src/config/docs.ts";
import { discussionTables } from "./discussion.mjs";

const DOCS = {
  "configuration.md": configTables,
  "command-line.md": optionTables,
  "discussion/how-bytes-flow.md": discussionTables,
  "discussion/how-connections-end.md": discussionTables,
  "discussion/limits.md": discussionTables,
};
const check = process.argv.includes("--check");

/** Puts each table between its `<!-- table: name -->` and `<!-- end -->`. */
function withTables(text, tables) {
  return text.replace(/(<!-- table: (\S+) -->\n)[\s\S]*?(<!-- end -->)/g, (_, start, name, end) => {
    if (!(name in tables))
      throw new Error(`there is no table ${name}; there are ${Object.keys(tables).join(", ")}`);
    return `${start}\n${tables[name]}\n${end}`;
  });
}

for (const [name, tables] of Object.entries(DOCS)) {
  const file = fileURLToPath(new URL(`../docs/${name}`, import.meta.url));
  const before = readFileSync(file, "utf8");
  const after = withTables(before, tables());
  if (before === after) continue;
  if (check) {
    console.error(`docs/${name} is not current; run npm run docs`);
    process.exitCode = 1;
  } else writeFileSync(file, after);
}
