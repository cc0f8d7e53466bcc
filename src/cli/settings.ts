// From the command line to the server's settings: the target becomes apps and routes, or its file is read, and then the
// options that were given replace what is there.
// Tested by test/cli/target.test.ts.
import { join, resolve } from "node:path";
import { addressIn, type ListenAddress } from "../config/address.ts";
import type { Config, Settings } from "../config/config.ts";
import { checkConfig } from "../config/errors.ts";
import { loadConfig } from "../config/file.ts";
import { PROTOCOLS } from "../config/protocols.ts";
import { HTTP_LIMITS, type HttpLimits } from "../http/limits.ts";
import { accessFormat } from "../logs/format.ts";
import { dashed } from "../options/old-names.ts";
import { EVERYWHERE, LOOPBACK, portOf } from "../server/guess.ts";
import { usage } from "./command-line.ts";
import { type Flags, OPTIONS, type Option, type OptionName, type TargetKind } from "./options.ts";
import type { ServeTarget } from "./target.ts";
import { checkTls, tlsOf } from "./tls.ts";

type Apps = Config["apps"];
type RouteConfig = NonNullable<Config["routes"]>[number];

export interface ServeSettings {
  readonly settings: Settings;
  /** Relative paths start here. */
  readonly directory: string;
}

/** Throws USAGE for options that the target cannot have, CONFIG_INVALID for errors in its file. */
export async function serveSettingsOf(
  target: ServeTarget,
  flags: Flags,
  directory: string,
): Promise<ServeSettings> {
  checkUse(target.kind, flags);
  const { settings, directory: own, listens } = await settingsWithout(target, flags, directory);
  const overlaid = overlay(atPort(settings, flags, listens), flags, directory);
  await checkTls(overlaid.listen, flags, directory);
  return { settings: overlaid, directory: own };
}

/** The settings before the options of the server replace some. */
async function settingsWithout(
  target: ServeTarget,
  flags: Flags,
  directory: string,
): Promise<ServeSettings & { readonly listens: boolean }> {
  if (target.kind === "config") {
    const { directory: own, listens, pidFile, ...settings } = await loadConfig(target.name);
    const file = pidFile && resolve(own, pidFile);
    return { settings: { ...settings, ...given("pidFile", file) }, directory: own, listens };
  }
  const origin = { name: "command line", lineOf: () => undefined };
  const settings = checkConfig(targetConfig(target, flags, directory), origin);
  return { settings, directory, listens: false };
}

/** Platforms say by PORT where to listen. What a file or an option says goes before it. */
function atPort(settings: Settings, { reload }: Flags, listens: boolean): Settings {
  const port = listens ? undefined : portOf(process.env, reload ? LOOPBACK : EVERYWHERE);
  return port ? { ...settings, listen: [port] } : settings;
}

const FOR: Readonly<Record<TargetKind, string>> = {
  python: "Python apps",
  files: "directories",
  program: "CGI programs",
  module: "modules",
  config: "configuration files",
};

function checkUse(kind: TargetKind, flags: Flags): void {
  for (const name of Object.keys(flags) as OptionName[]) {
    const { targets }: Option = OPTIONS[name];
    if (targets?.includes(kind) === false) {
      const useful = targets.map((target) => FOR[target]).join(" and ");
      throw usage(`--${name} is for ${useful}, and the target is one of ${FOR[kind]}`);
    }
  }
  checkInterface(flags);
  const forPrograms = kind === "program" || flags.cgi !== undefined;
  if (forPrograms && typeof flags.processes === "object")
    throw usage("--processes MIN:MAX is for Python apps; each CGI program is started for its request");
  for (const name of ["processes", "env", "timeout"] as const) {
    if (kind === "files" && flags[name] !== undefined && flags.cgi === undefined)
      throw usage(`--${name} has no use for static files without --cgi`);
  }
  for (const name of ["unix-mode", "unix-owner"] as const) {
    if (flags[name] !== undefined && !listenAddresses(flags, "").some(({ kind }) => kind === "unix"))
      throw usage(`--${name} needs --unix PATH, or an address unix:PATH`);
  }
}

