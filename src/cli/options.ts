// The options of `sallyport serve`: this one table parses them, prints --help and makes docs/command-line.md. An option has
// the name of its key in the configuration; old names are in src/options/old-names.ts.
import { isIP } from "node:net";
import { type ListenAddress, parsePlace } from "../config/address.ts";
import { ADMIN_PLACE, parseAdminPlace } from "../config/admin.ts";
import type { Protocol } from "../config/protocols.ts";
import { A_SIZE, A_TIME, parseSize, parseTime, sizeText, timeText } from "../config/units.ts";
import type { ProcessBounds } from "../exchange/index.ts";
import { INTERFACES } from "../explain/facts.ts";
import { HTTP_LIMITS, type HttpLimits } from "../http/limits.ts";
import { ACCESS_FORMATS } from "../logs/format.ts";
import { FORMATS, LEVELS } from "../logs/log.ts";
import { isAccount } from "../options/isolation.ts";
import { FORWARDED } from "../proxies/forwarded.ts";
import { parseTrust, type TrustRule } from "../proxies/trust.ts";

/** What a target can be; some options only mean something for some of them. */
export type TargetKind = "python" | "files" | "program" | "module" | "config";

/** Commands that have to do with something that is served. */
export const SERVING = ["serve", "dev", "check", "explain"] as const;
/** Commands that speak to a running server. */
export const CONTROL_COMMANDS = ["status", "reload", "stop", "restart", "scale", "stacks"] as const;
export const COMMAND_NAMES = [...SERVING, ...CONTROL_COMMANDS, "demo", "help", "version"] as const;
export type CommandName = (typeof COMMAND_NAMES)[number];
export type ControlCommand = (typeof CONTROL_COMMANDS)[number];

export interface Option<T = unknown> {
  readonly group: "Listening" | "Application" | "Limits" | "Logs" | "General" | "Explain";
  /** The placeholder of the value; absent for a switch. */
  readonly value?: string;
  readonly short?: string;
  readonly help: string;
  /** May be given several times. */
  readonly many?: true;
  /** The targets that it is for; all when absent. */
  readonly targets?: readonly TargetKind[];
  /** The commands that it is for; those that serve something when absent. */
  readonly commands?: readonly CommandName[];
  /** The value of a text, or undefined when it is not `expected`. */
  readonly read: (text: string) => T | undefined;
  readonly expected?: string;
}

const isText = (text: string): string | undefined => text || undefined;
const isTrue = (): true => true;
const wholeNumber = (least: number, most: number) => (text: string) => {
  const value = /^\d{1,9}$/.test(text) ? Number(text) : Number.NaN;
  return value >= least && value <= most ? value : undefined;
};
const oneOf =
  <T extends string>(known: readonly T[]) =>
  (text: string): T | undefined =>
    known.find((value) => value === text);

const octalMode = (value: string) => (/^[0-7]{3,4}$/.test(value) ? Number.parseInt(value, 8) : undefined);
const accountOrNothing = (value: string) => (isAccount(value) ? value : undefined);

const count = {
  value: "N",
  read: wholeNumber(1, 1_000_000),
  expected: "a whole number from 1 to 1000000",
} as const;
const size = { value: "SIZE", read: parseSize, expected: A_SIZE } as const;
const time = { value: "TIME", read: parseTime, expected: A_TIME } as const;
const text = { read: isText, expected: "a text that is not empty" } as const;

function readProcesses(value: string): number | ProcessBounds | undefined {
  const [least, most, ...more] = value.split(":").map(wholeNumber(0, 1_000_000));
  if (most === undefined && !value.includes(":")) return least || undefined;
  const isValid =
    least !== undefined && most !== undefined && more.length === 0 && most >= Math.max(least, 1);
  return isValid ? { min: least, max: most } : undefined;
}

const listening = { group: "Listening" } as const;
/** Options of the demonstration, too. */
const shown = { commands: [...SERVING, "demo"] } as const;
/** Addresses for `protocol`. */
const addressesFor = (protocol: Protocol) =>
  ({
    ...listening,
    value: "ADDRESS",
    many: true,
    read: (text: string): ListenAddress | undefined => {
      const place = parsePlace(text);
      return place && { protocol, ...place };
    },
    expected: "HOST:PORT, unix:PATH or fd:N",
  }) as const;
