// Apps that run inside the server process.
// Tested by test/cluster/recycling.test.ts.
import { checkRecycling, type RecyclingLimits, recyclingLimits } from "../options/processes.ts";
import type { AppSettings, Settings } from "./config.ts";

/** A process that hangs in a call of such an app hears no signal. */
export const isEmbedded = (app: AppSettings): boolean => "mode" in app && app.mode === "embedded";

export const hasEmbedded = ({ apps }: Settings): boolean => Object.values(apps).some(isEmbedded);

export type EmbeddedSection = Extract<AppSettings, { wsgi: unknown }>;

/** A gateway that a configuration in code has made is none: it refuses limits itself. */
const isSection = (app: AppSettings): app is EmbeddedSection => isEmbedded(app) && "wsgi" in app;

export const embeddedSections = ({ apps }: Settings): EmbeddedSection[] =>
  Object.values(apps).filter(isSection);

/** When a server process is to be replaced, by the embedded app that says so. Throws CONFIG_INVALID for limits that contradict each other. */
export function embeddedLimits({ apps }: Settings): ReadonlyMap<string, RecyclingLimits> {
  const found = new Map<string, RecyclingLimits>();
  for (const [name, app] of Object.entries(apps)) {
    const limits = isSection(app) ? recyclingLimits(app) : undefined;
    if (!limits || Object.values(limits).every((limit) => limit === 0)) continue;
    checkRecycling(limits);
    found.set(name, limits);
  }
  return found;
}

/** What a server process serves: its supervisor sees to the limits of embedded apps. */
export function withoutEmbeddedLimits(settings: Settings): Settings {
  const apps = Object.entries(settings.apps).map(([name, app]) => [
    name,
    isSection(app) ? withoutLimits(app) : app,
  ]);
  return { ...settings, apps: Object.fromEntries(apps) };
}

function withoutLimits(app: EmbeddedSection): EmbeddedSection {
  const { maxRequests: _1, maxAge: _2, maxMemory: _3, memoryLimit: _4, ...rest } = app;
  return rest;
}
