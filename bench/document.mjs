// The generated part of docs/benchmarks.md: what was reached and what was not, then every table.
import { withDaysMet } from "./history.mjs";
import { daysMet, judged, newest } from "./kept.mjs";
import { asMarkdown, comparisonTable, memoryTable, startsTable, target } from "./tables.mjs";

const BEGIN = "<!-- written by `npm run bench -- --save`: begin -->";
const END = "<!-- end -->";

/** The document with its generated part made anew; `names` are those of all that is measured, in their order; `history` knows other machines. */
export function withResults(document, runs, names, history = []) {
  const [before, rest] = document.split(BEGIN);
  const after = rest?.split(END)[1];
  if (after === undefined) throw new Error("docs/benchmarks.md has lost the marks of its generated part");
  return `${before}${BEGIN}\n\n${generated(runs, names, history)}\n\n${END}${after}`;
}

/** Those on Node 24 and newer come first: older ones are past their end of life. */
const byNode = (a, b) => (order(a) < order(b) ? -1 : 1);
const order = ({ node }) => (Number(node) >= 24 ? Number(node) : 1000 - Number(node));

function generated(runs, names, history) {
  const comparisons = newest(runs, "comparisons", names);
  const starts = newest(runs, "starts", names);
  const memory = runs.findLast(({ memory }) => memory?.length > 0)?.memory ?? [];
  return [
    "![Requests a second of Sallyport and others](benchmarks.svg)",
    circumstances(comparisons),
    "### Targets",
    asMarkdown(targets(comparisons, withDaysMet(daysMet(runs), history))),
    "### Figures",
    ...comparisons.map((comparison) => asMarkdown(comparisonTable(comparison))),
    ...starts.map((one) => asMarkdown(startsTable(one))),
    ...(memory.length > 0 ? [asMarkdown(memoryTable(memory))] : []),
  ].join("\n\n");
}

function circumstances(comparisons) {
  const runs = [...new Set(comparisons.map(({ run }) => run))];
  const machine = [
    ...new Set(runs.map(({ machine }) => `${machine.processors} processors (${machine.model})`)),
  ];
  const days = [...new Set(runs.map(({ date }) => date.slice(0, 10)))].sort();
  const nodes = [...new Set(runs.flatMap(({ nodes }) => nodes.map(({ version }) => version)))];
  const missing = [...new Set(runs.flatMap(({ missing }) => missing))];
  const peers = new Map(
    runs.flatMap(({ pythons }) => pythons.map((python) => [python.version, versions(python)])),
  );
  return [
    `Measured on ${days.join(", ")}: ${machine.join("; ")}; Node ${nodes.join(", ")}.`,
    ...[...peers].map(([python, list]) => `- On CPython ${python}: ${list}.`),
    ...missing.map((line) => `- Could not be had: ${line}.`),
  ].join("\n");
}

const versions = ({ peers }) =>
  Object.entries(peers)
    .map(([name, version]) => `${name} ${version}`)
    .join(", ");

function targets(comparisons, days) {
  const all = comparisons.flatMap(judged);
  return {
    head: ["work", "CPython", "Node", "against", "target", "ours is", "targets"],
    rows: all
      .map((one, index) => ({ ...one, index }))
      .sort((a, b) => byComparison(all, a, b) || byNode(a, b) || a.index - b.index)
      .map((one) => [
        ...[one.comparison, one.python, one.node ?? "", one.peer ?? "", ...target(one)],
        verdict(one.met, days.get(one.key)?.size ?? 0),
      ]),
  };
}

const byComparison = (all, a, b) => first(all, a) - first(all, b);
const first = (all, { comparison }) => all.findIndex((one) => one.comparison === comparison);

/** Once is not enough: see kept.mjs. */
function verdict(met, days) {
  if (met === undefined) return "not judged";
  if (!met)
    return days > 0 ? `MISSED (met in other runs, on ${days === 1 ? "one day" : `${days} days`})` : "MISSED";
  return days > 1 ? `met, seen on ${days} days` : "met, seen once";
}
