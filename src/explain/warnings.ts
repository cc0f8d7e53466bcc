// What a valid configuration probably does not mean: sources that would be sent as text, programs that cannot run, keys that
// anybody may read, apps that nothing leads to.
import { constants } from "node:fs";
import { access, readdir, stat } from "node:fs/promises";
import { extname, join, relative, resolve } from "node:path";
import { type AppSettings, fallbackOf, type Settings } from "../config/config.ts";
import { located } from "../config/tls-files.ts";

type FindWarnings = (settings: Settings, directory: string) => Promise<string[]> | string[];

/** A sentence for each thing to look at. Never rejects for a place that cannot be read: the server's start says so. */
export async function warningsOf(settings: Settings, directory: string): Promise<string[]> {
  const found = await Promise.all(WARNINGS.map(async (find) => find(settings, directory)));
  return found.flat();
}

const WARNINGS: readonly FindWarnings[] = [
  sourcesAsText,
  programsThatCannotRun,
  readableKeys,
  unreachedApps,
  repeatedRoutes,
  circles,
  everybodyTrusted,
];

/** Files that a server of files sends as they are, and that are hardly meant to be read. */
const SOURCES: ReadonlySet<string> = new Set([
  ".php",
  ".py",
  ".rb",
  ".pl",
  ".cgi",
  ".sqlite",
  ".sqlite3",
  ".db",
  ".pem",
  ".key",
]);
/** Files that are looked at in a directory of an app. */
const MOST_FILES = 2_000;
const DEEPEST = 3;

async function sourcesAsText(settings: Settings, directory: string): Promise<string[]> {
  const warnings: string[] = [];
  for (const [name, app] of Object.entries(settings.apps)) {
    if (!("static" in app)) continue;
    const root = resolve(directory, app.static);
    const files = (await filesBelow(root)).filter(
      (file) => SOURCES.has(extname(file)) && isAskedFor(relative(root, file), name, settings),
    );
    const [first] = files;
    if (first !== undefined)
      warnings.push(
        `app ${name}: ${some(files.length, "file")} would be sent as they are, sources included: ${relative(root, first)}${advice(first)}`,
      );
  }
  return warnings;
}

/** Whether `app` is asked for `file` of its directory: by a route, unless one with its suffix has the same host and path. */
function isAskedFor(file: string, app: string, { apps, routes }: Settings): boolean {
  if (!routes) return true;
  const suffix = extname(file);
  const before = Object.keys(apps).filter((name) => fallbackOf(apps[name] as AppSettings) === app);
  const own = routes.filter((route) => route.app === app || before.includes(route.app));
  const taken = new Set(routes.flatMap((route) => (route.suffix === suffix ? placeOf(route) : [])));
  const leading = own.filter((route) => leadsTo(file, route));
  return leading.some((route) => route.suffix === suffix || (!route.suffix && !taken.has(placeOf(route))));
}

type Route = NonNullable<Settings["routes"]>[number];

/** Scheme, host and path of a route, alike for all that answer the same addresses. */
const placeOf = ({ scheme, host = "", path = "/" }: Route): string =>
  `${scheme ?? ""} ${host.toLowerCase()} ${path.replace(/\/+$/, "")}`;

const some = (count: number, noun: string): string => `${count} ${noun}${count === 1 ? "" : "s"}`;

const advice = (file: string): string =>
  extname(file) === ".php" ? "; for PHP say { php: DIRECTORY }" : "; keep them apart from what is public";

/** Hidden files are never served. */
async function filesBelow(root: string, depth = 0): Promise<string[]> {
  const entries = await readdir(root, { withFileTypes: true }).catch(() => []);
  const files: string[] = [];
  for (const entry of entries) {
    if (entry.name.startsWith(".") || files.length > MOST_FILES) continue;
    const path = join(root, entry.name);
    const what = entry.isSymbolicLink() ? await stat(path).catch(() => entry) : entry;
    if (what.isFile()) files.push(path);
    else if (what.isDirectory() && depth < DEEPEST) files.push(...(await filesBelow(path, depth + 1)));
  }
  return files;
}

