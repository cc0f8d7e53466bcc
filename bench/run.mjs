// `npm run bench [NAME ...]`: ours, its peers and the spike side by side, in one run on one machine. Ratios are what
// counts: the absolute figures say as much about the machine. See docs/benchmarks.md.
import { mkdirSync, writeFileSync } from "node:fs";
import { availableParallelism, cpus, loadavg } from "node:os";
import { join } from "node:path";
import { output, which } from "../scripts/setup/programs.mjs";
import { ROOT, setUpNode, setUpPeers } from "../scripts/setup/setup.mjs";
import { compare } from "./compare.mjs";
import { COMPARISONS } from "./comparisons.mjs";
import { nodesFor, pythonsFor } from "./environment.mjs";
import { idle } from "./idle.mjs";
import { memory } from "./memory.mjs";
import { parseOptions, wanted } from "./options.mjs";
import { asText, tables } from "./tables.mjs";

const RESULTS = join(ROOT, "bench", "results");
const MEMORY = "memory";

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

async function measure({ names, peers, effort }, { nodes, pythons }) {
  const comparisons = [];
  for (const python of pythons)
    for (const comparison of COMPARISONS.filter(({ name }) => wanted(name, names))) {
      comparisons.push(await compare(chosen(comparison, peers), { nodes, python }, effort, say));
      say(`${asText(tables({ comparisons: comparisons.slice(-1), memory: [] })[0])}\n`);
    }
  const context = { node: nodes[0].program, python: pythons[0].program };
  const large = wanted(MEMORY, names) ? [...(await memory(context, say)), ...(await idle(context, say))] : [];
  return { comparisons, memory: large };
}

/** What a reader needs to know of the run. */
function circumstances(machine, { nodes, pythons, missing }, { effort }) {
  return {
    date: new Date().toISOString(),
    commit: output("git", ["-C", ROOT, "rev-parse", "--short", "HEAD"])?.trim(),
    machine,
    effort,
    nodes: nodes.map(({ major, version }) => ({ major, version })),
    pythons: pythons.map(({ name, version, versions }) => ({ name, version, peers: versions })),
    missing,
  };
}

function keep(results) {
  mkdirSync(RESULTS, { recursive: true });
  const file = join(RESULTS, `${results.date.replaceAll(":", "-").slice(0, 19)}.json`);
  writeFileSync(file, `${JSON.stringify(results, null, 2)}\n`);
  say(`\nkept in ${file}`);
}

function missed({ comparisons, memory }) {
  const checks = comparisons.flatMap(({ verdicts }) => verdicts.flatMap(({ checks }) => checks));
  return [...checks, ...memory].filter(({ met }) => met === false).length;
}

async function main(words) {
  const options = parseOptions(words);
  if (options.usage) throw new Error(options.usage);
  if (options.list) {
    say([...COMPARISONS.map(({ name }) => name), MEMORY].join("\n"));
    return 0;
  }
  const surroundings = setUp(options);
  const machine = warnIfBusy();
  const results = await measure(options, surroundings);
  for (const table of tables({ comparisons: [], memory: results.memory })) say(`\n${asText(table)}`);
  keep({ ...circumstances(machine, surroundings, options), ...results });
  say(`${missed(results)} targets missed`);
  return missed(results) > 0 ? 1 : 0;
}

try {
  process.exitCode = await main(process.argv.slice(2));
} catch (error) {
  say(`the benchmark could not be run: ${error.message}`);
  process.exitCode = 1;
}
