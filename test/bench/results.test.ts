// From rounds to what is shown: medians, ratios, verdicts, marks, tables, the document and the chart.
import assert from "node:assert/strict";
import { test } from "node:test";
import { chart } from "../../bench/chart.mjs";
import { withResults } from "../../bench/document.mjs";
import { withDays, withRuns } from "../../bench/history.mjs";
import { daysMet, newest, type Run } from "../../bench/kept.mjs";
import { parseOptions, wanted } from "../../bench/options.mjs";
import { median, summary } from "../../bench/rounds.mjs";
import { asMarkdown, asText, type Comparison, comparisonTable } from "../../bench/tables.mjs";
import { type Row, type Target, verdicts } from "../../bench/verdicts.mjs";

const row = (name: string, kind: Row["kind"], rate: number, more: Partial<Row> = {}): Row => ({
  ...summary([
    { rate, cpu: { server: 10, worker: 5, all: 15 }, memory: { server: 120e6, all: 130e6 }, failures: 0 },
  ]),
  name,
  kind,
  marks: [],
  ...more,
});

const ours = (rate: number, node = "24"): Row => row(`sallyport, Node ${node}`, "ours", rate, { node });
const peer = (rate: number, target: Target = {}, more: Partial<Row> = {}): Row =>
  row("Granian", "peer", rate, { target, ...more });

const comparison = (rows: readonly Row[], limits = {}): Comparison => ({
  name: "WSGI hello",
  python: "3.13.0",
  connections: 32,
  rows,
  verdicts: verdicts(rows, limits),
});

const met = (rows: readonly Row[], limits = {}): (boolean | undefined)[] =>
  verdicts(rows, limits).flatMap(({ checks }) => checks.map((check) => check.met));

test("the median of the rounds counts, but every failure", () => {
  assert.equal(median([3, 1, 2]), 2);
  assert.equal(median([4, 1, 2, 3]), 2.5);
  assert.equal(median([Number.NaN, 7]), 7);
  const three = [100, 900, 200].map((rate) => ({ rate, failures: 1, cpu: { all: rate / 10 } }));
  const { rate, failures, cpu, p99 } = summary(three);
  assert.deepEqual(
    { rate, failures, all: cpu.all, p99 },
    { rate: 200, failures: 3, all: 20, p99: undefined },
  );
});

test("a target is met or missed by the ratio of medians", () => {
  assert.deepEqual(met([ours(120), peer(100, { rate: 1.2 })]), [true]);
  assert.deepEqual(met([ours(119), peer(100, { rate: 1.2 })]), [false]);
  assert.deepEqual(met([ours(100), peer(100, { cpu: 1, cpuEach: 0.9 })]), [true, false, false]);
  assert.deepEqual(met([ours(100)], { serverMemory: 110e6 }), [false]);
});

test("nothing follows from a peer that failed or left connections waiting; our own failure is a miss", () => {
  const target = { rate: 0.1 };
  assert.deepEqual(met([ours(100), peer(100, target, { failures: 1 })]), [undefined]);
  assert.deepEqual(met([ours(100), peer(100, target, { marks: ["answers only 1 of 32"] })]), [undefined]);
  assert.deepEqual(met([ours(100), peer(100, target, { problem: "not installed" })]), [undefined]);
  assert.deepEqual(met([{ ...ours(100), failures: 1 }, peer(100, target)]), [false]);
  assert.deepEqual(met([{ ...ours(0), problem: "did not start" }, peer(100, target)]), [false]);
  assert.deepEqual(
    met([{ ...ours(0), problem: "Node 24 could not be had", absent: true }, peer(100, target)]),
    [undefined],
  );
});

test("what runs on Node is compared with what runs on the same Node", () => {
  const rows = [
    ours(100, "24"),
    ours(50, "20"),
    row("the spike, Node 24", "spike", 200, { node: "24" }),
    row("the spike, Node 20", "spike", 200, { node: "20" }),
    peer(100),
  ];
  const pairs = verdicts(rows).map(({ ours, peer, rate }) => [ours, peer, rate]);
  assert.deepEqual(pairs, [
    [0, 2, 0.5],
    [0, 4, 1],
    [1, 3, 0.25],
    [1, 4, 0.5],
  ]);
});

