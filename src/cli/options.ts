// The options of `sallyport serve`: this one table parses them, prints --help and makes docs/command-line.md. An option has
// the name of its key in the configuration; old names are in src/options/old-names.ts.
import { sizeText, timeText } from "../config/units.ts";
import { INTERFACES } from "../explain/facts.ts";
import { HTTP_LIMITS, type HttpLimits } from "../http/limits.ts";
import { ACCESS_FORMATS } from "../logs/format.ts";
import { FORMATS, LEVELS } from "../logs/log.ts";
import { FORWARDED } from "../proxies/forwarded.ts";
import {
  addressesFor,
  adminAddressValue,
  choiceOf,
  countValue,
  descriptorValue,
  fieldValue,
  groupValue,
  ipAddressValue,
  limitValue,
  maskValue,
  modeValue,
  mountValue,
  noValue,
  type OptionValue,
  peerValue,
  portValue,
  positiveTimeValue,
  prefixValue,
  processesValue,
  sizeValue,
  textValue,
  timeValue,
  userValue,
  variableValue,
} from "./option-values.ts";

/** What a target can be; some options only mean something for some of them. */
export type TargetKind = "python" | "files" | "program" | "module" | "config";

/** Commands that have to do with something that is served. */
export const SERVING = ["serve", "dev", "check", "explain"] as const;
/** Commands that speak to a running server. */
export const CONTROL_COMMANDS = ["status", "reload", "stop", "restart", "scale", "stacks"] as const;
export const COMMAND_NAMES = [...SERVING, ...CONTROL_COMMANDS, "demo", "help", "version"] as const;
export type CommandName = (typeof COMMAND_NAMES)[number];
export type ControlCommand = (typeof CONTROL_COMMANDS)[number];

export interface Option<T = unknown> extends OptionValue<T> {
  readonly group: "Listening" | "Application" | "Limits" | "Logs" | "General" | "Explain";
  readonly short?: string;
  readonly help: string;
  /** May be given several times. */
  readonly many?: true;
  /** The targets that it is for; all when absent. */
  readonly targets?: readonly TargetKind[];
  /** The commands that it is for; those that serve something when absent. */
  readonly commands?: readonly CommandName[];
}

