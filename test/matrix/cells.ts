// The suite through the cells of the matrix.
import type { Gateway } from "../../src/exchange/index.ts";
import { type LintError, lint } from "../../src/exchange/lint.ts";
import { type Capability, type Result, runSuite, type SuiteOptions } from "../../src/testing/index.ts";
import { reportProgress } from "../kit/report-progress.ts";
import { GATEWAYS } from "./gateways.ts";
import { LISTENERS } from "./listeners.ts";
import { Scope } from "./scope.ts";

/** What two halves lack together, though each of them has it beside others. */
export const PAIRS: readonly {
  readonly listener: string;
  readonly gateway: string;
  readonly lacks: readonly Capability[];
}[] = [
  // The host has met the expectation, so the body is read before a worker gets the request, as any other.
  { listener: "fetch mount", gateway: "wsgi", lacks: ["lazyContinue"] },
];

/** Milliseconds for one case: some are 19 requests in turn, and beside other tests each may have to start a Python. */
const DEADLINE = 60_000;

/** What neither half of a cell is to be blamed for. */
export const lacksOf = (listener: string, gateway: string): Capability[] => {
  const pair = PAIRS.find((each) => each.listener === listener && each.gateway === gateway);
  const halves = [LISTENERS[listener], GATEWAYS[gateway], pair];
  return [...new Set(halves.flatMap((half) => half?.lacks ?? []))];
};

export interface CellRun {
  readonly results: readonly Result[];
  /** Broken rules of the exchange's contract. */
  readonly violations: readonly LintError[];
}

/** What was wrong; nothing when all is well. */
export const complaintsIn = ({ results, violations }: CellRun): string[] => [
  ...results
    .filter(({ verdict }) => verdict === "failed")
    .map(({ name, complaints }) => `${name}: ${complaints.join("; ")}`),
  ...violations.map(({ message }) => message),
];

/** Runs one cell: the whole suite but for what its halves lack, unless the options say something else. */
export type Cell = (options?: Partial<SuiteOptions>) => Promise<CellRun>;

/** One column: `gateway` behind each of the listeners, which `run` is given in turn. */
export async function runColumn(
  gateway: string,
  listeners: readonly string[],
  run: (listener: string, cell: Cell) => Promise<unknown>,
): Promise<void> {
  const violations: LintError[] = [];
  const scope = new Scope();
  const column = GATEWAYS[gateway];
  if (!column) throw new Error(`there is no gateway ${gateway}`);
  try {
    const checked = lint(await column.open(scope), (violation) => violations.push(violation));
    scope.onClose(() => checked.close?.(2_000));
    await checked.start?.();
    for (const listener of listeners)
      await run(listener, async (options) => {
        const results = await runCell(listener, checked, { lacks: lacksOf(listener, gateway), ...options });
        return { results, violations: violations.splice(0) };
      });
  } finally {
    await scope.close();
  }
}

async function runCell(
  listener: string,
  gateway: Gateway,
  options: Partial<SuiteOptions>,
): Promise<Result[]> {
  const scope = new Scope();
  try {
    const row = LISTENERS[listener];
    if (!row) throw new Error(`there is no listener ${listener}`);
    const url = await row.open(gateway, scope);
    const onResult = ({ name }: Result): void => reportProgress(name);
    return await runSuite({ onResult, deadline: DEADLINE, ...options, url });
  } finally {
    await scope.close();
  }
}
