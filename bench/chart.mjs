// The chart of docs/benchmarks.svg: for each work a group of bars, ours first, each as long as its rate is of the group's
// best. It has no background of its own and follows the reader's light or dark.

const WIDTH = 760;
const NAMES = 270;
const FIGURES = 110;
const BAR = 14;
const GAP = 4;
const TITLE = 26;
const SPACE = 14;
const TOP = 34;

const STYLE = `
  text { font: 12px system-ui, sans-serif; fill: #1f2328 }
  .title { font-weight: 600 }
  .note { fill: #59636e }
  .ours { fill: #1f7a4d } .spike { fill: #a8b3bd } .peer { fill: #6b8fd6 }
  @media (prefers-color-scheme: dark) {
    text { fill: #e6edf3 }
    .note { fill: #9198a1 }
    .ours { fill: #3fb97c } .spike { fill: #59636e } .peer { fill: #6b8fd6 }
  }`;

/** The comparisons of the chart, of those that were measured on this Node; of several Pythons on the newest. */
export function chart(comparisons, { names, node }) {
  const python = comparisons.map(({ python }) => python).sort(newestFirst)[0] ?? "";
  const groups = names.flatMap((name) => {
    const found = comparisons.find(
      (one) => one.name === name && one.python === python && one.rows.some((row) => row.node === node),
    );
    return found ? [{ ...found, bars: bars(found, node) }] : [];
  });
  const parts = [];
  let y = TOP;
  for (const group of groups) {
    parts.push(text(0, y + 12, group.name, "title"));
    y += TITLE;
    for (const bar of group.bars) {
      parts.push(drawn(bar, y));
      y += BAR + GAP;
    }
    y += SPACE;
  }
  const about = `Requests a second, longer is better: Node ${node}, CPython ${python}`;
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${y}" width="${WIDTH}" height="${y}" role="img">`,
    `<title>${about}</title>`,
    `<style>${STYLE}\n</style>`,
    text(0, 14, about, "note"),
    ...parts,
    "</svg>\n",
  ].join("\n");
}

const newestFirst = (a, b) => b.localeCompare(a, "en", { numeric: true });

/** What did not run, or left connections waiting, has no bar to compare. */
function bars({ rows }, node) {
  const shown = rows.filter((row) => (row.node ?? node) === node && !row.problem && row.marks.length === 0);
  const best = Math.max(...shown.map(({ rate }) => rate));
  return shown.map(({ name, kind, rate }) => ({
    name: name.replace(/, Node \d+$/, ""),
    kind,
    rate,
    part: rate / best,
  }));
}

function drawn({ name, kind, rate, part }, y) {
  const length = Math.max(1, Math.round((WIDTH - NAMES - FIGURES) * part));
  return [
    text(12, y + 11, name),
    `<rect class="${kind}" x="${NAMES}" y="${y}" width="${length}" height="${BAR}" rx="2"/>`,
    text(NAMES + length + 6, y + 11, Math.round(rate).toLocaleString("en"), "note"),
  ].join("\n");
}

const text = (x, y, content, style) =>
  `<text x="${x}" y="${y}"${style ? ` class="${style}"` : ""}>${escaped(content)}</text>`;

const escaped = (content) => content.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
