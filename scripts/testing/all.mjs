// Runs several test files side by side, and tells how far it has come.
import { availableParallelism } from "node:os";
import { runFile } from "./file.mjs";
import { fileLine, interrupted, underWay } from "./report.mjs";
import { Tally } from "./tally.mjs";

/** How often it is told what takes long, in milliseconds. */
const TELL = 30_000;

/** Runs the files, as many at a time as there are processors, and tells how it goes. */
export async function runAll(root, files) {
  const results = [];
  const running = new Set();
  const queue = [...files];
  const broken = () => interrupted(results, files.length);
  process.once("exit", broken);
  const telling = setInterval(() => underWay(running), TELL);
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
  await Promise.all(Array.from({ length: Math.max(2, availableParallelism()) }, lane));
  clearInterval(telling);
  process.off("exit", broken);
  return results;
}
