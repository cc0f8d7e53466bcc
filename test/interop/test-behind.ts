// What a site behind another web server may expect: the conformance suite through that server, large bodies, many
// requests one after the other, and many at once.
import assert from "node:assert/strict";
import { test } from "node:test";
import {
  type Capability,
  type Case,
  type Result,
  runSuite,
  type Step,
  suite,
} from "../../src/testing/index.ts";
import { reportProgress } from "../kit/report-progress.ts";

/** One way through a peer to an application that behaves as the suite says. */
export interface Way {
  readonly url: () => string;
  readonly logs: () => Promise<string>;
  readonly lacks: readonly Capability[];
  /** Cases of the suite that the peer sees differently, with the reason; they are not run. */
  readonly except?: readonly Exception[];
  /** Each request starts a process: fewer of them, and every third case of the suite. */
  readonly slow?: boolean;
}

export type Exception = readonly [cases: RegExp, why: string];

/** What no gateway interface can pass. */
export const LIKE_CGI: readonly Capability[] = [
  "duplex",
  "informs",
  "lazyContinue",
  "requestTrailers",
  "responseTrailers",
  "streamsChunks",
];

const MIB = 1_048_576;
const LOG_SHOWN = 2000;
const OK = { kind: "answer", body: "ok" } as const;

const LARGE: readonly Case[] = [
  {
    name: "10 MiB arrive",
    request: { method: "POST", body: { size: 10 * MIB } },
    app: { kind: "describe" },
    expected: { status: 200, seen: { size: 10 * MIB } },
  },
  {
    name: "10 MiB leave",
    request: {},
    app: { kind: "answer", body: { size: 10 * MIB } },
    expected: { status: 200, body: { size: 10 * MIB } },
  },
];

const numbered = (n: number): Step => ({
  request: { target: `/numbered/${n}?${n}` },
  app: { kind: "describe" },
  expected: { status: 200, seen: { path: `/numbered/${n}`, query: String(n) } },
});

const crowd = (size: number): Case[] =>
  Array.from({ length: size }, (_, n) => ({ name: `request ${n}`, ...numbered(n) }));

const oneByOne = (size: number): Case => ({
  name: "many requests",
  request: {},
  app: OK,
  expected: { status: 200, body: "ok" },
  next: Array.from({ length: size - 1 }, (_, n) => numbered(n)),
});

/** Requests of the test "one after the other". */
export const IN_TURN = 200;

/** Defines the tests of one way. */
export function testBehind(name: string, way: Way): void {
  const { slow = false, except = [] } = way;
  test(`${name}: each exception is one of a case that there is`, () => {
    const stale = except.filter(([cases]) => !suite.some((one) => cases.test(one.name)));
    assert.deepEqual(stale, []);
  });

  test(`${name}: the conformance suite passes`, () => pass(way, casesFor(way), slow ? 2 : 8));
  test(`${name}: 10 MiB pass in both directions`, () => pass(way, LARGE, 2));
  test(`${name}: requests one after the other are answered`, () =>
    pass(way, [oneByOne(slow ? 10 : IN_TURN)], 1));
  test(`${name}: requests at the same time get each its own answer`, () =>
    slow ? pass(way, crowd(8), 8) : pass(way, crowd(32), 32));
}

function casesFor({ except = [], slow }: Way): readonly Case[] {
  const cases = suite.filter(({ name }) => !except.some(([exempt]) => exempt.test(name)));
  return slow ? cases.filter((_, i) => i % 3 === 0) : cases;
}

const tell = ({ name }: Result): void => reportProgress(name);

/** Runs cases, and fails with all that went wrong and what the peer says about it. */
export async function pass(way: Way, cases: readonly Case[], concurrency = 1): Promise<void> {
  const { lacks } = way;
  const results = await runSuite({
    url: way.url(),
    lacks,
    cases,
    concurrency,
    deadline: 60_000,
    onResult: tell,
  });
  const failed = results.filter(({ verdict }) => verdict === "failed");
  if (failed.length === 0) return;
  const told = failed.map((result) => `${result.name}:\n  ${result.complaints.join("\n  ")}`);
  // The log first: of a long error only the beginning is shown in some places, and this says why.
  throw new Error(`the peer's log ends:\n${(await way.logs()).slice(-LOG_SHOWN)}\n\n${told.join("\n")}`);
}
