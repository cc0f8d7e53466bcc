// Contenders side by side: all of them started, then measured in turn, round after round, so that whatever else the
// machine does falls on each alike. The medians of the rounds count.
import { start } from "./contender.mjs";
import { round } from "./load.mjs";
import { answered, wrongAnswer } from "./probe.mjs";
import { summary } from "./rounds.mjs";
import { verdicts } from "./verdicts.mjs";

export const CONNECTIONS = 32;

/**
 * Measures one comparison on one Python: `nodes` are `{ major, program }`, and what runs on Node takes part once for each.
 * Gives `{ name, python, connections, rows, verdicts }`.
 */
export async function compare(comparison, { nodes, python }, { rounds, seconds }, say) {
  const { name, work, connections = CONNECTIONS, unit, serverMemory } = comparison;
  const rows = comparison.contenders.flatMap((contender) => onEachNode(contender, nodes));
  say(`${name} (CPython ${python.version}): ${rows.map((row) => row.name).join(" | ")}`);
  const running = [];
  try {
    for (const row of rows) await launch(row, python, running);
    for (const each of running) await check(each, work, connections);
    for (const each of running) await trying(each, () => warm(each, work, connections));
    for (let turn = 0; turn < rounds; turn++)
      for (const each of running) await trying(each, () => measure(each, work, connections, seconds));
  } finally {
    await Promise.all(running.map(({ server }) => server.stop()));
  }
  const results = rows.map(result);
  return {
    name,
    python: python.version,
    connections,
    unit,
    rows: results,
    verdicts: verdicts(results, { serverMemory }),
  };
}

export const runsOnNode = ({ kind, onNode }) => kind === "ours" || kind === "spike" || onNode === true;

/** A row for each Node that the contender is to run on; one where it runs on none. */
export function onEachNode(contender, nodes) {
  const row = (node, name) => ({ ...contender, name, node, rounds: [], marks: [] });
  if (!runsOnNode(contender)) return [row(nodes[0], contender.name)];
  return nodes.map((node) => row(node, `${contender.name}, Node ${node.major}`));
}

/** A server that is not here or does not start is a problem of its own row. */
async function launch(row, python, running) {
  const context = surroundings(row, python);
  row.problem = absence(row, python, context);
  row.absent = row.problem !== undefined;
  if (row.absent) return;
  try {
    const server = await start((port) => row.command({ ...context, port }));
    running.push({ row, server: { ...server, launcher: row.launcher } });
  } catch (error) {
    row.problem = `did not start: ${error.message.split("\n").at(-1)}`;
  }
}

/** What a contender's command is made of, but for its port. */
export const surroundings = ({ node }, python) => ({
  node: node.program,
  python: python.program,
  modules: python.modules,
});

/** Why a contender cannot take part, undefined if it can. */
export const absence = ({ node, missing }, python, context) =>
  node.problem ?? python.problem ?? missing?.(context);

/** A server that answers wrongly is not measured; one that leaves connections waiting is marked. */
async function check({ row, server }, work, connections) {
  if (work.unprobed) return;
  row.problem = await wrongAnswer(server, work).catch((error) => `does not answer: ${error.message}`);
  if (row.problem) return;
  const count = await answered(server, work, connections);
  if (count < connections) row.marks.push(`answers only ${count} of ${connections} kept connections`);
}

/** What goes wrong with one contender is told in its row, and the others go on. */
async function trying({ row }, task) {
  if (row.problem) return;
  try {
    await task();
  } catch (error) {
    row.problem = `failed: ${error.message.split("\n")[0]}`;
  }
}

async function measure({ row, server }, work, connections, seconds) {
  row.rounds.push(await round(server, work, connections, seconds));
}

/** V8 compiles what it has seen often enough: whatever runs on it has so many requests first, or so many seconds. */
const WARM_REQUESTS = 20_000;
const WARM_SECONDS = 5;

async function warm({ row, server }, work, connections) {
  const most = runsOnNode(row) ? WARM_SECONDS : 1;
  for (let second = 0, seen = 0; second < most && seen < WARM_REQUESTS; second++)
    seen += (await round(server, work, connections, 1)).requests;
}

const result = ({ name, kind = "peer", node, onNode, target, problem, absent, marks, rounds }) => ({
  name,
  kind,
  absent,
  node: runsOnNode({ kind, onNode }) ? node.major : undefined,
  target,
  problem,
  marks,
  ...summary(rounds),
});
