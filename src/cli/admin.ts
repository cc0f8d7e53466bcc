// The admin listener of a server, if its settings have one: nothing of it is loaded otherwise.
import type { AdminSource } from "../admin/endpoints.ts";
import { TOKEN_VARIABLE } from "../config/admin.ts";
import type { Settings } from "../config/config.ts";
import type { Attach, Attached } from "../control/operations.ts";
import type { Log } from "../exchange/index.ts";
import type { LogTail } from "../logs/tail.ts";
import type { Totals } from "../metrics/index.ts";
import type { Server } from "../server/server.ts";
import { type ProcessCounts, prepareCounts } from "./counts.ts";

/** The admin listener of a server that is one process. */
export interface OwnAdmin extends ProcessCounts {
  attach(server: Server): Attach;
}

/** The admin listener of a supervisor. */
export interface ClusterAdmin {
  /** The last lines of its own log, and of server processes that ended. */
  readonly tail: LogTail;
  readonly totals: Totals;
  readonly attach: (log: Log) => Attach;
}

/** Undefined without an admin listener. Rejects with CONFIG_INVALID when it may not be where it should. */
export async function prepareAdmin(settings: Settings, directory: string): Promise<OwnAdmin | undefined> {
  const open = await prepareOpening(settings, directory);
  const own = await prepareCounts(settings);
  return open && own && { ...own, attach: (server) => open(own.snapshotOf(server), server.log) };
}

/** The same for several server processes. */
export async function prepareClusterAdmin(
  settings: Settings,
  directory: string,
): Promise<ClusterAdmin | undefined> {
  const open = await prepareOpening(settings, directory);
  if (!open) return undefined;
  const { Totals } = await import("../metrics/index.ts");
  const { LogTail } = await import("../logs/tail.ts");
  const [totals, tail] = [new Totals(), new LogTail()];
  return { totals, tail, attach: (log) => open(() => totals.sum(), log, tail) };
}

type Opening = (counts: AdminSource["counts"], log: Log, tail?: LogTail) => Attach;

async function prepareOpening({ admin }: Settings, directory: string): Promise<Opening | undefined> {
  const token = takeToken(process.env);
  if (!admin) return undefined;
  const { adminAccess } = await import("../admin/settings.ts");
  const access = adminAccess(admin, directory, token);
  const { openAdmin } = await import("../admin/listener.ts");
  return (counts, log, tail) => (operations) => openAdmin(access, { operations, counts, tail }, log);
}

/** All of them, closed in the reverse order; one that cannot be opened closes those before it. */
export const attachAll =
  (...attaches: readonly (Attach | undefined)[]): Attach =>
  async (operations) => {
    const attached: Attached[] = [];
    const close = async (): Promise<void> => {
      for (const each of attached.toReversed()) await each.close();
    };
    try {
      for (const attach of attaches) if (attach) attached.push(await attach(operations));
    } catch (error) {
      await close();
      throw error;
    }
    return { close };
  };

/** Removes the token from the environment, which applications inherit. */
function takeToken(env: NodeJS.ProcessEnv): string | undefined {
  const token = env[TOKEN_VARIABLE];
  delete env[TOKEN_VARIABLE];
  return token || undefined;
}
