// The configuration: this one schema validates it, gives its types, and makes the tables of docs/configuration.md.

import { accessFormat } from "../logs/format.ts";
import { FORMATS, LEVELS } from "../logs/log.ts";
import { suggestion } from "../options/did-you-mean.ts";
import { admin } from "./admin.ts";
import { app } from "./apps.ts";
import { account } from "./isolation.ts";
import { limits } from "./limits.ts";
import { listen } from "./listen.ts";
import { about, count, flag, mask, path, section, text, time } from "./schema.ts";
import { forwarded, trust } from "./trust.ts";
import * as z from "./zod.ts";

export const route = section({
  scheme: about(
    z.enum(["http", "https"]).exactOptional(),
    "`http` or `https`, as the client or a trusted proxy says it; otherwise both",
  ),
  host: about(
    text().exactOptional(),
    "`example.org`, or `*.example.org` for every name below; otherwise any",
  ),
  path: about(
    z.string().startsWith("/", "must start with /").exactOptional(),
    "path prefix, by whole segments",
  ),
  suffix: about(text().exactOptional(), "ending of a segment of the path, such as `.cgi`"),
  keepPrefix: about(
    flag().exactOptional(),
    "the app sees the whole path: PATH_INFO keeps the prefix and SCRIPT_NAME is empty",
  ),
  app: about(text(), "name of the app that answers"),
});

export const log = section({
  level: about(z.enum(LEVELS).prefault("info"), "least level that is written"),
  format: about(z.enum(FORMATS).prefault("text"), "lines for people, or JSON for collectors"),
  access: about(
    text().exactOptional(),
    "`off`, `-` (standard output), or a file (opened anew on SIGUSR1); `serve` writes to standard output",
  ),
  accessFormat: about(
    text()
      .superRefine((value, context) => {
        try {
          accessFormat(value);
        } catch (error) {
          context.addIssue({ code: "custom", message: (error as Error).message });
        }
      })
      .prefault("extended"),
    "`extended`, `combined`, `common`, `json`, or a template with `$variables`: see [logging](logging.md)",
  ),
});

export const config = section({
  listen: about(listen.prefault(["127.0.0.1:8000"]), "where to listen; each an address or an object"),
  apps: about(z.record(text(), app), "the applications, by a name of your choice"),
  routes: about(
    z.array(route).min(1).exactOptional(),
    "which app answers what; may be left out when there is one app",
  ),
  trust,
  forwarded,
  limits: about(limits.prefault({}), "limits on clients"),
  log: about(log.prefault({}), "the log and the access log"),
  serverTiming: about(
    flag().exactOptional(),
    "tells clients how long a request waited and how long the app took: [`Server-Timing`](operations.md#server-timing)",
  ),
  serverProcesses: about(
    count().prefault(1),
    "server processes that share the addresses; each has its own processes of the apps",
  ),
  serverProcessTimeout: about(
    time().prefault("30s"),
    "how long an app may hold a whole server process (embedded mode); then the process is replaced",
  ),
  admin: about(
    admin.exactOptional(),
    "the [admin listener](admin.md): an address of this machine, or an object; see below",
  ),
  control: about(
    text().exactOptional(),
    "Unix socket for `sallyport status` and the like: a path, or `off`; otherwise [where they look](operations.md#the-control-socket)",
  ),
  grace: about(time().prefault("30s"), "for requests under way when the server stops"),
  user: about(
    account().exactOptional(),
    "user of the server, with its groups, when it is started as root; see [users](users.md)",
  ),
  group: about(account().exactOptional(), "group of the server (the user's)"),
  pidFile: about(path().exactOptional(), "file that holds the number of the main process while it serves"),
  umask: about(
    mask().exactOptional(),
    'the file mode creation mask of the server and its apps, such as `"027"`',
  ),
}).superRefine((value, context) => {
  const names = Object.keys(value.apps);
  const error = (message: string, ...path: (string | number)[]) =>
    context.addIssue({ code: "custom", message, path });
  if (names.length === 0) error("must have at least one app", "apps");
  if (names.length > 1 && !value.routes)
    error("is missing: with several apps it must say which answers what", "routes");
  for (const [i, { app }] of (value.routes ?? []).entries()) {
    if (!names.includes(app))
      error(`there is no app ${JSON.stringify(app)}${suggestion(app, names)}`, "routes", i, "app");
  }
  for (const name of names) {
    const fallback = fallbackOf(value.apps[name]);
    if (fallback === undefined) continue;
    if (!names.includes(fallback))
      error(
        `there is no app ${JSON.stringify(fallback)}${suggestion(fallback, names)}`,
        "apps",
        name,
        "fallback",
      );
    else if (leadsBack(name, value.apps)) error("leads back to this app", "apps", name, "fallback");
  }
});

/** The app that answers where an app of files has none. */
export const fallbackOf = (app: unknown): string | undefined =>
  typeof app === "object" && app !== null && "static" in app && "fallback" in app
    ? (app.fallback as string | undefined)
    : undefined;

/** Whether the fallbacks from `name` on lead to it again. */
function leadsBack(name: string, apps: Readonly<Record<string, unknown>>): boolean {
  const seen = new Set<string>();
  for (let next = fallbackOf(apps[name]); next !== undefined; next = fallbackOf(apps[next])) {
    if (next === name) return true;
    if (seen.has(next)) return false;
    seen.add(next);
  }
  return false;
}

/** The configuration as it is written. */
export type Config = z.input<typeof config> & {
  /** @deprecated It is called `serverProcesses`. */
  readonly fronts?: number;
  /** @deprecated It is called `serverProcessTimeout`. */
  readonly frontTimeout?: string | number;
};
/** The configuration after validation: with its defaults, in bytes and milliseconds. */
export type Settings = z.output<typeof config> & {
  /** For the log, a line each: the old names of options that were used. */
  readonly renamed?: readonly string[];
};
export type AppSettings = Settings["apps"][string];

/** For configuration files in TypeScript and JavaScript: gives editors the types, and its argument back. */
export const defineConfig = (value: Config): Config => value;
