// When a FastCGI process that we have started is ready: when it answers FCGI_GET_VALUES (specification, 4.1), as PHP, Go, libfcgi
// and our own half do. Others do not answer; of these it has to be enough that they live.
// Tested by test/protocols/fastcgi/server/reloads.test.ts.
import { SallyportError } from "../../../exchange/index.ts";
import { type Child, describeExit, type Exit } from "../../../processes/index.ts";
import type { Backend } from "./backend.ts";

/** Milliseconds for which a process that does not answer must live: at a start, and before it replaces one that works. */
export const PATIENCE = 5_000;
/** The same where one has ended, or more are needed: requests wait for it. */
export const PATIENCE_IN_NEED = 1_000;

/** A process ended before it was ready (SPAWN_FAILED). */
export class EndedEarly extends SallyportError {
  readonly exit: Exit;

  constructor(program: string, exit: Exit, lastLines: readonly string[]) {
    const detail = lastLines.join("\n") || undefined;
    super("SPAWN_FAILED", `${program} ${describeExit(exit)} before it was ready`, { detail });
    this.exit = exit;
  }
}

/** Resolves with undefined when the process is ready, at the latest after `patience` ms; or with its exit, if it ended before. */
export async function untilReady(
  child: Child,
  backend: Backend,
  patience: number,
): Promise<Exit | undefined> {
  let timer: NodeJS.Timeout | undefined;
  const lived = new Promise<undefined>((resolve) => {
    timer = setTimeout(() => resolve(undefined), patience);
  });
  // A connection that ends without an answer may be the first sign of the process's end.
  const ready = backend.introduce(patience).then((answered) => (answered ? undefined : lived));
  try {
    return await Promise.race([child.exited, ready]);
  } finally {
    clearTimeout(timer);
  }
}
