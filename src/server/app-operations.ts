// What can be asked of one app while it runs: its status, and other bounds for its processes.
// Tested by test/control/commands.test.ts.
import type { APP_KINDS } from "../config/apps.ts";
import {
  type GatewayStatus,
  type ProcessBounds,
  type ProcessStacks,
  type ProcessStatus,
  SallyportError,
  statusWithoutProcesses,
} from "../exchange/index.ts";
import { suggestion } from "../options/did-you-mean.ts";
import type { App } from "./change.ts";
import { configuredInterface, kindOf } from "./interfaces.ts";

/** Why the number of its processes is not the server's to choose, of the kinds whose gateways have no method `scale`. */
const UNSCALABLE: Partial<Readonly<Record<keyof typeof APP_KINDS, string>>> = {
  cgi: "a program runs for each request",
  static: "files are served by the server process itself",
  module: "it runs inside the server process",
  app: "it runs inside the server process",
  scgi: "its processes are started elsewhere",
  uwsgi: "its processes are started elsewhere",
};

/** What its gateway says, or what is known without it. */
export const appStatus = ({ gateway, settings }: Pick<App, "gateway" | "settings">): GatewayStatus =>
  gateway.status?.() ?? statusWithoutProcesses(configuredInterface(settings));

/** Throws APP_UNKNOWN. */
export function appNamed(apps: ReadonlyMap<string, App>, name: string): App {
  const app = apps.get(name);
  if (app) return app;
  throw unknownApp(name, [...apps.keys()]);
}

export function unknownApp(name: string, names: readonly string[]): SallyportError {
  const message = `there is no app ${JSON.stringify(name)}; the apps are ${names.join(", ")}`;
  return new SallyportError("APP_UNKNOWN", message + suggestion(name, names));
}

/** Rejects with STACKS_UNAVAILABLE. */
export async function stacksOf(name: string, { gateway, settings }: App): Promise<readonly ProcessStacks[]> {
  if (gateway.stacks) return gateway.stacks();
  const message = `the app ${name} (${configuredInterface(settings)}) has no Python stacks to show: only Python applications have`;
  throw new SallyportError("STACKS_UNAVAILABLE", message);
}

/** Apps that a reload has replaced or removed, until their last request is over. */
export class LeavingApps {
  readonly #apps = new Set<readonly [name: string, app: App]>();

  /** Until `end`, which never rejects. */
  async until(name: string, app: App, end: Promise<void>): Promise<void> {
    const leaving = [name, app] as const;
    this.#apps.add(leaving);
    await end;
    this.#apps.delete(leaving);
  }

  /** `present` with their processes, which have no generation: they count anew in another app of that name. */
  addedTo(present: Readonly<Record<string, GatewayStatus>>): Readonly<Record<string, GatewayStatus>> {
    const all = { ...present };
    for (const [name, app] of this.#apps) {
      const { bounds: _configured, ...status } = appStatus(app);
      const processes = status.processes.map(asLeaving);
      const other = all[name];
      all[name] = other
        ? { ...other, processes: [...other.processes, ...processes] }
        : { ...status, processes };
    }
    return all;
  }

  /** Of `app`, and of those that it has replaced. Rejects with STACKS_UNAVAILABLE. */
  async stacks(name: string, app: App): Promise<readonly ProcessStacks[]> {
    const before = [...this.#apps].flatMap(([each, old]) => (each === name ? [old] : []));
    const stacks = await stacksOf(name, app);
    const older = await Promise.all(before.map((old) => old.gateway.stacks?.() ?? []));
    return [...stacks, ...older.flat()];
  }
}

const asLeaving = ({ generation: _ofTheirs, ...status }: ProcessStatus): ProcessStatus => ({
  ...status,
  state: "draining",
});

/** Apps that were scaled, and the bounds that they had before. */
export class ScaledApps {
  readonly #before = new Map<App, ProcessBounds>();

  /** Rejects with NOT_SCALABLE. */
  async scale(name: string, app: App, bounds: ProcessBounds): Promise<void> {
    const before = appStatus(app).bounds;
    await scaleApp(name, app, bounds);
    if (before && !this.#before.has(app)) this.#before.set(app, before);
  }

  /** A reload brings the configured bounds back to apps that go on. Never rejects. */
  async reset(present: Iterable<App>): Promise<void> {
    const scaled = [...present].filter((app) => this.#before.has(app));
    await Promise.allSettled(
      scaled.map((app) => app.gateway.scale?.(this.#before.get(app) as ProcessBounds)),
    );
    this.#before.clear();
  }
}

/** Rejects with NOT_SCALABLE. */
export async function scaleApp(
  name: string,
  { gateway, settings }: Pick<App, "gateway" | "settings">,
  bounds: ProcessBounds,
): Promise<void> {
  if (gateway.scale) return gateway.scale(bounds);
  const kind = kindOf(settings);
  const why = (kind && UNSCALABLE[kind]) ?? "its gateway has no method scale";
  throw new SallyportError("NOT_SCALABLE", `the processes of the app ${name} cannot be scaled: ${why}`);
}
