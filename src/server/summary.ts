// What a server serves, in a line for each app: `app:app · WSGI · CPython 3.12.1 (.venv) · 2 processes · http://127.0.0.1:8000`.
// It is made of the settings and of what the gateways say of themselves.
import { relative, resolve } from "node:path";
import type { AppSettings, Settings } from "../config/config.ts";
import { isEmbedded } from "../config/embedded.ts";
import type { GatewayStatus, ProcessBounds } from "../exchange/index.ts";
import { escapeControls } from "../wire/escape.ts";
import { configuredInterface, kindOf } from "./interfaces.ts";
import { routePrefix } from "./routes.ts";

/** Fields of a line of the log, where that is JSON. */
export interface AppSummary {
  /** Its name in the configuration. */
  readonly app: string;
  /** What is served: "shop:app", a path, an address, a command. */
  readonly target: string;
  /** "WSGI", "PHP · FastCGI". */
  readonly interface: string;
  readonly runtime?: string | undefined;
  /** Path of a virtual environment, from the app's directory if that is shorter. */
  readonly virtualEnvironment?: string | undefined;
  /** In each server process; undefined where their number is not ours to choose. */
  readonly processes?: ProcessBounds | undefined;
  readonly threads?: number | undefined;
  readonly embedded?: true | undefined;
  readonly serverProcesses: number;
  /** "/api", "example.org/api". */
  readonly routes: readonly string[];
}

export interface SummarySource {
  readonly settings: Pick<Settings, "apps" | "routes" | "serverProcesses">;
  /** Of the configuration. */
  readonly directory: string;
}

/** Any of the keys that apps have in the configuration. */
type Keys = Readonly<Record<string, unknown>>;

/** One for each app. Where there is no status, the settings have to do. */
export const summariesOf = (
  source: SummarySource,
  statuses: Readonly<Record<string, GatewayStatus>>,
): AppSummary[] => Object.keys(source.settings.apps).map((app) => summaryOf(app, source, statuses[app]));

function summaryOf(
  app: string,
  { settings, directory }: SummarySource,
  status: GatewayStatus | undefined,
): AppSummary {
  const its = settings.apps[app] as AppSettings;
  const { threads, chdir = "." } = its as Keys;
  const environment = status?.virtualEnvironment;
  return {
    app,
    target: targetOf(app, its, directory),
    interface: `${"php" in its ? "PHP · " : ""}${status?.interface ?? configuredInterface(its)}`,
    runtime: status?.runtime,
    virtualEnvironment: environment && shortest(resolve(directory, String(chdir)), environment),
    processes: kindOf(its) === "cgi" ? undefined : status?.bounds,
    threads: typeof threads === "number" && threads > 1 ? threads : undefined,
    embedded: isEmbedded(its) || undefined,
    serverProcesses: settings.serverProcesses,
    routes: routesTo(app, settings),
  };
}

function targetOf(app: string, settings: AppSettings, directory: string): string {
  const kind = kindOf(settings);
  const target = kind === undefined || kind === "app" ? app : (settings as Keys)[kind];
  if (kind === "cgi" || kind === "static" || kind === "module" || kind === "php")
    return shortest(directory, String(target));
  if (typeof target === "object" && target !== null && "command" in target)
    return (target.command as readonly string[]).join(" ");
  return [target].flat().join(", ");
}

function shortest(directory: string, path: string): string {
  const absolute = resolve(directory, path);
  const below = relative(directory, absolute) || ".";
  return below.length < absolute.length ? below : absolute;
}

const routesTo = (name: string, { routes = [] }: SummarySource["settings"]): string[] =>
  routes
    .filter(({ app }) => app === name)
    .map((route) => routePrefix(route) + (route.suffix ? `*${route.suffix}` : ""));

/** `/api → api:app · ASGI · CPython 3.12.1 (.venv) · 1 process`. The only app (`alone`) is not said to answer everything. */
export function summaryText(summary: AppSummary, alone: boolean): string {
  const { routes, target, runtime, virtualEnvironment: environment } = summary;
  const where = routes.length === 0 || (alone && String(routes) === "/") ? "" : `${routes.join(", ")} → `;
  const what = runtime && environment ? `${runtime} (${environment})` : runtime;
  const parts = [where + target, summary.interface, what, processesText(summary)];
  return escapeControls(parts.filter(Boolean).join(" · "));
}

function processesText({ processes, threads, embedded, serverProcesses }: AppSummary): string {
  const several = serverProcesses > 1 ? `${serverProcesses} server processes` : "";
  if (embedded) return several ? `embedded in ${several}` : "embedded";
  if (!processes) return several;
  const { min, max } = processes;
  const count = `${min === max ? "" : `${min} to `}${max} ${max === 1 ? "process" : "processes"}`;
  const inside = threads === undefined ? "" : ` of ${threads} threads`;
  return `${count}${inside}${several && ` in each of ${several}`}`;
}