const listening = { group: "Listening" } as const;
/** Options of the demonstration, too. */
const shown = { commands: [...SERVING, "demo"] } as const;
const application = { group: "Application" } as const;
const python = { ...application, targets: ["python"] } as const;
const pooled = { ...application, targets: ["python", "program", "files"] } as const;
const limit = { group: "Limits" } as const;
const logs = { group: "Logs" } as const;
const general = { group: "General" } as const;
const explaining = { group: "Explain", commands: ["explain"] } as const;
const anInterface = { ...explaining, ...choiceOf(INTERFACES), value: "INTERFACE" } as const;

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
  host: { ...listening, ...shown, ...textValue, value: "HOST", help: "address to listen at (127.0.0.1)" },
  port: {
    ...listening,
    ...shown,
    ...portValue,
    help: "port to listen at (8000); 0 takes a free one and prints it",
  },
  unix: { ...listening, ...textValue, value: "PATH", help: "listen at a Unix socket" },
  "unix-mode": { ...listening, ...modeValue, help: "permissions of the Unix sockets" },
  "unix-owner": {
    ...listening,
    ...textValue,
    value: "OWNER",
    help: "owner of the Unix sockets: user or user:group",
  },
  fd: { ...listening, ...descriptorValue, help: "listen at a socket inherited as descriptor N" },
  http: {
    ...listening,
    ...addressesFor("http"),
    help: "listen for HTTP at HOST:PORT, unix:PATH or fd:N; may be repeated",
  },
  fastcgi: { ...listening, ...addressesFor("fastcgi"), help: "listen for FastCGI there; may be repeated" },
  scgi: { ...listening, ...addressesFor("scgi"), help: "listen for SCGI there; may be repeated" },
  uwsgi: {
    ...listening,
    ...addressesFor("uwsgi"),
    help: "listen for the uwsgi protocol there; may be repeated",
  },
  trust: {
    ...listening,
    ...peerValue,
    many: true,
    help: "believe this proxy in front: an address, a range, unix: or *; may be repeated",
  },
  forwarded: {
    ...listening,
    ...choiceOf(FORWARDED),
    value: "HEADER",
    many: true,
    help: "header of trusted proxies that is used (all but x-forwarded-prefix); may be repeated",
  },
  "proxy-protocol": {
    ...listening,
    ...noValue,
    help: "connections begin with a PROXY header: those of --trust, or all without it",
  },
  "tls-cert": {
    ...listening,
    ...textValue,
    value: "FILE",
    many: true,
    help: "speak HTTPS at the HTTP addresses: certificate and chain (PEM); may be repeated, for SNI",
  },
  "tls-key": {
    ...listening,
    ...textValue,
    value: "FILE",
    many: true,
    help: "its private key (PEM); one for each",
  },
  "tls-ca": {
    ...listening,
    ...textValue,
    value: "FILE",
    help: "authorities that sign clients' certificates (PEM); others are refused",
  },
  "tls-client-certificates": {
    ...listening,
    ...choiceOf(["ask", "require"], "ask or require"),
    help: "ask clients for a certificate, and go on without; or refuse them (require, with --tls-ca)",
  },

  "server-processes": {
    ...listening,
    ...countValue,
    help: "server processes that share the addresses (1); each has its own processes of the app",
  },
  "server-process-timeout": {
    ...listening,
    ...timeValue,
    help: "how long an embedded app may hold a whole server process (30s); then it is replaced",
  },

  admin: {
    ...listening,
    ...adminAddressValue,
    help: "health, status and metrics at this HOST:PORT or unix:PATH, apart from the app",
  },
  "admin-token-file": {
    ...listening,
    ...textValue,
    value: "FILE",
    help: "file with the token that clients of --admin must send; or SALLYPORT_ADMIN_TOKEN",
  },

  reload: {
    ...application,
    ...noValue,
    help: "for development, as sallyport dev: a new version of the app whenever a file of it changes",
  },
  "reload-include": {
    ...application,
    ...textValue,
    value: "PATTERN",
    many: true,
    help: "more files whose change needs a new version, such as *.graphql; may be repeated",
  },
  "reload-exclude": {
    ...application,
    ...textValue,
    value: "PATTERN",
    many: true,
    help: "files whose change means nothing, such as var/**; may be repeated",
  },
  mount: {
    ...application,
    ...mountValue,
    targets: ["python", "files", "program", "module"],
    help: "answer only below this path; it goes to SCRIPT_NAME",
  },
  python: {
    ...python,
    ...textValue,
    value: "PATH",
    help: "interpreter (that of $VIRTUAL_ENV, of .venv or venv in the project, or python3)",
  },
  chdir: {
    ...application,
    ...textValue,
    value: "DIR",
    targets: ["python", "program"],
    help: "working directory of the app; Python imports from it first",
  },
  processes: {
    ...pooled,
    ...processesValue,
    help: "worker processes, as many as requests need (1); for CGI, programs at once (64)",
  },
  interface: {
    ...python,
    ...choiceOf(["wsgi", "asgi", "auto"]),
    help: "what the app is written for (auto: detected when it is loaded)",
  },
  "max-requests": {
    ...python,
    ...limitValue,
    help: "requests that a process takes before another replaces it (0: no limit)",
  },
  "max-age": { ...python, ...timeValue, help: "age at which another process replaces one (no limit)" },
  "max-memory": {
    ...python,
    ...sizeValue,
    help: "memory above which another process replaces one (no limit)",
  },
  "memory-limit": {
    ...python,
    ...sizeValue,
    help: "memory above which a process is ended at once (no limit)",
  },
  embedded: {
    ...python,
    ...noValue,
    help: "WSGI: Python inside the server process; use with --server-processes",
  },
  threads: { ...python, ...countValue, help: "WSGI: threads in each process (1)" },
  lifespan: {
    ...python,
    ...choiceOf(["auto", "on", "off"]),
    help: "ASGI: whether the app has startup and shutdown (auto: if it does not refuse)",
  },
  loop: {
    ...python,
    ...choiceOf(["auto", "asyncio", "uvloop"]),
    help: "ASGI: the event loop (auto: uvloop where it can be imported)",
  },
  pathsend: {
    ...python,
    ...noValue,
    help: "ASGI: the server reads the app's files; not with middleware that reads bodies",
  },
  env: { ...pooled, ...variableValue, many: true, help: "environment variable of the app; may be repeated" },
  timeout: {
    ...pooled,
    ...timeValue,
    help: "until the response begins; then 504 (WSGI 30s, CGI 60s, ASGI no limit)",
  },
  cgi: {
    ...application,
    ...prefixValue,
    targets: ["files"],
    help: "run the programs below this path of the directory; / runs all that is in it",
  },

  "max-body": limited(sizeValue, "body", "bytes of a request body"),
  "max-target": limited(sizeValue, "target", "bytes of a request target"),
  "max-header-bytes": limited(sizeValue, "headerBytes", "bytes of all request headers"),
  "max-header-count": limited(countValue, "headerCount", "request header lines"),
  "max-chunk-line": limited(sizeValue, "chunkLine", "bytes of one chunk-size line"),
  "max-chunk-extensions": limited(sizeValue, "chunkExtensions", "bytes of all chunk extensions of a request"),
  "max-pipelined": limited(sizeValue, "pipelined", "bytes of pipelined requests that wait"),
  "max-unsent": limited(sizeValue, "unsent", "bytes of a response that wait for a slow client"),
  "max-drain": limited(sizeValue, "drain", "bytes of an unwanted body that are read"),
  "max-connections": limited(countValue, "connections", "connections at the same time"),
  "head-timeout": limited(positiveTimeValue, "headTimeout", "for a request head to arrive"),
  "body-timeout": limited(timeValue, "bodyTimeout", "without a byte of a wanted body"),
  "idle-timeout": limited(positiveTimeValue, "idleTimeout", "that a kept connection may be idle"),
  "send-timeout": limited(timeValue, "sendTimeout", "without progress on a client that does not read"),
  "drain-timeout": limited(positiveTimeValue, "drainTimeout", "for the rest of an unwanted body"),
  "linger-timeout": limited(positiveTimeValue, "lingerTimeout", "for the client to close after we did"),
  grace: { ...limit, ...timeValue, help: "for requests under way when the server stops (30s)" },

  "server-timing": {
    ...general,
    ...noValue,
    help: "responses say how long the request waited and how long the app took (Server-Timing)",
  },

  "access-log": {
    ...logs,
    ...textValue,
    value: "off|-|FILE",
    help: "a line a request: off, standard output, or a file (-)",
  },
  "access-format": {
    ...logs,
    ...textValue,
    value: "NAME|TEMPLATE",
    help: `${ACCESS_FORMATS.join(", ")}, or a template with $variables (extended)`,
  },
  "log-level": { ...logs, ...shown, ...choiceOf(LEVELS), help: "least level that is written (info)" },
  "log-format": { ...logs, ...shown, ...choiceOf(FORMATS), help: "lines for people or JSON (text)" },

  user: {
    ...general,
    ...userValue,
    help: "started as root: the server's user, which it becomes before it loads the app",
  },
  group: { ...general, ...groupValue, help: "its group (the user's)" },
  umask: { ...general, ...maskValue, help: "file mode creation mask of the server and the app" },
  "env-file": {
    ...general,
    ...textValue,
    value: "FILE",
    many: true,
    help: "environment variables of app, options and configuration (dev: .env); may be repeated",
  },
  "pid-file": {
    ...general,
    ...textValue,
    value: "FILE",
    help: "holds the number of the main process while it serves",
  },
  config: {
    ...general,
    ...textValue,
    value: "FILE",
    targets: ["config"],
    help: "configuration file (sallyport.config.*)",
  },
  control: {
    ...general,
    ...textValue,
    value: "PATH|off",
    commands: [...SERVING, ...CONTROL_COMMANDS],
    help: "control socket, for sallyport status, reload, stop, restart, scale, stacks (found without)",
  },
  help: { ...general, commands: COMMAND_NAMES, short: "h", ...noValue, help: "show this" },
  version: { ...general, commands: COMMAND_NAMES, short: "V", ...noValue, help: "show the version" },

  header: {
    ...explaining,
    ...fieldValue,
    short: "H",
    many: true,
    help: "header field of the request, Name: value; may be repeated",
  },
  data: {
    ...explaining,
    ...textValue,
    value: "TEXT",
    short: "d",
    help: "body of the request; @FILE reads a file, @- standard input",
  },
  client: { ...explaining, ...ipAddressValue, help: "address that the request comes from (127.0.0.1)" },
  as: { ...anInterface, help: "show what an application of this interface would be handed" },
  diff: { ...anInterface, help: "beside what one of this interface would be handed" },
  bytes: { ...explaining, ...noValue, help: "also show the bytes on the wire, taken apart" },
  run: { ...explaining, ...noValue, help: "start the app, and show its answer and the time of each phase" },
  json: {
    ...explaining,
    commands: ["explain", "check", "status", "stacks"],
    ...noValue,
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
