// Contenders side by side: all of them started, then measured in turn, round after round, so that whatever else the
// machine does falls on each alike. The median of the rounds counts.
import { existsSync } from "node:fs";
import { start } from "./contender.mjs";
import { requests } from "./load.mjs";

/** Measures one comparison; gives a row for each contender. */
export async function compare({ name, contenders, load = requests, unit }, { rounds, seconds }, say) {
  say(`${name}: ${contenders.map((contender) => contender.name).join(" | ")}`);
  const rows = contenders.map((contender) => ({ ...contender, rates: [], problem: absence(contender) }));
  const running = [];
  try {
    for (const row of rows) if (!row.problem) await launch(row, running);
    for (const { server } of running) await load(server.url, 1);
    for (let round = 0; round < rounds; round++)
      for (const each of running) await measure(each, load, seconds);
  } finally {
    await Promise.all(running.map(({ server }) => server.stop()));
  }
  return { name, unit, rows: withRatios(rows) };
}

const absence = ({ needs }) => (needs && !existsSync(needs) ? "not installed" : undefined);

/** A peer that does not start is a problem of its own row. */
async function launch(row, running) {
  try {
    running.push({ row, server: await start(row.command) });
  } catch (error) {
    row.problem = `did not start: ${error.message.split("\n").at(-1)}`;
  }
}

async function measure({ row, server }, load, seconds) {
  const { rate, problem } = await load(server.url, seconds);
  if (problem) row.problem = problem;
  else row.rates.push(Math.round(rate));
}

/** Ours over each peer: that ratio is what counts, and what may have a target. */
function withRatios(rows) {
  const ours = median(rows[0].rates);
  return rows.map(({ name, rates, problem, atLeast }, index) => {
    const rate = median(rates);
    const ratio = index > 0 && rate > 0 && ours > 0 ? ours / rate : undefined;
    return { name, rate, rates, ratio, atLeast, problem, met: verdict(ratio, atLeast, problem) };
  });
}

function verdict(ratio, atLeast, problem) {
  if (atLeast === undefined) return undefined;
  return problem === undefined && ratio !== undefined && ratio >= atLeast;
}

function median(values) {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? 0;
}
