// Which test files to run, and in which order: the slowest first, so that none is left alone at the end.
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";

const TIMES = join(".cache", "test-times.json");
/** Seconds that the longest take, for a checkout whose tests have never run. */
export const LONGEST = {
  "test/road/downloads.test.ts": 135,
  "test/interop/nodes.test.ts": 134,
  "test/matrix/matrix.test.ts": 121,
  "test/python/python.test.ts": 110,
  "test/interop/demo-browser.test.ts": 101,
  "test/interop/apache.test.ts": 64,
  "test/road/survivors.test.ts": 62,
  "test/interop/autobahn.test.ts": 60,
  "test/server/event-streams.test.ts": 59,
  "test/cluster/supervisor.test.ts": 59,
  "test/cli/stop.test.ts": 57,
  "test/workers/lingering.test.ts": 55,
  "test/admin/inspection.test.ts": 51,
  "test/cluster/recycling.test.ts": 49,
  "test/control/scaling.test.ts": 42,
  "test/workers/bodies.test.ts": 39,
  "test/chaos/uploads.test.ts": 39,
  "test/demo/race.test.ts": 38,
  "test/control/commands.test.ts": 38,
  "test/scripts/runner.test.ts": 36,
  "test/cli/embedded.test.ts": 33,
  "test/chaos/reloads.test.ts": 32,
  "test/demo/demonstration.test.ts": 31,
  "test/workers/stacks.test.ts": 30,
  "test/protocols/wsgi/workers.test.ts": 30,
  "test/server/json-lines.test.ts": 29,
  "test/config/file.test.ts": 29,
  "test/chaos/hostile.test.ts": 29,
  "test/interop/lighttpd.test.ts": 28,
  "test/workers/common-parts.test.ts": 27,
  "test/embedded/nodes.test.ts": 27,
  "test/cluster/late.test.ts": 26,
  "test/road/road.test.ts": 26,
  "test/sockets/accepted.test.ts": 25,
  "test/workers/outbox.test.ts": 25,
  "test/server/failed-reload.test.ts": 25,
  "test/workers/recycling.test.ts": 24,
  "test/cli/admin.test.ts": 23,
  "test/interop/perl.test.ts": 23,
  "test/embedded/held.test.ts": 23,
  "test/cli/dev.test.ts": 23,
  "test/protocols/wsgi/contract.test.ts": 22,
  "test/workers/elastic.test.ts": 21,
  "test/interop/dashboard-browser.test.ts": 21,
  "test/cluster/reload.test.ts": 20,
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