test("one of ours that has a target is what another of ours is compared with", () => {
  const rows = [ours(150), { ...ours(100), name: "daemon", target: { rate: 1.2 } }];
  assert.deepEqual(
    verdicts(rows).map(({ ours, peer }) => [ours, peer]),
    [[0, 1]],
  );
});

test("a table shows server and worker apart, ratios for each Node, marks, problems and verdicts", () => {
  const marked = peer(1000, { rate: 1 }, { marks: ["answers only 1 of 32 kept connections"] });
  const absent = { ...peer(Number.NaN), name: "bjoern", problem: "bjoern is not installed" };
  const table = comparisonTable(
    comparison([ours(12_345), ours(99, "20"), peer(100, { rate: 9 }), marked, absent]),
  );
  assert.deepEqual(table.head.slice(7), [
    "rate: ours is, 24",
    "CPU: ours is, 24",
    "rate: ours is, 20",
    "CPU: ours is, 20",
    "targets",
  ]);
  const [first, , granian, waiting, missing] = table.rows;
  assert.deepEqual(first?.slice(0, 3), ["sallyport, Node 24", "12,345", "15.0 = 10.0 + 5.00"]);
  assert.equal(first?.[5], "130");
  assert.deepEqual(granian?.slice(7), [
    "123.45x",
    "1.00x",
    "0.99x",
    "1.00x",
    "24: rate >= 9x: met; 20: rate >= 9x: MISSED",
  ]);
  assert.match(waiting?.at(-1) ?? "", /^answers only 1 of 32 kept connections; 24: rate >= 1x: not judged/);
  assert.equal(missing?.[1], "bjoern is not installed");
  assert.equal(asText(table).split("\n").length, 6);
  assert.equal(asMarkdown(table).split("\n").length, 7);
});

const run = (date: string, rate: number): Run => ({
  date,
  machine: { processors: 2, model: "a processor" },
  nodes: [{ version: "v24.0.0" }],
  pythons: [{ version: "3.13.0", peers: { granian: "2.8" } }],
  missing: ["bjoern for CPython 3.13.0: no compiler"],
  comparisons: [comparison([ours(rate), peer(100, { rate: 1 })])],
});

const NAMES = ["WSGI hello"];
const DOCUMENT =
  "# Before\n\n<!-- written by `npm run bench -- --save`: begin -->\nold\n<!-- end -->\n\nAfter\n";

