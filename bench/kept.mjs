// What earlier runs kept in bench/results: the newest figures of each comparison, and on how many days a target was met.
// A ratio counts when it was seen on two days: on shared machines one run says little.
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { ROOT } from "../scripts/setup/setup.mjs";

const FOLDER = join(ROOT, "bench", "results");
/** Rounds below which a run is only a first look. */
const ENOUGH = 3;

/** Writes the results of a run; gives the name of the file. */
export function keep(results) {
  mkdirSync(FOLDER, { recursive: true });
  const file = join(FOLDER, `${results.date.replaceAll(":", "-").slice(0, 19)}.json`);
  writeFileSync(file, `${JSON.stringify(results, null, 2)}\n`);
  return file;
}

/** What was kept by runs that count, the oldest first: no first looks, and with all peers, as tables want them. */
export const keptRuns = () => keptRatios().filter(({ peers }) => peers.length === 0);

/** Also of runs with some of the peers: the ratio to one of them says as much without the others. */
export function keptRatios() {
  mkdirSync(FOLDER, { recursive: true });
  const names = readdirSync(FOLDER).filter((name) => name.endsWith(".json"));
  const runs = names.sort().map((name) => JSON.parse(readFileSync(join(FOLDER, name), "utf8")));
  return runs.filter(({ effort }) => effort.rounds >= ENOUGH);
}

/**
 * The newest of what was measured under each name, on each Python and Node, in the order of `names`, each with its `run`.
 * What was measured on several Nodes at once stays together as long as one of them has nothing newer.
 */
export function newest(runs, what, names) {
  const found = [];
  const known = new Set();
  for (const run of runs.toReversed())
    for (const one of run[what] ?? []) {
      const keys = subjects(one).filter((key) => !known.has(key));
      for (const key of keys) known.add(key);
      if (keys.length > 0 && names.includes(one.name)) found.push({ ...one, run });
    }
  return found.toSorted((a, b) => names.indexOf(a.name) - names.indexOf(b.name));
}

const subjects = ({ name, python, rows }) =>
  [...new Set(rows.flatMap(({ kind, node }) => (kind === "ours" ? node : [])))].map((node) =>
    [name, python, node].join("|"),
  );

/** Every judged target of a comparison: `{ key, comparison, python, node, ours, peer, what, wanted, got, met }`. */
export function judged({ name, python, rows, verdicts }) {
  return verdicts.flatMap(({ ours, peer, checks }) =>
    checks.map((check) => {
      const own = rows[ours];
      const other = peer === undefined ? undefined : rows[peer].name;
      const key = [name, python, own.node, withoutNode(other), check.what].join("|");
      return { key, comparison: name, python, node: own.node, peer: withoutNode(other), ...check };
    }),
  );
}

const withoutNode = (name) => name?.replace(/, Node \d+$/, "");

/** For each target the days on which it was met: a map from its key to a set of dates. */
export function daysMet(runs) {
  const days = new Map();
  for (const { date, comparisons } of runs)
    for (const { key, met } of comparisons.flatMap(judged))
      if (met) days.set(key, (days.get(key) ?? new Set()).add(date.slice(0, 10)));
  return days;
}
