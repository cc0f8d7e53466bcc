// What ours was, divided by each peer that a target is for, on each day: bench/history.json. It is committed, since days are spent on
// different machines, and bench/results knows one machine only.
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { ROOT } from "../scripts/setup/setup.mjs";
import { judged } from "./kept.mjs";
import { asMarkdown, target } from "./tables.mjs";
import { meets } from "./verdicts.mjs";

const FILE = join(ROOT, "bench", "history.json");
const BEGIN = "<!-- written by `npm run bench -- --save-days`: begin -->";
const END = "<!-- days end -->";

/** A list of `{ comparison, python, node, peer, what, wanted, days }`; `days` has the ratio of each date. */
export const readHistory = () => JSON.parse(readFileSync(FILE, "utf8"));

/** One target a line, so that a change can be read. */
export function writeHistory(history) {
  writeFileSync(FILE, `[\n${history.map((one) => JSON.stringify(one)).join(",\n")}\n]\n`);
}

/** `history` and the ratios of `runs`, the oldest first; of several runs on one day the last one counts. */
export function withRuns(history, runs) {
  const known = new Map(history.map((one) => [keyOf(one), one]));
  for (const { date, comparisons } of runs)
    for (const found of comparisons.flatMap(judged)) {
      if (found.peer === undefined || found.met === undefined) continue;
      const { comparison, python, node, peer, what, wanted, got } = found;
      const days = { ...known.get(keyOf(found))?.days, [date.slice(0, 10)]: Number(got.toFixed(3)) };
      known.set(keyOf(found), { comparison, python, node, peer, what, wanted, days });
    }
  return [...known.values()];
}

/** `days` (of kept.mjs) and those on which `history` met a target. */
export function withDaysMet(days, history) {
  const all = new Map(days);
  for (const one of history) {
    const met = Object.entries(one.days).filter(([, got]) => meets(one.what, got, one.wanted));
    all.set(keyOf(one), new Set([...(all.get(keyOf(one)) ?? []), ...met.map(([day]) => day)]));
  }
  return all;
}

const keyOf = ({ comparison, python, node, peer, what }) => [comparison, python, node, peer, what].join("|");

/** The document with its table of days made anew. Throws when it has lost the marks of it. */
export function withDays(document, history, names) {
  const [before, rest] = document.split(BEGIN);
  const after = rest?.split(END)[1];
  if (after === undefined) throw new Error("docs/benchmarks.md has lost the marks of its table of days");
  return `${before}${BEGIN}\n\n${asMarkdown(table(history, names))}\n\n${END}${after}`;
}

/** A line for each target on CPython; a cell for each Node, with a ratio for each day. */
function table(history, names) {
  const lines = new Map();
  for (const one of history.filter(({ comparison }) => names.includes(comparison))) {
    const key = keyOf({ ...one, node: "" });
    lines.set(key, [...(lines.get(key) ?? []), one]);
  }
  const rows = [...lines.values()]
    .toSorted(([a], [b]) => names.indexOf(a.comparison) - names.indexOf(b.comparison))
    .map(line);
  return { head: ["work", "CPython", "against", "target", ...NODES.map((node) => `Node ${node}`)], rows };
}

const NODES = ["26", "24", "20"];

function line(targets) {
  const [{ comparison, python, peer }] = targets;
  const [limit] = target(targets[0]);
  const cells = NODES.map((wanted) => targets.find(({ node }) => node === wanted)).map(
    (one) => one && daysOf(one),
  );
  return [comparison, python, peer, limit, ...cells.map((cell) => cell ?? "")];
}

const daysOf = ({ what, wanted, days }) =>
  Object.entries(days)
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([day, got]) => `${day.slice(5)}: ${got.toFixed(2)}x${meets(what, got, wanted) ? "" : " (missed)"}`)
    .join(", ");
