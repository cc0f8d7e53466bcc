// From the start of a server's program to its first answer.
import { once } from "node:events";
import { connect } from "node:net";
import { performance } from "node:perf_hooks";
import { setTimeout as sleep } from "node:timers/promises";
import { absence, onEachNode, runsOnNode, surroundings } from "./compare.mjs";
import { start } from "./contender.mjs";
import { median } from "./rounds.mjs";

const TURNS = 5;
const DEADLINE = 30_000;
/** Milliseconds between two attempts. */
const PAUSE = 2;

/** Starts each several times, by turns. Gives `{ name, python, rows }`, each row with its median in milliseconds. */
export async function starts({ name, milliseconds, contenders }, { nodes, python }, turns, say) {
  const rows = contenders.flatMap((contender) => onEachNode(contender, nodes));
  say(`${name} (CPython ${python.version}): ${rows.map((row) => row.name).join(" | ")}`);
  for (let turn = 0; turn < Math.min(turns + 2, TURNS); turn++)
    for (const row of rows) await startOnce(row, python);
  return { name, python: python.version, rows: rows.map((row) => result(row, milliseconds)) };
}

async function startOnce(row, python) {
  const context = surroundings(row, python);
  row.problem ??= absence(row, python, context);
  if (row.problem) return;
  const began = performance.now();
  try {
    const server = await start((port) => row.command({ ...context, port }), firstAnswer);
    row.rounds.push(performance.now() - began);
    await server.stop();
  } catch (error) {
    row.problem = `did not start: ${error.message.split("\n").at(-1)}`;
  }
}

async function firstAnswer(port) {
  const deadline = performance.now() + DEADLINE;
  while (performance.now() < deadline) {
    if (await answers(port)) return;
    await sleep(PAUSE);
  }
  throw new Error(`nothing answers on port ${port}`);
}

async function answers(port) {
  const socket = connect(port, "127.0.0.1");
  try {
    socket.write("GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n");
    const [data] = await once(socket, "data");
    return data.toString("latin1").startsWith("HTTP/1.1 200");
  } catch {
    return false;
  } finally {
    socket.destroy();
  }
}

function result({ name, kind = "peer", onNode, node, problem, rounds }, limit) {
  const value = median(rounds);
  const took = Number.isFinite(value) ? value : undefined;
  const checks =
    kind === "ours" ? [{ what: "milliseconds", wanted: limit, got: took, met: took <= limit }] : [];
  return { name, kind, node: runsOnNode({ kind, onNode }) ? node.major : undefined, problem, took, checks };
}
