// Runs several test files side by side, and reports how far it has come.
import { availableParallelism } from "node:os";
import { runFile } from "./file.mjs";
import { fileLine, interrupted, underWay } from "./report.mjs";
import { Tally } from "./tally.mjs";

/** How often files that take long are reported, in milliseconds. */
const REPORT = 30_000;

/** Runs the files, as many at a time as there are processors, and reports how it goes. */
export async function runAll(root, files) {
  const results = [];
  const running = new Set();
  const queue = [...files];
  const reportInterrupt = () => interrupted(results, files.length);
  process.once("exit", reportInterrupt);
  const reporting = setInterval(() => underWay(running), REPORT);
  const runNext = async () => {
    for (let path = queue.shift(); path !== undefined; path = queue.shift()) {
      const file = { path, tally: new Tally(), began: performance.now() };
      running.add(file);
      const result = await runFile(root, path, undefined, file.tally);
      running.delete(file);
      results.push(result);
      fileLine(result, `${results.length} of ${files.length}`);
    }
  };
  await Promise.all(Array.from({ length: Math.max(2, availableParallelism()) }, runNext));
  clearInterval(reporting);
  process.off("exit", reportInterrupt);
  return results;
}