function targetConfig(target: ServeTarget, flags: Flags, directory: string): Config {
  const mount = (flags.mount ?? "/").replace(/\/+$/, "");
  const programs = flags.cgi?.replace(/\/+$/, "");
  const apps: Apps = {};
  const routes: RouteConfig[] = [];
  const add = (name: string, path: string, app: Apps[string]): void => {
    apps[name] = app;
    routes.push({ path: path || "/", app: name });
  };
  // With --cgi / every file is a program.
  if (programs !== "") add("app", mount, APP_OF[target.kind](target, flags, directory));
  if (programs !== undefined)
    add("cgi", mount + programs, {
      cgi: join(target.name, programs),
      documentRoot: target.name,
      ...programsOf(flags),
    });
  return { apps, routes };
}

type AppOf = (target: ServeTarget, flags: Flags, directory: string) => Apps[string];

const APP_OF: Readonly<Record<Exclude<TargetKind, "config">, AppOf> & Record<"config", AppOf>> = {
  python: ({ name, directory: own = "." }, flags, directory) => ({
    ...calledBy(flags, name),
    chdir: resolve(directory, flags.chdir ?? own),
    ...given("python", flags.python),
    ...given("threads", flags.threads),
    ...given("maxRequests", flags["max-requests"]),
    ...given("maxAge", flags["max-age"] === undefined ? undefined : `${flags["max-age"]}ms`),
    ...given("maxMemory", flags["max-memory"]),
    ...given("memoryLimit", flags["memory-limit"]),
    ...given("lifespan", flags.lifespan),
    ...given("loop", flags.loop),
    ...given("pathsend", flags.pathsend),
    ...poolOf(flags),
  }),
  files: ({ name }) => ({ static: name }),
  program: ({ name }, flags) => ({ cgi: name, ...given("chdir", flags.chdir), ...programsOf(flags) }),
  module: ({ name }) => ({ module: name }),
  config: () => {
    throw new TypeError("a configuration file is no app");
  },
};

const calledBy = ({ embedded, interface: named = "auto" }: Flags, name: string) => {
  if (embedded) return { wsgi: name, mode: "embedded" } as const;
  if (named === "auto") return { callable: name };
  return named === "wsgi" ? { wsgi: name } : { asgi: name };
};

/** The options that only one interface has. */
const ONLY = { wsgi: ["threads", "embedded"], asgi: ["lifespan", "loop", "pathsend"] } as const;

function checkInterface(flags: Flags): void {
  const { interface: named = "auto" } = flags;
  if (named === "auto") return;
  const other = named === "wsgi" ? "asgi" : "wsgi";
  const useless = ONLY[other].find((name) => flags[name] !== undefined);
  if (useless) throw usage(`--${useless} is for ${other.toUpperCase()} apps, and --interface says ${named}`);
}

/** Of programs there are no bounds, which `checkUse` has refused. */
const programsOf = ({ processes, ...flags }: Flags) => ({
  ...given("processes", typeof processes === "number" ? processes : undefined),
  ...commonOf(flags),
});

const poolOf = (flags: Flags) => ({
  ...given("processes", flags.processes),
  ...commonOf(flags),
});

const commonOf = (flags: Flags) => ({
  ...given("env", flags.env && Object.fromEntries(flags.env.map(nameAndValue))),
  ...given("timeout", flags.timeout === undefined ? undefined : `${flags.timeout}ms`),
});

function nameAndValue(pair: string): [string, string] {
  const end = pair.indexOf("=");
  return [pair.slice(0, end), pair.slice(end + 1)];
}

/** `{ [key]: value }`, or nothing. */
const given = <K extends string, T>(key: K, value: T | undefined): { [P in K]?: T } =>
  (value === undefined ? {} : { [key]: value }) as { [P in K]?: T };

