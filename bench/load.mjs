// One round of load: wrk against one address, and what it says.
import { execFile } from "node:child_process";
import { promisify } from "node:util";

const run = promisify(execFile);
const CONNECTIONS = 32;

/** Resolves with `{ rate, problem }`: requests per second, and why the round is not valid, if it is not. */
export async function load(url, seconds) {
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
