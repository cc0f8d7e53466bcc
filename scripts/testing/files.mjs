// Which test files to run, and in which order: the slowest first, so that none is left alone at the end.
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";

const TIMES = join(".cache", "test-times.json");
/** Seconds that the longest take, for a checkout whose tests have never run. */
export const LONGEST = {
  "test/matrix/matrix.test.ts": 100,
  "test/python/python.test.ts": 90,
  "test/interop/nodes.test.ts": 90,
  "test/chaos/hostile.test.ts": 70,
  "test/cluster/recycling.test.ts": 65,
  "test/control/scaling.test.ts": 60,
  "test/interop/apache.test.ts": 55,
  "test/cli/stop.test.ts": 55,
  "test/road/survivors.test.ts": 50,
  "test/cli/embedded.test.ts": 50,
  "test/interop/autobahn.test.ts": 48,
  "test/control/commands.test.ts": 46,
  "test/cluster/supervisor.test.ts": 45,
  "test/chaos/reloads.test.ts": 43,
  "test/workers/stacks.test.ts": 40,
  "test/workers/recycling.test.ts": 35,
  "test/embedded/nodes.test.ts": 30,
  "test/workers/elastic.test.ts": 30,
  "test/interop/lighttpd.test.ts": 29,
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
