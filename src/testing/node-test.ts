// The suite as tests of node:test.
// Tested by test/testing/run.test.ts.
import { describe, it } from "node:test";
import type { Case } from "./case.ts";
import { runSuite, type SuiteOptions } from "./run.ts";
import { suite } from "./suite.ts";

/** Defines a test for each case. `url` may be asked for when the first one runs, after a `before` hook. */
export function testSuite(title: string, options: Omit<SuiteOptions, "url"> & { url: () => string }): void {
  describe(title, () => {
    for (const one of options.cases ?? suite) it(one.name, (t) => tested(t, one, options));
  });
}

interface Skippable {
  skip(reason: string): void;
}

async function tested(t: Skippable, one: Case, options: Omit<SuiteOptions, "url"> & { url: () => string }) {
  const [result] = await runSuite({ ...options, url: options.url(), cases: [one] });
  if (result?.verdict === "skipped") t.skip(`lacks ${result.lacking.join(", ")}`);
  if (result?.verdict === "failed") throw new Error(result.complaints.join("\n"));
}
