// Runs several test files side by side, and reports the progress.
import { availableParallelism } from "node:os";
import { runFile } from "./file.mjs";
import { Idleness } from "./idleness.mjs";
import { fileLine, interrupted, underWay } from "./report.mjs";
import { Tally } from "./tally.mjs";
import { compileAll } from "./typescript/code.mjs";

/** Milliseconds between two reports of the files that take long. */
const TELL = 30_000;
/** Milliseconds between two looks whether the processors have time for one more file. */
const LOOK = 1_000;
/** Times as many files as usual, at most: many do little but wait. */
const MOST = 2;
/** Processors that must have been idle since the last look for one more file to begin. */
const IDLE = 0.7;

/** Runs the files and reports the progress: `atOnce` at a time, and up to `most` while the processors have nothing to do. */
export async function runAll(root, files, options = {}) {
  const {
    atOnce = Math.max(2, availableParallelism()),
    most = atOnce * MOST,
    idleness = new Idleness(),
  } = options;
  await compileAll();
  const results = [];
  const running = new Map();
  const queue = [...files];
  const broken = () => interrupted(results, files.length);
  const begin = () => {
    const path = queue.shift();
    const file = { path, tally: new Tally(), began: performance.now() };
    const ended = runFile(root, path, undefined, file.tally).then((result) => {
      running.delete(file);
      results.push(result);
      fileLine(result, `${results.length} of ${files.length}`);
    });
    running.set(file, ended);
  };
  const look = () => {
    const idle = idleness.sinceLast();
    if (queue.length > 0 && running.size < most && idle > IDLE) begin();
  };
  process.once("exit", broken);
  const timers = [setInterval(() => underWay([...running.keys()]), TELL), setInterval(look, LOOK)];
  while (queue.length > 0 || running.size > 0) {
    while (queue.length > 0 && running.size < atOnce) begin();
    await Promise.race(running.values());
  }
  timers.forEach(clearInterval);
  process.off("exit", broken);
  return results;
}
