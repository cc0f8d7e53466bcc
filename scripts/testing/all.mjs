// Runs several test files side by side, and reports the progress.
import { availableParallelism } from "node:os";
import { runFile } from "./file.mjs";
import { fileLine, interrupted, underWay } from "./report.mjs";
import { Tally } from "./tally.mjs";

/** Milliseconds between two reports of the files that take long. */
const TELL = 30_000;

/** Runs the files, `atOnce` at a time (as many as there are processors), and reports the progress. */
export async function runAll(root, files, atOnce = Math.max(2, availableParallelism())) {
  const results = [];
  const running = new Set();
  const queue = [...files];
  const broken = () => interrupted(results, files.length);
  process.once("exit", broken);
  const reporting = setInterval(() => underWay(running), TELL);
  const lane = async () => {
    for (let path = queue.shift(); path !== undefined; path = queue.shift()) {
      const file = { path, tally: new Tally(), began: performance.now() };
      running.add(file);
      const result = await runFile(root, path, undefined, file.tally);
      running.delete(file);
      results.push(result);
      fileLine(result, `${results.length} of ${files.length}`);
    }
  };
  await Promise.all(Array.from({ length: atOnce }, lane));
  clearInterval(reporting);
  process.off("exit", broken);
  return results;
}
