// Which test files to run, and in which order: the slowest of the last run first, so that none is left alone at the end.
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";

const TIMES = join(".cache", "test-times.json");

/** Paths relative to `root`. With filters, only those that contain one of them. */
export function testFiles(root, filters) {
  const times = lastTimes(root);
  return readdirSync(join(root, "test"), { recursive: true })
    .map((path) => join("test", path))
    .filter((path) => path.endsWith(".test.ts") && !path.includes("node_modules"))
    .filter((path) => filters.length === 0 || filters.some((filter) => path.includes(filter)))
    .sort((a, b) => (times[b] ?? Infinity) - (times[a] ?? Infinity) || a.localeCompare(b));
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
