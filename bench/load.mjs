// One round of load against one server: what the load program saw, and what the server's processes spent on it.
import { execFile } from "node:child_process";
import { mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { ROOT } from "../scripts/setup/setup.mjs";
import { parsePaced } from "./paced.mjs";
import { memoryHeld, processorTime, tree } from "./processes.mjs";
import { parseWrk, wrkArguments } from "./wrk.mjs";

const run = promisify(execFile);
const FOLDER = join(ROOT, ".cache", "bench");

/** Gives `{ requests, rate, p50, p99, failures, cpu, memory }`: microseconds a request, bytes; see processes.mjs. */
export async function round(server, work, connections, seconds) {
  await work.prepare?.(server, work, connections, seconds);
  const processes = tree(server.pid, server.launcher);
  const before = processorTime(processes);
  let memory;
  // While the load still runs, but late, so that it is what the server grows to.
  const look = setTimeout(() => (memory = memoryHeld(processes)), seconds * 800);
  const seen = await (work.load ?? requests)(server, work, connections, seconds);
  clearTimeout(look);
  const after = processorTime(processes);
  return { ...seen, cpu: perRequest(before, after, seen.requests), memory };
}

const perRequest = (before, after, count) =>
  Object.fromEntries(Object.keys(after).map((part) => [part, (after[part] - before[part]) / count]));

async function requests({ url }, work, connections, seconds) {
  const args = wrkArguments(url, work, connections, seconds);
  const { stdout } = await run("wrk", args, { timeout: (seconds + 60) * 1000 });
  return parseWrk(stdout);
}

/**
 * Requests at half of the rate that the server can do at the most, for latencies that say what a client of a server sees
 * that is busy and not drowned.
 */
export async function atHalfRate(server, _work, connections, seconds) {
  const program = await compiled("paced");
  const rate = Math.max(1, Math.round(server.most / 2));
  const args = [new URL(server.url).port, connections, rate, seconds].map(String);
  const { stdout } = await run(program, args, { timeout: (seconds + 60) * 1000 }).catch((error) => error);
  return { rate, ...parsePaced(stdout ?? "") };
}

/** Right before each round, since what a server can do depends on what else the machine does. */
export async function findMost(server, work, connections, seconds) {
  server.most = (await requests(server, work, connections, seconds)).rate;
}

/** The same for echoes of a thousand WebSockets, by a load program of our own. */
export async function echoes({ url }, _work, connections, seconds) {
  const program = await compiled("sockets");
  const args = [new URL(url).port, String(connections), String(seconds)];
  const { stdout } = await run(program, args, { timeout: (seconds + 60) * 1000 }).catch((error) => error);
  const rate = Number(/Messages\/sec: ([\d.]+)/.exec(stdout)?.[1] ?? 0);
  return { rate, requests: Math.round(rate * seconds), failures: rate > 0 ? 0 : 1 };
}

const programs = new Map();

/** The path of a load program of this folder, compiled once a run. */
export function compiled(name) {
  if (!programs.has(name)) programs.set(name, compile(name));
  return programs.get(name);
}

async function compile(name) {
  mkdirSync(FOLDER, { recursive: true });
  const program = join(FOLDER, `${name}-${process.pid}`);
  await run("cc", [
    "-O2",
    "-Wall",
    "-D_GNU_SOURCE",
    "-o",
    program,
    fileURLToPath(new URL(`${name}.c`, import.meta.url)),
  ]);
  process.once("exit", () => rmSync(program, { force: true }));
  return program;
}