const application = { group: "Application" } as const;
const python = { ...application, targets: ["python"] } as const;
const pooled = { ...application, targets: ["python", "program", "files"] } as const;
const limit = { group: "Limits" } as const;
const logs = { group: "Logs" } as const;
const general = { group: "General" } as const;
const explaining = { group: "Explain", commands: ["explain"] } as const;
const anInterface = {
  ...explaining,
  value: "INTERFACE",
  read: oneOf(INTERFACES),
  expected: `one of ${INTERFACES.join(", ")}`,
} as const;

const LIMIT_TEXT = Object.fromEntries(
  Object.entries(HTTP_LIMITS).map(([key, value]) => [
    key,
    key.endsWith("Timeout") ? timeText(value) : sizeText(value),
  ]),
) as Record<keyof HttpLimits, string>;

/** An option for the limit `key`, with its default in the help. */
const limited = <T extends object>(type: T, key: keyof HttpLimits, help: string) =>
  ({ ...limit, ...type, help: `${help} (${LIMIT_TEXT[key]})` }) as const;

export const OPTIONS = {
  host: { ...listening, ...shown, ...text, value: "HOST", help: "address to listen at (127.0.0.1)" },
  port: {
    ...listening,
    ...shown,
    value: "PORT",
    read: wholeNumber(0, 65_535),
    expected: "a number from 0 to 65535",
    help: "port to listen at (8000); 0 takes a free one and prints it",
  },
  unix: { ...listening, ...text, value: "PATH", help: "listen at a Unix socket" },
  "unix-mode": {
    ...listening,
    value: "MODE",
    read: octalMode,
    expected: "an octal mode such as 660",
    help: "permissions of the Unix sockets",
  },
  "unix-owner": {
    ...listening,
    ...text,
    value: "OWNER",
    help: "owner of the Unix sockets: user or user:group",
  },
  fd: {
    ...listening,
    value: "N",
    read: wholeNumber(0, 65_535),
    expected: "the number of a descriptor, from 0 to 65535",
    help: "listen at a socket inherited as descriptor N",
  },
  http: { ...addressesFor("http"), help: "listen for HTTP at HOST:PORT, unix:PATH or fd:N; may be repeated" },
  fastcgi: { ...addressesFor("fastcgi"), help: "listen for FastCGI there; may be repeated" },
  scgi: { ...addressesFor("scgi"), help: "listen for SCGI there; may be repeated" },
  uwsgi: { ...addressesFor("uwsgi"), help: "listen for the uwsgi protocol there; may be repeated" },
  trust: {
    ...listening,
    value: "PEER",
    many: true,
    read: (value: string): TrustRule | undefined => parseTrust(value),
    expected: "an address, a range such as 10.0.0.0/8, unix: or *",
    help: "believe this proxy in front: an address, a range, unix: or *; may be repeated",
  },
  forwarded: {
    ...listening,
    value: "HEADER",
    many: true,
    read: oneOf(FORWARDED),
    expected: `one of ${FORWARDED.join(", ")}`,
    help: "header of trusted proxies that is used (all but x-forwarded-prefix); may be repeated",
  },
  "proxy-protocol": {
    ...listening,
    read: isTrue,
    help: "connections begin with a PROXY header: those of --trust, or all without it",
  },
  "tls-cert": {
    ...listening,
    ...text,
    value: "FILE",
    many: true,
    help: "speak HTTPS at the HTTP addresses: certificate and chain (PEM); may be repeated, for SNI",
  },
  "tls-key": {
    ...listening,
    ...text,
    value: "FILE",
    many: true,
    help: "its private key (PEM); one for each",
  },
  "tls-ca": {
    ...listening,
    ...text,
    value: "FILE",
    help: "authorities that sign clients' certificates (PEM); others are refused",
  },
  "tls-client-certificates": {
    ...listening,
    value: "ask|require",
    read: oneOf(["ask", "require"]),
    expected: "ask or require",
    help: "ask clients for a certificate, and go on without; or refuse them",
  },

  "server-processes": {
    ...listening,
    ...count,
    help: "server processes that share the addresses (1); each has its own processes of the app",
  },
  "server-process-timeout": {
    ...listening,
    ...time,
    help: "how long an embedded app may hold a whole server process (30s); then it is replaced",
  },

  admin: {
    ...listening,
    value: "ADDRESS",
    read: parseAdminPlace,
    expected: ADMIN_PLACE,
    help: "health, status and metrics at this HOST:PORT or unix:PATH, apart from the app",
  },
  "admin-token-file": {
    ...listening,
    ...text,
    value: "FILE",
    help: "file with the token that clients of --admin must send; or SALLYPORT_ADMIN_TOKEN",
  },

  reload: {
    ...application,
    read: isTrue,
    help: "for development, as sallyport dev: a new version of the app whenever a file of it changes",
  },
  "reload-include": {
    ...application,
    ...text,
    value: "PATTERN",
    many: true,
    help: "more files whose change needs a new version, such as *.graphql; may be repeated",
  },
  "reload-exclude": {
    ...application,
    ...text,
    value: "PATTERN",
    many: true,
    help: "files whose change means nothing, such as var/**; may be repeated",
  },
  mount: {
    ...application,
    value: "PREFIX",
    read: (value: string) => (value.startsWith("/") ? value : undefined),
    expected: "a path that starts with /",
    targets: ["python", "files", "program", "module"],
    help: "answer only below this path; it goes to SCRIPT_NAME",
  },
  python: {
    ...python,
    ...text,
    value: "PATH",
    help: "interpreter (that of $VIRTUAL_ENV, of .venv or venv in the project, or python3)",
  },
  chdir: {
    ...application,
    ...text,
    value: "DIR",
    targets: ["python", "program"],
    help: "working directory of the app; Python imports from it first",
  },
  processes: {
    ...pooled,
    value: "N|MIN:MAX",
    read: readProcesses,
    expected: "a whole number from 1, or MIN:MAX such as 1:4",
    help: "worker processes, as many as the requests need (1); for CGI, programs that may run at once",
  },
  interface: {
    ...python,
    value: "wsgi|asgi|auto",
    read: oneOf(["wsgi", "asgi", "auto"] as const),
    expected: "one of wsgi, asgi, auto",
    help: "what the app is written for (auto: detected when it is loaded)",
  },
  "max-requests": {
    ...python,
    ...count,
    help: "requests that a process takes before another replaces it (no limit)",
  },
  "max-age": { ...python, ...time, help: "age at which another process replaces one (no limit)" },
  "max-memory": { ...python, ...size, help: "memory above which another process replaces one (no limit)" },
  "memory-limit": { ...python, ...size, help: "memory above which a process is ended at once (no limit)" },
  embedded: {
    ...python,
    read: isTrue,
    help: "WSGI: Python inside the server process; use with --server-processes",
  },
  threads: { ...python, ...count, help: "WSGI: threads in each process (1)" },
  lifespan: {
    ...python,
    value: "auto|on|off",
    read: oneOf(["auto", "on", "off"] as const),
    expected: "one of auto, on, off",
    help: "ASGI: whether the app has startup and shutdown (auto: if it does not refuse)",
  },
  loop: {
    ...python,
    value: "auto|asyncio|uvloop",
    read: oneOf(["auto", "asyncio", "uvloop"] as const),
    expected: "one of auto, asyncio, uvloop",
    help: "ASGI: the event loop (auto: uvloop where it can be imported)",
  },
  pathsend: {
    ...python,
    read: isTrue,
    help: "ASGI: the server reads the app's files; not with middleware that reads bodies",
  },
  env: {
    ...pooled,
    value: "NAME=VALUE",
    many: true,
    read: (value: string) => (/^[^=\0]+=/.test(value) ? value : undefined),
    expected: "of the form NAME=VALUE",
    help: "environment variable of the app; may be repeated",
  },
  timeout: { ...pooled, ...time, help: "until the response begins; then 504 (ASGI: no limit)" },
  cgi: {
    ...application,
    value: "PREFIX",
    read: (value: string) => (value.startsWith("/") ? value : undefined),
    expected: "a path that starts with /",
    targets: ["files"],
    help: "run the programs below this path of the directory; / runs all that is in it",
  },

  "max-body": limited(size, "body", "bytes of a request body"),
  "max-target": limited(size, "target", "bytes of a request target"),
  "max-header-bytes": limited(size, "headerBytes", "bytes of all request headers"),
  "max-header-count": limited(count, "headerCount", "request header lines"),
  "max-chunk-line": limited(size, "chunkLine", "bytes of one chunk-size line"),
  "max-chunk-extensions": limited(size, "chunkExtensions", "bytes of all chunk extensions of a request"),
  "max-pipelined": limited(size, "pipelined", "bytes of pipelined requests that wait"),
  "max-unsent": limited(size, "unsent", "bytes of a response that wait for a slow client"),
  "max-drain": limited(size, "drain", "bytes of an unwanted body that are read"),
  "max-connections": limited(count, "connections", "connections at the same time"),
  "head-timeout": limited(time, "headTimeout", "for a request head to arrive"),
  "body-timeout": limited(time, "bodyTimeout", "without a byte of a wanted body"),
  "idle-timeout": limited(time, "idleTimeout", "that a kept connection may be idle"),
  "send-timeout": limited(time, "sendTimeout", "without progress on a client that does not read"),
  "drain-timeout": limited(time, "drainTimeout", "for the rest of an unwanted body"),
  "linger-timeout": limited(time, "lingerTimeout", "for the client to close after we did"),
  grace: { ...limit, ...time, help: "for requests under way when the server stops (30s)" },

  "server-timing": {
    ...general,
    read: isTrue,
    help: "responses say how long the request waited and how long the app took (Server-Timing)",
  },

  "access-log": {
    ...logs,
    ...text,
    value: "off|-|FILE",
    help: "a line a request: off, standard output (-), or a file",
  },
  "access-format": {
    ...logs,
    ...text,
    value: "NAME|TEMPLATE",
    help: `${ACCESS_FORMATS.join(", ")}, or a template with $variables (extended)`,
  },
  "log-level": {
    ...logs,
    ...shown,
    value: LEVELS.join("|"),
    read: oneOf(LEVELS),
    expected: `one of ${LEVELS.join(", ")}`,
    help: "least level that is written (info)",
  },
  "log-format": {
    ...logs,
    ...shown,
    value: FORMATS.join("|"),
    read: oneOf(FORMATS),
    expected: `one of ${FORMATS.join(", ")}`,
    help: "lines for people or JSON (text)",
  },

  user: {
    ...general,
    value: "USER",
    read: accountOrNothing,
    expected: "the name or number of a user",
    help: "started as root: the server's user, which it becomes before it loads the app",
  },
  group: {
    ...general,
    value: "GROUP",
    read: accountOrNothing,
    expected: "the name or number of a group",
    help: "its group (the user's)",
  },
  umask: {
    ...general,
    value: "MASK",
    read: octalMode,
    expected: "an octal mask such as 027",
    help: "file mode creation mask of the server and the app",
  },
  "env-file": {
    ...general,
    ...text,
    value: "FILE",
    many: true,
    help: "environment variables of app, options and configuration (dev: .env); may be repeated",
  },
  "pid-file": {
    ...general,
    ...text,
    value: "FILE",
    help: "holds the number of the main process while it serves",
  },
  config: {
    ...general,
    ...text,
    value: "FILE",
    targets: ["config"],
    help: "configuration file (sallyport.config.*)",
  },
  control: {
    ...general,
    ...text,
    value: "PATH|off",
    commands: [...SERVING, ...CONTROL_COMMANDS],
    help: "control socket, for sallyport status, reload, stop, restart, scale, stacks (found without)",
  },
  help: { ...general, commands: COMMAND_NAMES, short: "h", read: isTrue, help: "show this" },
  version: { ...general, commands: COMMAND_NAMES, short: "V", read: isTrue, help: "show the version" },

  header: {
    ...explaining,
    value: "LINE",
    short: "H",
    many: true,
    read: (line: string) => (/^[^:\s]+:[^\r\n]*$/.test(line) ? line : undefined),
    expected: "a header field such as 'Accept: */*'",
    help: "header field of the request, Name: value; may be repeated",
  },
  data: {
    ...explaining,
    ...text,
    value: "TEXT",
    short: "d",
    help: "body of the request; @FILE reads a file, @- standard input",
  },
  client: {
    ...explaining,
    value: "ADDRESS",
    read: (value: string) => (isIP(value) > 0 ? value : undefined),
    expected: "an IP address",
    help: "address that the request comes from (127.0.0.1)",
  },
  as: { ...anInterface, help: "show what an application of this interface would be handed" },
  diff: { ...anInterface, help: "beside what one of this interface would be handed" },
  bytes: { ...explaining, read: isTrue, help: "also show the bytes on the wire, taken apart" },
  run: { ...explaining, read: isTrue, help: "start the app, and show its answer and the time of each phase" },
  json: {
    ...explaining,
    commands: ["explain", "check", "status", "stacks"],
    read: isTrue,
    help: "as JSON, for programs",
  },
} as const satisfies Record<string, Option>;

type Table = typeof OPTIONS;
export type OptionName = keyof Table;
type ValueOf<O> = O extends { read: (text: string) => infer T } ? Exclude<T, undefined> : never;

/** The options that were given. Those that may be repeated are lists. */
export type Flags = {
  [N in OptionName]?: Table[N] extends { many: true } ? ValueOf<Table[N]>[] : ValueOf<Table[N]>;
};
