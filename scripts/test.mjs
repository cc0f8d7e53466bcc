// `npm test [filter ...]`: sets up what the tests need, runs every test/**/*.test.ts, and says how it went.
// Runs on a bare Node, before any dependency is there. With CI=true nothing may be missing and nothing is skipped quietly.
import { availableParallelism } from "node:os";
import { ROOT, setUpNode, setUpPeers } from "./setup/setup.mjs";
import { runFile } from "./testing/file.mjs";
import { rememberTimes, testFiles } from "./testing/files.mjs";
import { fileLine, summary } from "./testing/report.mjs";

const strict = process.env.CI === "true";

/** Runs the files, as many at a time as there are processors. */
async function runAll(files) {
  const results = [];
  const queue = [...files];
  const lane = async () => {
    for (let path = queue.shift(); path !== undefined; path = queue.shift()) {
      const result = await runFile(ROOT, path);
      results.push(result);
      fileLine(result);
    }
  };
  await Promise.all(Array.from({ length: Math.max(2, availableParallelism()) }, lane));
  return results;
}

async function main() {
  setUpNode();
  const missing = setUpPeers("test");
  const results = await runAll(testFiles(ROOT, process.argv.slice(2)));
  rememberTimes(ROOT, results);
  return summary(results, missing, strict);
}

try {
  process.exitCode = await main();
} catch (error) {
  process.stdout.write(
    `${error instanceof Error ? error.message : error}\n\n0 passed, 1 failed, 0 skipped\n`,
  );
  process.exitCode = 1;
}
