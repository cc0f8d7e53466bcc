// `npm run docs`: writes the tables of the pages from the code that they describe, and the drawings of the guide. With --check
// it only compares, and fails when they are not current.
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { foreignTables, optionTables } from "../src/cli/option-docs.ts";
import { configTables } from "../src/config/docs.ts";
import { discussionTables } from "./discussion.mjs";
import { guideParts } from "./guide.mjs";

const guide = await guideParts();
const guideTables = () => guide.tables;

const DOCS = {
  "configuration.md": configTables,
  "command-line.md": optionTables,
  "moving.md": foreignTables,
  "discussion/how-bytes-flow.md": discussionTables,
  "discussion/how-connections-end.md": discussionTables,
  "discussion/limits.md": discussionTables,
  "guide/cgi.md": guideTables,
  "guide/fastcgi.md": guideTables,
  "guide/scgi.md": guideTables,
  "guide/uwsgi.md": guideTables,
  "guide/wsgi.md": guideTables,
  "guide/asgi.md": guideTables,
  "guide/from-request-to-application-and-back.md": guideTables,
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

const fileOf = (name) => fileURLToPath(new URL(`../docs/${name}`, import.meta.url));

function put(name, before, after) {
  if (before === after) return;
  if (check) {
    console.error(`docs/${name} is not current; run npm run docs`);
    process.exitCode = 1;
  } else writeFileSync(fileOf(name), after);
}

for (const [name, tables] of Object.entries(DOCS)) {
  const before = readFileSync(fileOf(name), "utf8");
  put(name, before, withTables(before, tables()));
}

for (const [name, drawing] of Object.entries(guide.files)) {
  const file = fileOf(`guide/${name}`);
  put(`guide/${name}`, existsSync(file) ? readFileSync(file, "utf8") : undefined, drawing);
}
