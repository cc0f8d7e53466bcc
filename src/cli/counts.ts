// What counts in a server process, and lets itself be inspected, where there is an admin listener.
// Tested by test/admin/listener.test.ts.
import type { Settings } from "../config/config.ts";
import type { LogTail } from "../logs/tail.ts";
import type { Counts, Snapshot } from "../metrics/index.ts";
import type { ServerOptions } from "../server/interface.ts";
import type { Server } from "../server/server.ts";

/** What counts in this process, for the options of its server. */
export interface ProcessCounts {
  readonly counts: Counts;
  readonly inspection: NonNullable<ServerOptions["inspection"]>;
  /** The last lines of its log. */
  readonly tail: LogTail;
  /** What has been counted so far. */
  snapshotOf(server: Server): () => Snapshot;
}

/** For one of several server processes, whose supervisor has the admin listener. */
export async function prepareCounts({ admin }: Settings): Promise<ProcessCounts | undefined> {
  if (!admin) return undefined;
  const { Counts } = await import("../metrics/index.ts");
  const { Inspection } = await import("../inspect/inspection.ts");
  const { LogTail } = await import("../logs/tail.ts");
  const counts = new Counts();
  const tail = new LogTail();
  const inspection: ProcessCounts["inspection"] = (server) => new Inspection(counts, tail, server);
  return {
    counts,
    inspection,
    tail,
    snapshotOf: (server) => () => counts.snapshot(Object.entries(server.status().apps)),
  };
}

/** The options of a server that counts, and that can be inspected. */
export const countsOf = (
  own: ProcessCounts | undefined,
): Pick<ServerOptions, "counts" | "inspection" | "tail"> =>
  own ? { counts: own.counts, inspection: own.inspection, tail: own.tail } : {};
