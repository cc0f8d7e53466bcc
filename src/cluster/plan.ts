// What a supervisor needs of a configuration. A reload brings another plan.
import type { Settings } from "../config/config.ts";
import { hasEmbedded } from "../config/embedded.ts";
import { isGateway } from "../options/checks.ts";
import { librariesOf } from "./libraries.ts";
import type { Handed } from "./messages.ts";

/** Milliseconds for a server process to start at the least, where the applications have limits of their own. */
const START = 300_000;
/** Milliseconds for importing an application, and for all else that a server process does before it serves. */
const START_DEFAULT = 60_000;
const STARTING = 15_000;

export interface ClusterPlan {
  readonly settings: Settings;
  readonly directory: string;
}

/**
 * Milliseconds for a server process to start, apps included. Embedded ones are imported one after the other, and only the
 * supervisor can end an import that hangs.
 */
export function startTimeoutOf(settings: Settings): number {
  const limits = Object.values(settings.apps).map(
    (app) => ("startTimeout" in app && app.startTimeout) || START_DEFAULT,
  );
  if (!hasEmbedded(settings)) return Math.max(START, STARTING + Math.max(...limits));
  return STARTING + limits.reduce((sum, limit) => sum + limit, 0);
}

/** Whether settings can be handed to server processes: not with the objects and functions of a configuration in code. */
export const isData = ({ apps }: Settings): boolean =>
  Object.values(apps).every((app) => !isGateway(app) && !("app" in app));

/** What a refused reload leaves: where the settings cannot be handed, a process that starts later reads them as they are then. */
export const afterRefusal = (settings: Settings): string =>
  isData(settings)
    ? "the old server processes go on"
    : "the old server processes go on, but one that is started in place of another will read the configuration " +
      "that was refused: put it right, or put the old one back";

/** What a server process is handed. */
export async function handedOf(plan: ClusterPlan): Promise<Handed> {
  const { settings, directory } = plan;
  return { settings, directory, libraries: await librariesOf(plan) };
}
