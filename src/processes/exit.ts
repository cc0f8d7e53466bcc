// How a child ended, for programs and in words.
// Tested by test/processes/child.test.ts.
import type { SallyportError } from "../exchange/index.ts";

export interface Exit {
  /** The exit status; null when a signal ended the child, or when it never started. */
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  /** Why it never started (SPAWN_FAILED); undefined when it did. */
  readonly failure?: SallyportError;
  /** Whether we had sent it a signal. */
  readonly signalled?: boolean;
}

export const succeeded = (exit: Exit): boolean => exit.code === 0;

/** By an operator, or by a system that is out of memory: it says nothing of the program. */
export const wasKilledByOthers = ({ signal, signalled = false }: Exit): boolean =>
  signal === "SIGKILL" && !signalled;

/** "exited with status 3", "was killed by SIGSEGV": continues a sentence that names the program. */
export function describeExit({ code, signal, failure }: Exit): string {
  if (failure) return `did not start: ${failure.message}`;
  if (signal !== null) return `was killed by ${signal}`;
  return code === null ? "ended in an unknown way" : `exited with status ${code}`;
}
