// Running and finding programs, for scripts that work before any dependency is installed.
import { spawnSync } from "node:child_process";
import { accessSync, constants, statSync } from "node:fs";
import { delimiter, join } from "node:path";

/** The full path of a program on PATH, or undefined. */
export function which(name) {
  for (const folder of (process.env.PATH ?? "").split(delimiter)) {
    const path = join(folder, name);
    if (folder && isExecutable(path)) return path;
  }
  return undefined;
}

function isExecutable(path) {
  try {
    accessSync(path, constants.X_OK);
    return statSync(path).isFile();
  } catch {
    return false;
  }
}

/** Runs a command quietly; gives its standard output, or undefined when it failed or took too long. */
export function output(command, args, timeout = 30_000) {
  const { status, stdout } = spawnSync(command, args, {
    encoding: "utf8",
    timeout,
    stdio: ["ignore", "pipe", "ignore"],
  });
  return status === 0 ? stdout : undefined;
}

/** Runs a command whose progress the user may see; gives the end of its output when it failed, undefined when all is well. */
export function run(command, args, { cwd, env, timeout = 15 * 60_000 } = {}) {
  const done = spawnSync(command, args, {
    cwd,
    env: { ...process.env, ...env },
    encoding: "utf8",
    timeout,
    stdio: ["ignore", "pipe", "pipe"],
    maxBuffer: 64 << 20,
  });
  if (done.status === 0) return undefined;
  const text = `${done.stdout ?? ""}${done.stderr ?? ""}`.trim().split("\n").slice(-15).join("\n");
  return text || String(done.error ?? `${command} ended with status ${done.status ?? done.signal}`);
}

/** Progress for the person who waits. */
export const say = (text) => process.stdout.write(`setup: ${text}\n`);
