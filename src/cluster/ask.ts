// How one server process is: as it says itself, or as its supervisor sees it.
// Tested by test/control/commands.test.ts.
import type { Inspector } from "../control/inspection.ts";
import type { ServerProcessStatus } from "../control/operations.ts";
import { type ProcessStacks, SallyportError } from "../exchange/index.ts";
import type { ServerProcess } from "./process.ts";

/** Milliseconds for an answer. */
const PATIENCE = 1_000;

/** A worker has a second. */
const STACKS_PATIENCE = 2_000;

/** Where the requests of the app are in this process. Rejects with STACKS_UNAVAILABLE. */
export async function stacksIn(server: ServerProcess, app: string): Promise<readonly ProcessStacks[]> {
  try {
    return (await server.ask({ ask: "stacks", app }, STACKS_PATIENCE)) as readonly ProcessStacks[];
  } catch (error) {
    const { code, message } = SallyportError.from(error);
    if (code === "ERR_SALLYPORT_STACKS_UNAVAILABLE") throw error;
    const reason = `${message}; an embedded application that holds it cannot be asked where it is`;
    return [{ pid: server.pid, requests: [], others: 0, reason }];
  }
}

/** Resolves within a second. */
export async function statusOf(server: ServerProcess): Promise<ServerProcessStatus> {
  const { pid, age, generation, served, leaving } = server;
  const own = { pid, age, generation };
  if (!served) return { ...own, state: leaving ? "leaving" : "starting", apps: {} };
  try {
    const said = (await server.ask({ ask: "status" }, PATIENCE)) as ServerProcessStatus;
    return { ...said, ...own, state: leaving ? "leaving" : said.state };
  } catch {
    return { ...own, state: leaving ? "leaving" : "not answering", apps: {} };
  }
}

/** What passes one server process; it has a second for each answer. */
export const inspectorOf = (server: ServerProcess): Inspector => ({
  pid: server.pid,
  ask: (question) => server.ask({ ask: "inspect", question }, PATIENCE) as Promise<never>,
});
