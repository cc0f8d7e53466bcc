// What a person sees of a test run: a line for each file as it ends and for those that take long, failures in full, and at
// the end once more why each test failed, and the sum in the last line.

const SLOWEST = 8;
/** Lines of a failure that the summary repeats; the rest stands where the file ended. */
const LINES_KEPT = 6;
/** Seconds after which a file is shown as under way. */
const LONG = 30;
/** Of the tests that are under way in it so many are named. */
const NAMED = 3;

const print = (text) => process.stdout.write(`${text}\n`);
const indent = (text) => text.replace(/^/gm, "    ");

/** `place`: "12 of 240". */
export function fileLine({ path, tally, seconds, output }, place) {
  const counts = [`${tally.passed} passed`];
  if (tally.failures.length > 0) counts.push(`${tally.failures.length} failed`);
  if (tally.skips.length > 0) counts.push(`${tally.skips.length} skipped`);
  print(
    `${tally.failures.length > 0 ? "FAIL" : "ok  "} ${place}  ${path}  ${counts.join(", ")}  ${seconds.toFixed(1)} s`,
  );
  for (const text of tally.results) print(indent(text));
  for (const { name, text } of causes(tally.failures)) print(`  failed: ${name}\n${indent(text)}`);
  if (tally.failures.length > 0 && output) print(`  it printed:\n${indent(output)}`);
}

/** A line for each file that has been running for long: what it is at. */
export function underWay(files) {
  const now = performance.now();
  for (const { path, tally, began } of files) {
    const seconds = (now - began) / 1000;
    if (seconds < LONG) continue;
    const { passed, running, progress } = tally;
    const at = running.length > 0 ? `at ${running.slice(-NAMED).join(", ")}` : "between two tests";
    print(
      `...  ${path}  ${passed} passed so far  ${seconds.toFixed(0)} s  ${at}${progress && ` (${progress})`}`,
    );
  }
}

/** What is known when the run is broken off. */
export function interrupted(results, files) {
  failures(results);
  print(`\ninterrupted after ${results.length} of ${files} files`);
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
  const all = results.flatMap(({ path, tally }) =>
    causes(tally.failures).map(({ name, text }) => `  ${path}: ${name}\n${indent(beginning(text))}`),
  );
  if (all.length > 0) print(`\nFAILED:\n${all.join("\n")}`);
}

/** What failed by itself in full, and in one line how many tests never began because of it. */
export function causes(failures) {
  const own = failures.filter(({ cancelled }) => !cancelled);
  const count = failures.length - own.length;
  if (own.length === 0 || count === 0) return failures;
  return [...own, { name: `${count} more`, text: "never began: what holds them failed" }];
}

/** The first lines that say something. */
export function beginning(text) {
  const lines = text.split("\n").filter((line) => line.trim() !== "");
  const more = lines.length - LINES_KEPT;
  return [...lines.slice(0, LINES_KEPT), ...(more > 0 ? [`... ${more} more lines above`] : [])].join("\n");
}

const sum = (list, value) => list.reduce((total, item) => total + value(item), 0);
