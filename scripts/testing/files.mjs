// Which test files to run, and in which order: the slowest first, so that none is left alone at the end.
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";

const TIMES = join(".cache", "test-times.json");
/** Seconds that the longest take, for a checkout whose tests have never run. */
export const LONGEST = {
  "test/matrix/matrix.test.ts": 138,
  "test/python/python.test.ts": 128,
  "test/interop/nodes.test.ts": 128,
  "test/control/scaling.test.ts": 104,
  "test/chaos/reloads.test.ts": 102,
  "test/control/commands.test.ts": 95,
  "test/interop/apache.test.ts": 91,
  "test/cluster/recycling.test.ts": 90,
  "test/interop/demo-browser.test.ts": 78,
  "test/cli/stop.test.ts": 74,
  "test/admin/inspection.test.ts": 67,
  "test/chaos/uploads.test.ts": 67,
  "test/cluster/reload.test.ts": 58,
  "test/road/survivors.test.ts": 55,
  "test/mount/hosts.test.ts": 52,
  "test/interop/autobahn.test.ts": 46,
  "test/cli/embedded.test.ts": 46,
  "test/chaos/mixed.test.ts": 45,
  "test/demo/race.test.ts": 43,
  "test/cluster/supervisor.test.ts": 43,
  "test/interop/mcp.test.ts": 41,
  "test/chaos/ends.test.ts": 36,
  "test/scripts/runner.test.ts": 36,
  "test/workers/recycling.test.ts": 34,
  "test/interop/fastapi.test.ts": 31,
  "test/embedded/surroundings.test.ts": 31,
  "test/embedded/held.test.ts": 30,
  "test/workers/elastic.test.ts": 30,
  "test/control/stacks.test.ts": 30,
  "test/interop/dev-browser.test.ts": 29,
  "test/chaos/hostile.test.ts": 29,
  "test/embedded/nodes.test.ts": 28,
  "test/interop/perl.test.ts": 28,
  "test/config/file.test.ts": 28,
  "test/interop/events.test.ts": 26,
  "test/interop/dashboard-browser.test.ts": 26,
};
/** Seconds of a file of which nothing is known. */
const USUAL = 10;

/** Paths relative to `root`. With filters, only those that contain one of them. */
export function testFiles(root, filters) {
  const times = { ...LONGEST, ...lastTimes(root) };
  return readdirSync(join(root, "test"), { recursive: true })
    .map((path) => join("test", path))
    .filter((path) => path.endsWith(".test.ts") && !path.includes("node_modules"))
    .filter((path) => filters.length === 0 || filters.some((filter) => path.includes(filter)))
    .sort((a, b) => (times[b] ?? USUAL) - (times[a] ?? USUAL) || a.localeCompare(b));
}

export function rememberTimes(root, results) {
  const times = lastTimes(root);
  for (const { path, seconds } of results) times[path] = Math.round(seconds * 10) / 10;
  mkdirSync(dirname(join(root, TIMES)), { recursive: true });
  writeFileSync(join(root, TIMES), `${JSON.stringify(times, null, 2)}\n`);
}

function lastTimes(root) {
  try {
    return JSON.parse(readFileSync(join(root, TIMES), "utf8"));
  } catch {
    return {};
  }
}