async function programsThatCannotRun({ apps }: Settings, directory: string): Promise<string[]> {
  const warnings: string[] = [];
  for (const [name, app] of Object.entries(apps)) {
    if (!("cgi" in app)) continue;
    const known = Object.keys(app.interpreters ?? {});
    for (const file of await programsOf(resolve(directory, app.cgi)))
      if (!known.includes(extname(file)) && !(await isExecutable(file)))
        warnings.push(
          `app ${name}: ${relative(directory, file)} is not executable: chmod +x it, or give an interpreter for its suffix`,
        );
  }
  return warnings;
}

async function programsOf(place: string): Promise<string[]> {
  const stats = await stat(place).catch(() => undefined);
  return stats?.isFile() ? [place] : filesBelow(place);
}

const isExecutable = (file: string): Promise<boolean> =>
  access(file, constants.X_OK).then(
    () => true,
    () => false,
  );

async function readableKeys({ listen }: Settings, directory: string): Promise<string[]> {
  const tls = listen.flatMap((address) => (address.tls ? [located(address.tls, directory)] : []));
  const keys = new Set(tls.flatMap(({ key, others = [] }) => [key, ...others.map((other) => other.key)]));
  const warnings: string[] = [];
  for (const key of keys) {
    const mode = (await stat(key).catch(() => undefined))?.mode ?? 0;
    if (mode & 0o004)
      warnings.push(`${key}: anybody on this machine can read this private key: chmod 600 it`);
  }
  return warnings;
}

function unreachedApps({ apps, routes }: Settings): string[] {
  if (!routes) return [];
  const reached = new Set([...routes.map(({ app }) => app), ...Object.values(apps).map(fallbackOf)]);
  return Object.keys(apps).flatMap((name) =>
    reached.has(name) ? [] : [`app ${name}: no route leads to it`],
  );
}

/** Where the prefix stays, a route leads to what is below that path in the directory, too. */
const leadsTo = (file: string, { path = "/", keepPrefix }: Route): boolean =>
  !keepPrefix || path.includes("%") || `/${file}`.startsWith(`${path.replace(/\/+$/, "")}/`);

/** The same address by the same scheme, for ever. */
function circles({ apps, routes = [], listen, trust }: Settings): string[] {
  const mayBeSecure = trust.length > 0 || listen.some(({ tls }) => tls !== undefined);
  return routes.flatMap(({ app, scheme }, i) => {
    const target = apps[app];
    if (!target || !("redirect" in target) || target.redirect !== "https:") return [];
    if (scheme === "http" || !mayBeSecure) return [];
    return [`routes[${i}]: sends clients that come by https to the same address again: say scheme: http`];
  });
}

/** The one that comes first answers all that the other one could. */
function repeatedRoutes({ routes = [] }: Settings): string[] {
  const seen = new Set<string>();
  return routes.flatMap((route, i) => {
    const key = `${placeOf(route)} ${route.suffix ?? ""}`;
    if (!seen.has(key)) seen.add(key);
    else
      return [
        `routes[${i}]: never answers, since an earlier route has the same scheme, host, path and suffix`,
      ];
    return [];
  });
}

function everybodyTrusted({ trust, listen }: Settings): string[] {
  const all = trust.some(({ kind }) => kind === "all");
  const open = listen.some((address) => address.kind === "tcp" && !isLoopback(address.host));
  return all && open
    ? ["trust: every client is believed to be a proxy, and may claim any address; name the proxies instead"]
    : [];
}

const isLoopback = (host: string): boolean =>
  host === "localhost" || host === "::1" || host.startsWith("127.");

/** The kind of an app and what it is: `wsgi shop:app`. */
export function appText(app: AppSettings): string {
  const [kind = "", what] = Object.entries(app)[0] ?? [];
  return typeof what === "string" || typeof what === "number" ? `${kind} ${what}` : kind;
}
