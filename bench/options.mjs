// The command line of the bench.

const USAGE = `npm run bench [-- OPTIONS] [NAME ...]

NAME              only comparisons with NAME in their name ("flask", "WSGI hello"); all without one
--quick           one short round of each: seconds, and figures for a first look only
--node 24,26,20   major versions of Node that ours, the spike and node:http run on (24)
--python 3.13     versions of CPython, or "newest" (newest)
--peers a,b       besides ours only contenders with one of these in their names ("granian,spike")
--rounds N        rounds of each comparison (3)
--seconds N       seconds of each round (2)
--no-build        measure dist/ as it is
--save            write the tables and the chart of docs/benchmarks.md, from this run and what earlier ones kept
--save-days       add the ratios of this run and of earlier ones to bench/history.json, and to the table of days there
--no-run          measure nothing: with --save, of what earlier runs kept
--list            show the names`;

const FULL = { rounds: 3, seconds: 2 };
const QUICK = { rounds: 1, seconds: 2 };

/** Gives the settings of a run, or `{ usage }` with what is wrong. */
export function parseOptions(words) {
  const options = {
    names: [],
    nodes: ["24"],
    pythons: ["newest"],
    peers: [],
    build: true,
    save: false,
    saveDays: false,
    run: true,
    list: false,
  };
  const effort = {};
  const rest = [...words];
  const list = () => (rest.shift() ?? "").split(",").filter(Boolean);
  const number = () => Number(rest.shift());
  const actions = {
    "--quick": () => Object.assign(options, { quick: true }),
    "--node": () => Object.assign(options, { nodes: list() }),
    "--python": () => Object.assign(options, { pythons: list() }),
    "--peers": () => Object.assign(options, { peers: list().map((name) => name.toLowerCase()) }),
    "--rounds": () => Object.assign(effort, { rounds: number() }),
    "--seconds": () => Object.assign(effort, { seconds: number() }),
    "--no-build": () => Object.assign(options, { build: false }),
    "--no-run": () => Object.assign(options, { run: false }),
    "--save": () => Object.assign(options, { save: true }),
    "--save-days": () => Object.assign(options, { saveDays: true }),
    "--list": () => Object.assign(options, { list: true }),
  };
  while (rest.length > 0) {
    const word = rest.shift();
    if (!word.startsWith("-")) options.names.push(word.toLowerCase());
    else if (actions[word]) actions[word]();
    else return { usage: `unknown option ${word}\n\n${USAGE}` };
  }
  options.effort = { ...(options.quick ? QUICK : FULL), ...effort };
  return whole(options) ?? options;
}

function whole({ nodes, pythons, effort, save, quick }) {
  if (nodes.length === 0 || pythons.length === 0)
    return { usage: `--node and --python want versions\n\n${USAGE}` };
  const counts = Object.values(effort);
  if (!counts.every((count) => Number.isInteger(count) && count > 0))
    return { usage: `--rounds and --seconds want a number\n\n${USAGE}` };
  if (save && quick) return { usage: `--save wants more than --quick\n\n${USAGE}` };
  return undefined;
}

/** Whether the name is one that was asked for. */
export const wanted = (name, names) =>
  names.length === 0 || names.some((word) => name.toLowerCase().includes(word));
