// `npm run matrix`: runs the conformance suite through every listener and every gateway, prints the table, and writes the
// tables of docs/matrix.md. With --check it runs nothing, and fails when the document is not current.
import { readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { runColumn } from "../test/matrix/cells.ts";
import { GATEWAYS } from "../test/matrix/gateways.ts";
import { LISTENERS } from "../test/matrix/listeners.ts";
import { cellTable, matrixTables } from "../test/matrix/table.ts";

const FILE = fileURLToPath(new URL("../docs/matrix.md", import.meta.url));

/** Puts each table between its `<!-- table: name -->` and `<!-- end -->`. */
function withTables(text, tables) {
  return text.replace(/(<!-- table: (\S+) -->\n)[\s\S]*?(<!-- end -->)/g, (_, start, name, end) => {
    if (!(name in tables)) throw new Error(`there is no table ${name}`);
    return `${start}\n${tables[name]}\n\n${end}`;
  });
}

function report({ results, violations }) {
  const failed = results.filter(({ verdict }) => verdict === "failed");
  for (const { name, complaints } of failed) console.log(`  ${name}\n    ${complaints.join("\n    ")}`);
  for (const { message } of violations) console.log(`  ${message}`);
  return failed.length + violations.length;
}

async function runAll() {
  const cells = new Map();
  for (const gateway of Object.keys(GATEWAYS))
    await runColumn(gateway, Object.keys(LISTENERS), async (listener, cell) => {
      console.log(`${listener} -> ${gateway}`);
      const run = await cell();
      const passed = run.results.filter(({ verdict }) => verdict === "passed").length;
      cells.set(`${listener} -> ${gateway}`, `${passed}/${run.results.length}`);
      if (report(run) > 0) process.exitCode = 1;
    });
  console.log(`\n${cellTable((listener, gateway) => cells.get(`${listener} -> ${gateway}`))}`);
}

const check = process.argv.includes("--check");
if (!check) await runAll();
const before = readFileSync(FILE, "utf8");
const current = withTables(before, matrixTables());
if (before !== current && !check) writeFileSync(FILE, current);
if (before !== current && check) {
  console.error("docs/matrix.md is not current; run npm run matrix");
  process.exitCode = 1;
}