function overlay(settings: Settings, flags: Flags, directory: string): Settings {
  const listen = listenAddresses(flags, directory);
  const access = flags["access-log"] ?? settings.log.access ?? "-";
  return {
    ...settings,
    listen: (listen.length > 0 ? listen : settings.listen).map((address) =>
      withOptions(address, flags, directory),
    ),
    ...given("trust", flags.trust),
    ...given("forwarded", flags.forwarded),
    ...given("grace", flags.grace),
    ...given("admin", adminOf(settings, flags, directory)),
    ...given("control", flags.control === "off" ? "off" : flags.control && resolve(directory, flags.control)),
    ...given("user", flags.user),
    ...given("group", flags.group),
    ...given("umask", flags.umask),
    ...given("pidFile", flags["pid-file"] && resolve(directory, flags["pid-file"])),
    ...given("serverTiming", flags["server-timing"]),
    ...given("serverProcesses", flags["server-processes"]),
    ...given("serverProcessTimeout", flags["server-process-timeout"]),
    limits: { ...settings.limits, ...limitsOf(flags) },
    log: {
      ...settings.log,
      ...given("level", flags["log-level"]),
      ...given("format", flags["log-format"]),
      ...given("accessFormat", checkedFormat(flags["access-format"])),
      access: flags["access-log"] && access !== "-" && access !== "off" ? resolve(directory, access) : access,
    },
  };
}

/** The admin listener with its options; a token that the configuration has is replaced. Throws USAGE. */
function adminOf({ admin }: Settings, flags: Flags, directory: string): Settings["admin"] {
  const { admin: place, "admin-token-file": file } = flags;
  const listen = place ?? admin?.listen;
  if (listen === undefined) {
    if (file !== undefined) throw usage("--admin-token-file needs --admin ADDRESS");
    return undefined;
  }
  return file === undefined ? { ...admin, listen } : { listen, tokenFile: resolve(directory, file) };
}

/** Throws USAGE for a format that is wrong. */
function checkedFormat(format: string | undefined): string | undefined {
  try {
    if (format !== undefined) accessFormat(format);
    return format;
  } catch (error) {
    throw usage(`--access-format ${(error as Error).message}`);
  }
}

/** The address with the options that apply to every address. */
export function withOptions(address: ListenAddress, flags: Flags, directory: string): ListenAddress {
  const tls = address.protocol === "http" ? tlsOf(flags, directory) : undefined;
  return {
    ...address,
    ...(flags["proxy-protocol"] ? { proxyProtocol: true } : {}),
    ...(tls ? { tls } : {}),
  };
}

/** Whether the options name an address. */
export const namesAddress = (flags: Flags): boolean => listenAddresses(flags, "").length > 0;

/** The addresses that the options name; beside others there is one for TCP only with --host or --port. */
function listenAddresses(flags: Flags, directory: string): ListenAddress[] {
  const addresses: ListenAddress[] = [];
  if (flags.fd !== undefined) addresses.push({ protocol: "http", kind: "fd", fd: flags.fd });
  if (flags.unix !== undefined) addresses.push({ protocol: "http", kind: "unix", path: flags.unix });
  if (flags.host !== undefined || flags.port !== undefined)
    addresses.push({ protocol: "http", kind: "tcp", host: bareHost(flags.host), port: flags.port ?? 8000 });
  for (const protocol of PROTOCOLS) addresses.push(...(flags[protocol] ?? []));
  return addresses.map((address) =>
    address.kind === "unix" ? unixAddress(address, flags, directory) : address,
  );
}

const unixAddress = (
  address: Extract<ListenAddress, { kind: "unix" }>,
  flags: Flags,
  directory: string,
): ListenAddress => ({
  ...addressIn(directory, address),
  ...given("mode", flags["unix-mode"]),
  ...given("owner", flags["unix-owner"]),
});

/** `[::1]` is how URLs write `::1`. */
const bareHost = (host = "127.0.0.1"): string => host.replace(/^\[(.*)\]$/, "$1");

/** The option for a limit of HTTP: `--max-body`, `--head-timeout`. */
export const limitOption = (key: keyof HttpLimits): string =>
  key.endsWith("Timeout") ? dashed(key) : `max-${dashed(key)}`;

function limitsOf(flags: Flags): Partial<HttpLimits> {
  const values: Readonly<Record<string, unknown>> = flags;
  const keys = (Object.keys(HTTP_LIMITS) as (keyof HttpLimits)[]).filter((key) => limitOption(key) in values);
  return Object.fromEntries(keys.map((key) => [key, values[limitOption(key)]]));
}
