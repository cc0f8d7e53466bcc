// One round of load: wrk, or its counterpart for WebSockets, against one address, and what it says.
import { execFile } from "node:child_process";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { ROOT } from "../scripts/setup/setup.mjs";

const run = promisify(execFile);
const CONNECTIONS = 32;
const SOCKETS = 1000;
const FOLDER = join(ROOT, ".cache", "bench");
const PROGRAM = join(FOLDER, "sockets");

/** Resolves with `{ rate, problem }`: requests per second, and why the round is not valid, if it is not. */
export async function requests(url, seconds) {
  const args = ["-t1", `-c${CONNECTIONS}`, `-d${seconds}`, `${url}/`];
  const { stdout } = await run("wrk", args, { timeout: (seconds + 30) * 1000 });
  const rate = Number(/Requests\/sec:\s+([\d.]+)/.exec(stdout)?.[1] ?? 0);
  return { rate, problem: problem(stdout, rate) };
}

function problem(text, rate) {
  const refused = /Non-2xx or 3xx responses: (\d+)/.exec(text);
  if (refused) return `${refused[1]} answers were not 2xx`;
  const errors = /Socket errors: (.*)/.exec(text);
  if (errors) return `socket errors: ${errors[1]}`;
  return rate > 0 ? undefined : "nothing was answered";
}

let compiled;

/** The same for echoes per second of a thousand WebSockets. */
export async function echoes(url, seconds) {
  compiled ??= compile();
  await compiled;
  const args = [new URL(url).port, String(SOCKETS), String(seconds)];
  const { stdout } = await run(PROGRAM, args, { timeout: (seconds + 60) * 1000 }).catch((error) => error);
  const rate = Number(/Messages\/sec: ([\d.]+)/.exec(stdout)?.[1] ?? 0);
  return { rate, problem: rate > 0 ? undefined : stdout?.trim() || "the load program did not end" };
}

function compile() {
  mkdirSync(FOLDER, { recursive: true });
  return run("cc", ["-O2", "-Wall", "-o", PROGRAM, fileURLToPath(new URL("sockets.c", import.meta.url))]);
}
