// The interpreter of an application, as READY names it (python/sallyport/interpreter.py).
// Tested by test/cli/summary.test.ts.
import type { GatewayStatus } from "../exchange/index.ts";

export interface InterpreterFacts {
  /** Its version. */
  readonly python: string;
  /** `sys.implementation.name`. */
  readonly implementation: string;
  /** Directory of its virtual environment. */
  readonly environment: string | null;
}

export type Runtime = Pick<GatewayStatus, "runtime" | "virtualEnvironment">;

const NAMES: Readonly<Record<string, string>> = { cpython: "CPython", pypy: "PyPy", graalpy: "GraalPy" };

export const runtimeOf = ({ python, implementation, environment }: InterpreterFacts): Runtime => ({
  runtime: `${NAMES[implementation] ?? implementation} ${python}`,
  ...(environment === null ? {} : { virtualEnvironment: environment }),
});