test("the document keeps what is around its generated part, names what is missing, and counts days", () => {
  const once = withResults(
    DOCUMENT,
    [run("2026-01-01T10:00:00Z", 150), run("2026-01-01T12:00:00Z", 160)],
    NAMES,
  );
  assert.match(once, /^# Before\n[\s\S]*After\n$/);
  assert.doesNotMatch(once, /^old$/m);
  assert.match(once, /Could not be had: bjoern for CPython 3.13.0: no compiler/);
  assert.match(once, /\| 1.60x \| met, seen once \|/);
  const runs = [run("2026-01-01T10:00:00Z", 150), run("2026-01-02T10:00:00Z", 160)];
  assert.match(withResults(DOCUMENT, runs, NAMES), /met, seen on 2 days/);
  assert.match(
    withResults(DOCUMENT, [...runs, run("2026-01-03T10:00:00Z", 50)], NAMES),
    /\| MISSED \(met in other runs, on 2 days\) \|/,
  );
  assert.throws(() => withResults("# Before", runs, NAMES), /lost the marks/);
});

test("of several runs the newest figures count, and a target once a day", () => {
  const runs = [
    run("2026-01-01T10:00:00Z", 150),
    run("2026-01-01T12:00:00Z", 160),
    run("2026-01-02T10:00:00Z", 50),
  ];
  assert.equal(newest(runs, "comparisons", NAMES)[0]?.rows[0]?.rate, 50);
  assert.deepEqual(
    [...daysMet(runs).values()].map((days) => [...days]),
    [["2026-01-01"]],
  );
});

test("figures of a Node stay until there are newer ones of that Node, and go with their comparison", () => {
  const on = (date: string, ...nodes: string[]): Run => ({
    ...run(date, 1),
    comparisons: [comparison([...nodes.map((node) => ours(100, node)), peer(100)])],
  });
  const runs = [
    on("2026-01-01", "24"),
    on("2026-01-02", "20", "26"),
    on("2026-01-03", "26"),
    on("2026-01-04", "24"),
  ];
  const dates = newest(runs, "comparisons", NAMES).map(({ run }) => run.date);
  assert.deepEqual(dates, ["2026-01-04", "2026-01-03", "2026-01-02"]);
  assert.deepEqual(newest(runs, "comparisons", ["another"]), []);
});

test("what a ratio was on each day adds up, the last run of a day counts, and what was not judged is left out", () => {
  const failed = {
    ...run("2026-01-04", 1),
    comparisons: [comparison([ours(1), peer(1, { rate: 1 }, { failures: 1 })])],
  };
  const history = withRuns(
    [],
    [run("2026-01-01T01", 150), run("2026-01-01T02", 120), run("2026-01-02", 90), failed],
  );
  assert.deepEqual(
    history.map(({ peer, what, days }) => [peer, what, days]),
    [["Granian", "rate", { "2026-01-01": 1.2, "2026-01-02": 0.9 }]],
  );
  const more = withRuns(history, [run("2026-01-03", 110)]);
  assert.match(withResults(DOCUMENT, [run("2026-01-05", 160)], NAMES, more), /met, seen on 3 days/);
  const marks = ["<!-- written by `npm run bench -- --save-days`: begin -->", "<!-- days end -->"] as const;
  const written = withDays(`before\n${marks[0]}old${marks[1]}\nafter\n`, more, NAMES);
  assert.match(written, /^before\n/);
  assert.match(written, /\| 01-01: 1\.20x, 01-02: 0\.90x \(missed\), 01-03: 1\.10x \|/);
  assert.match(written, /\nafter\n$/);
  assert.ok(!written.includes("old"));
  assert.throws(() => withDays("no marks", more, NAMES), /lost the marks/);
});

test("the chart has a bar for whoever can be compared, where we lose as where we win", () => {
  const waiting = { ...peer(900), name: "uWSGI", marks: ["answers only 1 of 32 kept connections"] };
  const svg = chart([comparison([ours(50), ours(40, "20"), peer(100), waiting])], {
    names: ["WSGI hello", "not measured"],
    node: "24",
  });
  const widths = [...svg.matchAll(/class="(ours|peer)"[^>]* width="(\d+)"/g)].map(([, kind, width]) => [
    kind,
    width,
  ]);
  const [own, other] = widths;
  assert.deepEqual([own?.[0], other?.[0], widths.length], ["ours", "peer", 2]);
  assert.equal(Number(own?.[1]) * 2, Number(other?.[1]));
  assert.match(svg, /prefers-color-scheme: dark/);
  assert.doesNotMatch(svg, /uWSGI|not measured/);
});

test("options choose Nodes, Pythons, peers and names; nonsense is answered with the usage", () => {
  const { nodes, pythons, peers, names, effort } = parseOptions(
    "--node 24,20 --python 3.11 --peers Granian --rounds 2 Flask".split(" "),
  );
  assert.deepEqual(
    { nodes, pythons, peers, names },
    {
      nodes: ["24", "20"],
      pythons: ["3.11"],
      peers: ["granian"],
      names: ["flask"],
    },
  );
  assert.deepEqual(effort, { rounds: 2, seconds: 2 });
  for (const words of ["--nodes 24", "--node", "--rounds none", "--quick --save"])
    assert.match(parseOptions(words.split(" ")).usage ?? "", /npm run bench/);
  assert.ok(wanted("Flask hello, 2 processes", ["flask"]) && !wanted("Django", ["flask"]));
});
