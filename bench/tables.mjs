// The results for people: a table in the terminal, and the same in Markdown for the docs.

const NONE = "";
const whole = (value) => (value === undefined ? NONE : Math.round(value).toLocaleString("en"));
const times = (value) => (value === undefined ? NONE : `${value.toFixed(2)}x`);
const fixed = (value) => (value === undefined ? NONE : value.toFixed(value < 10 ? 2 : 1));
const megabytes = (bytes) => (bytes === undefined ? NONE : String(Math.round(bytes / 1e6)));
const size = (bytes) => (bytes < 1e6 ? `${(bytes / 1e3).toFixed(1)} KB` : `${(bytes / 1e6).toFixed(0)} MB`);
const word = (met) => (met === undefined ? "not judged" : met ? "met" : "MISSED");

/** "38.5 = 20.1 + 18.4": all processes, and of ours and the spike what server and worker have of it. */
function parts({ server, worker, all } = {}, show) {
  if (all === undefined) return NONE;
  return server > 0 && worker > 0 ? `${show(all)} = ${show(server)} + ${show(worker)}` : show(all);
}

const WHAT = {
  rate: (limit) => `rate >= ${limit}x`,
  cpu: (limit) => `CPU <= ${limit}x`,
  cpuServer: (limit) => `CPU of the server <= ${limit}x`,
  cpuWorker: (limit) => `CPU of the worker <= ${limit}x`,
  p99: (limit) => `p99 <= ${limit}x`,
  serverMemory: (limit) => `server <= ${size(limit)}`,
  milliseconds: (limit) => `<= ${limit} ms`,
};

/** What is wanted and what is: "rate >= 1.2x" and "1.31x". */
export const target = ({ what, wanted, got }) => [
  WHAT[what](wanted),
  got === undefined ? NONE : what === "serverMemory" ? size(got) : times(got),
];

/** "rate >= 1.2x: MISSED"; a figure that is not in a column of its own is told, too. */
const check = ({ what, wanted, got, met }) => {
  const shown = what === "cpuServer" || what === "cpuWorker" ? ` (${times(got)})` : "";
  return `${WHAT[what](wanted)}${got === undefined ? "" : shown}: ${word(met)}`;
};

/** The table of one comparison: a line for each contender; a pair of ratios for each of ours that it is compared with. */
export function comparisonTable({ name, python, connections, unit = "req/s", rows, verdicts }) {
  const ours = [...new Set(verdicts.map((verdict) => verdict.ours))];
  const label = (index) => (ours.length > 1 && rows[index].node ? `, ${rows[index].node}` : "");
  const head = [
    `${name} (CPython ${python}, ${connections} connection${connections === 1 ? "" : "s"})`,
    ...[unit, "CPU us", "p50 ms", "p99 ms", "MB", "failed"],
    ...ours.flatMap((index) => [`rate: ours is${label(index)}`, `CPU: ours is${label(index)}`]),
    "targets",
  ];
  return { head, rows: rows.map((row, index) => line(row, index, ours, { rows, verdicts })) };
}

function line(row, index, ours, { rows, verdicts }) {
  const mine = verdicts.filter(({ ours, peer }) => (peer ?? ours) === index);
  const ratios = ours.flatMap((own) => {
    const found = mine.find((verdict) => verdict.ours === own && verdict.peer === index);
    return [times(found?.rate), times(found?.cpu)];
  });
  const figures = [
    row.problem ?? whole(row.rate),
    ...[parts(row.cpu, fixed), fixed(row.p50), fixed(row.p99), parts(row.memory, megabytes)],
    row.failures > 0 ? whole(row.failures) : NONE,
  ];
  const which = (own) => (ours.length > 1 ? `${rows[own].node}: ` : "");
  const checks = mine.flatMap(({ ours, checks }) => checks.map((one) => which(ours) + check(one)));
  return [row.name, ...figures, ...ratios, [...row.marks, ...checks].join("; ")];
}

/** Memory of large bodies and idle WebSockets, and other figures that have a limit and no peer. */
export function memoryTable(rows) {
  return {
    head: ["Memory", "peak", "target", ""],
    rows: rows.map(({ name, peak, limit, met }) => [name, size(peak), `< ${size(limit)}`, word(met)]),
  };
}

/** How long each server takes to its first answer; ours over each peer is not judged, only our own limit. */
export function startsTable({ name, python, rows }) {
  return {
    head: [`${name} (CPython ${python})`, "ms", "target", ""],
    rows: rows.map(({ name, problem, took, checks: [limit] }) => [
      name,
      problem ?? whole(took),
      limit ? WHAT.milliseconds(limit.wanted) : NONE,
      limit ? word(limit.met) : NONE,
    ]),
  };
}

/** What is said on the left stands left, and so do sentences in the last column; figures stand right. */
const isText = (at, { head }) => at === 0 || (at === head.length - 1 && head[at] === "targets");

export function asText(table) {
  const { head, rows } = table;
  const widths = head.map((_, column) => Math.max(...[head, ...rows].map((row) => row[column].length)));
  const cell = (text, at) => (isText(at, table) ? text.padEnd(widths[at]) : text.padStart(widths[at]));
  return [head, ...rows].map((row) => row.map(cell).join("  ").trimEnd()).join("\n");
}

export function asMarkdown(table) {
  const line = (cells) => `| ${cells.join(" | ")} |`;
  const rule = table.head.map((_, at) => (isText(at, table) ? "---" : "---:"));
  return [line(table.head), line(rule), ...table.rows.map(line)].join("\n");
}
