// `npm test [filter ...]`: sets up what the tests need, runs every test/**/*.test.ts, and says how it went.
// Runs on a bare Node, before any dependency is there. With CI=true nothing may be missing and nothing is skipped quietly.
import { ROOT, setUpNode, setUpPeers } from "./setup/setup.mjs";
import { runAll } from "./testing/all.mjs";
import { rememberTimes, testFiles } from "./testing/files.mjs";
import { summary } from "./testing/report.mjs";

const strict = process.env.CI === "true";

async function main() {
  setUpNode();
  const missing = setUpPeers("test");
  const results = await runAll(ROOT, testFiles(ROOT, process.argv.slice(2)));
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
