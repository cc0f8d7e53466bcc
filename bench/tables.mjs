// The results for people: a table in the terminal, and the same in Markdown for the docs.

const number = (value) => Math.round(value).toLocaleString("en");
const ratio = (value) => (value === undefined ? "" : `${value.toFixed(2)}x`);
const size = (octets) =>
  octets < 1e6 ? `${(octets / 1e3).toFixed(1)} KB` : `${(octets / 1e6).toFixed(0)} MB`;
const word = (met) => (met === undefined ? "" : met ? "met" : "MISSED");

const speed = (unit = "req/s") => ["", unit, "ours is", "target", ""];
const MEMORY = ["", "peak", "target", ""];

const speedRow = ({ name, rate, problem, ratio: value, atLeast, met }) => [
  name,
  problem ?? number(rate),
  ratio(value),
  atLeast === undefined ? "" : `>= ${atLeast}x`,
  word(met),
];

const memoryRow = ({ name, peak, limit, met }) => [name, size(peak), `< ${size(limit)}`, word(met)];

/** One table for each comparison, then one for memory. */
export function tables({ comparisons, memory }) {
  const all = comparisons.map(({ name, unit, rows }) => table(name, speed(unit), rows.map(speedRow)));
  if (memory.length > 0) all.push(table("Memory", MEMORY, memory.map(memoryRow)));
  return all;
}

function table(title, head, rows) {
  return { title, head: [title, ...head.slice(1)], rows };
}

export function asText({ head, rows }) {
  const widths = head.map((_, column) => Math.max(...[head, ...rows].map((row) => row[column].length)));
  const line = (row) =>
    row.map((cell, at) => (at === 0 ? cell.padEnd(widths[at]) : cell.padStart(widths[at]))).join("  ");
  return [line(head), ...rows.map((row) => `${line(row)}`)].map((text) => text.trimEnd()).join("\n");
}

export function asMarkdown({ head, rows }) {
  const line = (cells) => `| ${cells.join(" | ")} |`;
  const rule = head.map((_, at) => (at === 0 ? "---" : "---:"));
  return [line(head), line(rule), ...rows.map(line)].join("\n");
}
