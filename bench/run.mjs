// `npm run bench [--quick] [filter ...]`: ours and its peers side by side, in one run on one machine, and the memory that
// large bodies take. Ratios are what counts: the absolute figures say as much about the machine. A filter is a part of a
// comparison's name ("flask", "memory").
import { mkdirSync, writeFileSync } from "node:fs";
import { availableParallelism, loadavg } from "node:os";
import { join } from "node:path";
import { which } from "../scripts/setup/programs.mjs";
import { ROOT, setUpNode, setUpPeers } from "../scripts/setup/setup.mjs";
import { compare } from "./compare.mjs";
import { COMPARISONS } from "./comparisons.mjs";
import { idle } from "./idle.mjs";
import { memory } from "./memory.mjs";
import { asMarkdown, asText, tables } from "./tables.mjs";

const FULL = { rounds: 3, seconds: 3 };
const QUICK = { rounds: 1, seconds: 1 };

const say = (text) => process.stdout.write(`${text}\n`);

function setUp() {
  setUpNode();
  const missing = setUpPeers("bench");
  if (missing.length > 0) say(`\nMISSING, so not measured against:\n  ${missing.join("\n  ")}\n`);
  if (!which("wrk")) throw new Error("wrk is not here, and nothing can be measured without it");
}

/** Somebody else's work falls on servers unevenly: those of several processes lose most. */
function warnIfBusy() {
  const [load] = loadavg();
  const busy = load > availableParallelism() / 2;
  if (busy) say(`\nBUSY: the load of this machine is ${load.toFixed(1)}; the figures will say little\n`);
  return { load, processors: availableParallelism() };
}

async function measure(effort, filters) {
  const wanted = (name) => filters.length === 0 || filters.some((word) => name.toLowerCase().includes(word));
  const comparisons = [];
  for (const comparison of COMPARISONS.filter(({ name }) => wanted(name)))
    comparisons.push(await compare(comparison, effort, say));
  return { comparisons, memory: wanted("memory") ? [...(await memory(say)), ...(await idle(say))] : [] };
}

function keep(results) {
  const folder = join(ROOT, ".cache", "bench");
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, "results.json"), `${JSON.stringify(results, null, 2)}\n`);
  writeFileSync(join(folder, "results.md"), `${tables(results).map(asMarkdown).join("\n\n")}\n`);
  say("\nalso in .cache/bench/results.json and results.md");
}

async function main(args) {
  setUp();
  const machine = warnIfBusy();
  const words = args.filter((word) => !word.startsWith("--")).map((word) => word.toLowerCase());
  const results = await measure(args.includes("--quick") ? QUICK : FULL, words);
  for (const table of tables(results)) say(`\n${asText(table)}`);
  keep({ machine, ...results });
  const all = [...results.comparisons.flatMap(({ rows }) => rows), ...results.memory];
  return all.some(({ met }) => met === false) ? 1 : 0;
}

try {
  process.exitCode = await main(process.argv.slice(2));
} catch (error) {
  say(`the benchmark could not be run: ${error.message}`);
  process.exitCode = 1;
}
