// `npm run bench [NAME ...]`: ours, its peers and the spike side by side, in one run on one machine. Ratios are what
// counts: the absolute figures say as much about the machine. See docs/benchmarks.md.
import { readFileSync, writeFileSync } from "node:fs";
import { availableParallelism, cpus, loadavg } from "node:os";
import { join } from "node:path";
import { output, which } from "../scripts/setup/programs.mjs";
import { ROOT, setUpNode, setUpPeers } from "../scripts/setup/setup.mjs";
import { chart } from "./chart.mjs";
import { compare } from "./compare.mjs";
import { CHARTED, COMPARISONS, STARTS } from "./comparisons.mjs";
import { withResults } from "./document.mjs";
import { nodesFor, pythonsFor } from "./environment.mjs";
import { readHistory, withDays, withRuns, writeHistory } from "./history.mjs";
import { idle } from "./idle.mjs";
import { keep, keptRatios, keptRuns, newest } from "./kept.mjs";
import { memory } from "./memory.mjs";
import { parseOptions, wanted } from "./options.mjs";
import { starts } from "./starts.mjs";
import { asText, comparisonTable, memoryTable, startsTable } from "./tables.mjs";

const DOCUMENT = join(ROOT, "docs", "benchmarks.md");
const CHART = join(ROOT, "docs", "benchmarks.svg");
const MEMORY = "memory";
const NAMES = [...COMPARISONS, STARTS, { name: MEMORY }].map(({ name }) => name);

const say = (text) => process.stdout.write(`${text}\n`);

function setUp({ build, nodes, pythons }) {
  if (build) setUpNode();
  const missing = setUpPeers("bench");
  const surroundings = { nodes: nodesFor(nodes), pythons: pythonsFor(pythons) };
  missing.push(...surroundings.nodes.flatMap(({ problem }) => problem ?? []));
  missing.push(...surroundings.pythons.flatMap((python) => python.missing));
  if (missing.length > 0) say(`\nMISSING, so not measured against:\n  ${missing.join("\n  ")}\n`);
  if (!which("wrk")) throw new Error("wrk is not here, and nothing can be measured without it");
  return { ...surroundings, missing };
}

/** Somebody else's work falls on servers unevenly: those of several processes lose most. */
function warnIfBusy() {
  const [load] = loadavg();
  if (load > availableParallelism() / 2)
    say(`\nBUSY: the load of this machine is ${load.toFixed(1)}; the figures will say little\n`);
  return { load, processors: availableParallelism(), model: cpus()[0]?.model };
}

/** Of a comparison what was asked for: ours, and those peers. */
function chosen(comparison, peers) {
  if (peers.length === 0) return comparison;
  const contenders = comparison.contenders.filter(
    ({ name, kind, target }) => (kind === "ours" && !target) || wanted(name, peers),
  );
  return { ...comparison, contenders };
}

/** Every table is shown as soon as it is there: a whole run takes long. */
async function measure({ names, peers, effort }, { nodes, pythons }) {
  const results = { comparisons: [], starts: [], memory: [] };
  const show = (kind, table, result) => {
    results[kind].push(...[result].flat());
    say(`\n${asText(table(result))}\n`);
  };
  for (const python of pythons) {
    const on = { nodes, python };
    for (const comparison of COMPARISONS.filter(({ name }) => wanted(name, names)))
      show("comparisons", comparisonTable, await compare(chosen(comparison, peers), on, effort, say));
    if (wanted(STARTS.name, names))
      show("starts", startsTable, await starts(chosen(STARTS, peers), on, effort.rounds, say));
  }
  const context = { node: nodes[0].program, python: pythons[0].program };
  if (wanted(MEMORY, names))
    show("memory", memoryTable, [...(await memory(context, say)), ...(await idle(context, say))]);
  return results;
}

/** What a reader needs to know of the run. */
function circumstances(machine, { nodes, pythons, missing }, { effort, peers }) {
  return {
    date: new Date().toISOString(),
    commit: output("git", ["-C", ROOT, "rev-parse", "--short", "HEAD"])?.trim(),
    machine,
    effort,
    peers,
    nodes: nodes.map(({ major, version }) => ({ major, version })),
    pythons: pythons.map(({ name, version, versions }) => ({ name, version, peers: versions })),
    missing,
  };
}

function missed({ comparisons, starts, memory }) {
  const checks = comparisons.flatMap(({ verdicts }) => verdicts.flatMap(({ checks }) => checks));
  const limits = starts.flatMap(({ rows }) => rows.flatMap(({ checks }) => checks));
  return [...checks, ...limits, ...memory].filter(({ met }) => met === false).length;
}

/** The tables and the chart, from all that was kept. */
function save({ nodes: [node] }) {
  const runs = keptRuns();
  writeFileSync(DOCUMENT, withResults(readFileSync(DOCUMENT, "utf8"), runs, NAMES, readHistory()));
  writeFileSync(CHART, chart(newest(runs, "comparisons", CHARTED), { names: CHARTED, node }));
  say(`written: ${DOCUMENT} and ${CHART}`);
}

/** Figures are of one machine, and are replaced; what a ratio was on each day adds up. */
function saveDays() {
  const history = withRuns(readHistory(), keptRatios());
  writeHistory(history);
  writeFileSync(DOCUMENT, withDays(readFileSync(DOCUMENT, "utf8"), history, NAMES));
  say(`written: bench/history.json and ${DOCUMENT}`);
}

async function run(options) {
  const surroundings = setUp(options);
  const machine = warnIfBusy();
  const results = await measure(options, surroundings);
  say(`kept in ${keep({ ...circumstances(machine, surroundings, options), ...results })}`);
  return missed(results);
}

async function main(words) {
  const options = parseOptions(words);
  if (options.usage) throw new Error(options.usage);
  if (options.list) {
    say(NAMES.join("\n"));
    return 0;
  }
  const count = options.run ? await run(options) : 0;
  if (options.save) save(options);
  if (options.saveDays) saveDays();
  if (count > 0) say(`${count} targets missed`);
  return count > 0 ? 1 : 0;
}

try {
  process.exitCode = await main(process.argv.slice(2));
} catch (error) {
  say(`the benchmark could not be run: ${error.message}`);
  process.exitCode = 1;
}
