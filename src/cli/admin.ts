// The admin listener of a server, if its settings have one: nothing of it is loaded otherwise.
import type { AdminSource } from "../admin/endpoints.ts";
import { TOKEN_VARIABLE } from "../config/admin.ts";
import type { Settings } from "../config/config.ts";
import type { Attach } from "../control/operations.ts";
import type { Log } from "../exchange/index.ts";
import type { Counts } from "../metrics/index.ts";
import type { Server } from "../server/server.ts";

/** The admin listener of a server that is one process; what it counts goes into the options of that server. */
export interface OwnAdmin {
  readonly counts: Counts;
  attach(server: Server): Attach;
}

/** Opens the admin listener with the counts of whoever has them. */
export type OpenAdmin = (counts: AdminSource["counts"], log: Log) => Attach;

/** Undefined without an admin listener. Rejects with CONFIG_INVALID when it may not be where it should. */
export async function prepareAdmin(settings: Settings, directory: string): Promise<OwnAdmin | undefined> {
  const open = await prepareOpening(settings, directory);
  if (!open) return undefined;
  const { Counts } = await import("../metrics/index.ts");
  const counts = new Counts();
  return {
    counts,
    attach: (server) => open(async () => counts.snapshot(Object.entries(server.status().apps)), server.log),
  };
}

/** The same where others count. */
export async function prepareOpening({ admin }: Settings, directory: string): Promise<OpenAdmin | undefined> {
  const token = takeToken(process.env);
  if (!admin) return undefined;
  const { adminAccess } = await import("../admin/settings.ts");
  const access = adminAccess(admin, directory, token);
  const { openAdmin } = await import("../admin/listener.ts");
  return (counts, log) => (operations) => openAdmin(access, { operations, counts }, log);
}

/** The option of a server that counts. */
export const countsOf = (admin: OwnAdmin | undefined): { counts?: Counts } =>
  admin ? { counts: admin.counts } : {};

/** Removes the token from the environment, which applications inherit. */
function takeToken(env: NodeJS.ProcessEnv): string | undefined {
  const token = env[TOKEN_VARIABLE];
  delete env[TOKEN_VARIABLE];
  return token || undefined;
}
