// What code that is not ours has thrown: it may be anything, and may throw again when it is looked at.
// Tested by test/server/report.test.ts.
import { inspect } from "node:util";

export interface Thrown {
  /** "" for what is no error, as its stack. */
  readonly name: string;
  readonly message: string;
  readonly stack: string;
}

/** Never throws. */
export function thrownOf(value: unknown): Thrown {
  if (!isError(value)) return { name: "", message: textOf(() => value), stack: "" };
  return {
    name: textOf(() => value.name),
    message: textOf(() => value.message),
    stack: textOf(() => value.stack ?? ""),
  };
}

function isError(value: unknown): value is Error {
  try {
    return value instanceof Error;
  } catch {
    return false; // a proxy
  }
}

function textOf(get: () => unknown): string {
  try {
    return String(get());
  } catch {
    return inspected(get);
  }
}

/** An object without prototype has no toString. */
function inspected(get: () => unknown): string {
  try {
    return inspect(get());
  } catch {
    return "(cannot be shown)";
  }
}
