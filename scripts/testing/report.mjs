// What a person sees of a test run: a line for each file, failures in full, and the sum in the last line.

const SLOWEST = 8;

const print = (text) => process.stdout.write(`${text}\n`);
const indent = (text) => text.replace(/^/gm, "    ");

export function fileLine({ path, tally, seconds, output }) {
  const counts = [`${tally.passed} passed`];
  if (tally.failures.length > 0) counts.push(`${tally.failures.length} failed`);
  if (tally.skips.length > 0) counts.push(`${tally.skips.length} skipped`);
  print(
    `${tally.failures.length > 0 ? "FAIL" : "ok  "} ${path}  ${counts.join(", ")}  ${seconds.toFixed(1)} s`,
  );
  for (const { name, text } of tally.failures) print(`  failed: ${name}\n${indent(text)}`);
  if (tally.failures.length > 0 && output) print(`  it printed:\n${indent(output)}`);
}

/** Everything that needs attention once more at the end; gives the exit code. */
export function summary(results, missing, strict) {
  slowest(results);
  skips(results);
  failures(results);
  if (missing.length > 0)
    print(`\n${strict ? "FAILED" : "SKIPPED"}: could not be set up:\n${indent(missing.join("\n"))}`);
  const passed = sum(results, ({ tally }) => tally.passed);
  const failed = sum(results, ({ tally }) => tally.failures.length) + (strict ? missing.length : 0);
  const skipped = sum(results, ({ tally }) => tally.skips.length);
  if (passed === 0) print("\nno test has passed: that is a failure");
  print(`\n${passed} passed, ${failed} failed, ${skipped} skipped`);
  return failed > 0 || passed === 0 ? 1 : 0;
}

function slowest(results) {
  if (results.length <= SLOWEST) return;
  const order = [...results].sort((a, b) => b.seconds - a.seconds).slice(0, SLOWEST);
  print("\nslowest files:");
  for (const { path, seconds } of order) print(`${seconds.toFixed(1).padStart(8)} s  ${path}`);
}

function skips(results) {
  const all = results.flatMap(({ path, tally }) => tally.skips.map((skip) => ({ path, ...skip })));
  if (all.length === 0) return;
  print("\nSKIPPED:");
  for (const { path, name, reason } of all) print(`  ${path}: ${name}${reason && `  (${reason})`}`);
}

function failures(results) {
  const all = results.flatMap(({ path, tally }) => tally.failures.map(({ name }) => `  ${path}: ${name}`));
  if (all.length > 0) print(`\nFAILED:\n${all.join("\n")}`);
}

const sum = (list, value) => list.reduce((total, item) => total + value(item), 0);
