// `npm run chaos [filter ...]`: the long forms of test/chaos/, one after the other, so that none disturbs another's load.
// CHAOS_MINUTES says how long mixed traffic lasts (30).
process.env.CHAOS = "long";
const { runAll } = await import("./testing/all.mjs");
const { ROOT, setUpNode, setUpPeers } = await import("./setup/setup.mjs");
const { testFiles } = await import("./testing/files.mjs");
const { summary } = await import("./testing/report.mjs");

const filters = process.argv.slice(2);

setUpNode();
const missing = setUpPeers("test");
const files = testFiles(ROOT, ["test/chaos/"]).filter(
  (path) => filters.length === 0 || filters.some((filter) => path.includes(filter)),
);
process.exitCode = summary(
  await runAll(ROOT, files, { atOnce: 1, most: 1 }),
  missing,
  process.env.CI === "true",
);
