// Runs one test file in a process of its own and says how it went. A crash, a hang, an early exit, or a file without
// any test is a failure like any other.
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { output, which } from "../setup/programs.mjs";
import { Silence } from "./silence.mjs";
import { Tally } from "./tally.mjs";
import { LOADER } from "./typescript/loader.mjs";

const REPORTER = fileURLToPath(new URL("events.mjs", import.meta.url));
/**
 * No test may be silent for longer than this, on an idle machine: without any test beginning or ending, or a long
 * test telling its progress (test/kit/report-progress.ts). It is also the limit for a file that does not end by itself.
 */
const SILENCE = 120_000;
const OUTPUT_KEPT = 64 * 1024;

/** The files under way: a signal that ends the runner ends them, too. */
const running = new Set();
process.on("exit", () => running.forEach(endGroup));
for (const signal of ["SIGINT", "SIGTERM"]) process.on(signal, () => process.exit(1));

/** Runs `path`; resolves with `{ path, tally, seconds, output }`, never rejects. `tally` may be looked at meanwhile. */
export function runFile(root, path, limit = SILENCE, tally = new Tally()) {
  const began = performance.now();
  return new Promise((resolve) => {
    const child = start(root, path);
    running.add(child.pid);
    const silence = new Silence(limit, () => {
      tally.broken(path, `nothing happened for ${silence.text}; ${underWay(tally)}`);
      endGroup(child.pid);
    });
    const output = keepEnd(child);
    child.on("message", (event) => {
      tally.add(event);
      silence.heard();
    });
    child.once("close", (code, signal) => {
      silence.end();
      running.delete(child.pid);
      judge(tally, path, code, signal);
      resolve({ path, tally, seconds: (performance.now() - began) / 1000, output: output() });
    });
  });
}

let runtime;

/** Of this user alone, as that of a session is; it goes with this run of the tests. */
function runtimeDirectory() {
  if (runtime === undefined) {
    runtime = mkdtempSync(join(tmpdir(), "sallyport-run-"));
    process.once("exit", () => rmSync(runtime, { recursive: true, force: true }));
  }
  return runtime;
}

let path;

/**
 * With the folder of the interpreter in front where `python3` is a version manager's script: that looks for the interpreter
 * anew each time, which takes longer than most of our CGI programs.
 */
function searchPath() {
  path ??= [...interpreterFolder(), process.env.PATH ?? ""].join(delimiter);
  return path;
}

function interpreterFolder() {
  const found = which("python3");
  const real = found && output(found, ["-c", "import sys; print(sys.executable)"])?.trim();
  return real && dirname(real) !== dirname(found) ? [dirname(real)] : [];
}

function start(root, path) {
  const args = [...LOADER, `--test-reporter=${REPORTER}`, "--test-reporter-destination=stdout", path];
  // A group of its own, so that what a hung file has started goes with it.
  return spawn(process.execPath, args, {
    cwd: root,
    // The contract of the exchange is checked while it runs.
    // Servers that a test starts leave no control sockets among those of the user.
    env: {
      ...process.env,
      PATH: searchPath(),
      SALLYPORT_LINT: "1",
      XDG_RUNTIME_DIR: runtimeDirectory(),
    },
    detached: true,
    stdio: ["ignore", "pipe", "pipe", "ipc"],
  });
}

function underWay({ running, progress }) {
  if (running.length === 0) return "something keeps the process alive";
  return `still running: ${running.join(", ")}${progress && ` (${progress})`}`;
}

function endGroup(pid) {
  try {
    process.kill(-pid, "SIGKILL");
  } catch {
    // It has just ended by itself.
  }
}

function judge(tally, path, code, signal) {
  const { passed, failures, skips } = tally;
  if (failures.length > 0) return;
  if (signal) tally.broken(path, `the file was ended by ${signal}`);
  else if (!tally.ended)
    tally.broken(path, `the file ended early, with status ${code}, its tests not through`);
  else if (code !== 0) tally.broken(path, `the file ended with status ${code}`);
  else if (passed + skips.length === 0) tally.broken(path, "the file holds no test");
}

/** Keeps the last part of what the file prints. */
function keepEnd(child) {
  let kept = "";
  const add = (chunk) => {
    kept = (kept + chunk).slice(-OUTPUT_KEPT);
  };
  for (const stream of [child.stdout, child.stderr]) stream.setEncoding("utf8").on("data", add);
  return () => kept.trim();
}
