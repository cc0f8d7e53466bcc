// The configuration: this one schema validates it, gives its types, and is what docs/configuration.md is made from.
import { z } from "zod";
import type { Gateway } from "../exchange/index.ts";
import { DEFAULT_LIMITS, type HttpLimits } from "../protocols/http/limits.ts";
import { type ListenAddress, parseAddress } from "./address.ts";
import { FORMATS, LEVELS } from "./log.ts";
import { nearest, suggestion } from "./nearest.ts";
import { parseSize, parseTime, sizeText, timeText } from "./units.ts";

/** An object that takes these keys and no others; an unknown one is named together with the nearest known. */
const section = <S extends z.ZodRawShape>(shape: S) =>
  z.strictObject(shape, {
    error: (issue) => {
      if (issue.code !== "unrecognized_keys") return undefined;
      return issue.keys.map((key) => `unknown key${suggestion(key, Object.keys(shape))}`).join("\n");
    },
  });

type Parse<T> = (text: string | number) => T | undefined;

/** A value that people write as text or number and that `parse` understands. */
const written = <T>(title: string, parse: Parse<T>, expected: string) =>
  z
    .union([z.string(), z.number()], { error: expected })
    .transform((value, context) => {
      const parsed = parse(value);
      if (parsed !== undefined) return parsed;
      context.addIssue({ code: "custom", message: `${expected}, not ${JSON.stringify(value)}` });
      return z.NEVER;
    })
    .meta({ title });

const size = () => written("size", parseSize, "must be a size such as 65536, 64K or 10M");
const time = () => written("time", parseTime, "must be a time such as 30 (seconds), 500ms or 2m");
const count = (least = 1) => z.number().int().min(least).max(1_000_000).meta({ title: "number" });
const text = () => z.string().min(1, "must not be empty");
const path = () => text().meta({ title: "path" });
const flag = () => z.boolean();
const environment = () => z.record(z.string().regex(/^[^=\0]+$/), z.string());

const about = <T extends z.ZodType>(type: T, description: string): T => type.describe(description);

const TIMEOUT = "how long the app may take until its response begins; then 504";

const queueing = (queue: number, queueTimeout: string) => ({
  queue: about(
    count(0).exactOptional(),
    `requests that may wait for a free process; more get 503 (${queue})`,
  ),
  queueTimeout: about(
    time().exactOptional(),
    `how long a request may wait for one; then 503 (${queueTimeout})`,
  ),
});

export const wsgiApp = section({
  wsgi: about(
    text(),
    "a Python application: `module:callable`, `module` (then `application` or `app`), `module:factory()`",
  ),
  python: about(
    text().exactOptional(),
    "the interpreter; otherwise that of `$VIRTUAL_ENV`, of `.venv` or `venv` beside the app, or `python3`",
  ),
  chdir: about(path().exactOptional(), "working directory of the app, and first place of its imports"),
  path: about(z.array(path()).exactOptional(), "more directories to import from"),
  processes: about(count().exactOptional(), "worker processes (1)"),
  threads: about(
    count().exactOptional(),
    "threads in each process; with 1 the app need not be thread-safe (1)",
  ),
  env: about(environment().exactOptional(), "environment variables of the processes"),
  startTimeout: about(time().exactOptional(), "how long the import of the app may take (60s)"),
  bufferBody: about(
    flag().exactOptional(),
    "a request body is complete before a process gets it, so that slow clients hold none; otherwise it streams (true)",
  ),
  timeout: about(time().exactOptional(), `${TIMEOUT} (30s)`),
  ...queueing(1024, "30s"),
});

export const cgiApp = section({
  cgi: about(path(), "a directory with programs, or one program that answers every path"),
  env: about(environment().exactOptional(), "more variables for the programs"),
  chdir: about(path().exactOptional(), "working directory; otherwise the program's own"),
  processes: about(count().exactOptional(), "programs that may run at the same time (64)"),
  interpreters: about(
    z.record(z.string().regex(/^\./, "must start with a dot"), text()).exactOptional(),
    'programs that run files by suffix, such as `{ ".py": "python3" }`; others must be executable',
  ),
  nph: about(flag().exactOptional(), "let programs named `nph-...` write the status line themselves"),
  argvFromQuery: about(flag().exactOptional(), "a query without `=` becomes arguments (RFC 3875, 4.4)"),
  timeout: about(time().exactOptional(), `${TIMEOUT} (60s)`),
  totalTimeout: about(time().exactOptional(), "how long a program may run in all; then its response is cut"),
  killGrace: about(time().exactOptional(), "how long a program has between SIGTERM and SIGKILL (2s)"),
  documentRoot: about(path().exactOptional(), "DOCUMENT_ROOT; otherwise the directory of programs"),
  ...queueing(256, "10s"),
});

export const staticApp = section({
  static: about(path(), "a directory of files"),
  index: about(
    z.union([text(), z.literal(false)]).exactOptional(),
    "the file that answers for a directory (`index.html`)",
  ),
  maxAge: about(time().exactOptional(), "how long clients may keep a file without asking again (0)"),
  immutable: about(flag().exactOptional(), "files never change while `maxAge` lasts"),
  precompressed: about(
    flag().exactOptional(),
    "send `file.br` or `file.gz` to clients that take them (false)",
  ),
});

export const moduleApp = section({
  module: about(
    path(),
    "a TypeScript or JavaScript module that exports a `fetch` object, a function or a node handler",
  ),
  timeout: about(time().exactOptional(), TIMEOUT),
});

const isGateway = (value: unknown): value is Gateway =>
  typeof (value as Gateway | undefined)?.handle === "function";
export const gatewayApp = z
  .custom<Gateway>(isGateway, "must be a gateway")
  .meta({ title: "gateway", description: "a gateway made by code, in a configuration that is code" });

/** What an app may be; each is told by its first key. */
export const APP_KINDS = { wsgi: wsgiApp, cgi: cgiApp, static: staticApp, module: moduleApp } as const;

const app = z.union([wsgiApp, cgiApp, staticApp, moduleApp, gatewayApp], {
  error: ({ input }) => {
    const kinds = Object.keys(APP_KINDS);
    const typed = Object.keys(Object(input)).find((key) => nearest(key, kinds));
    return `must have one of the keys ${kinds.join(", ")}${typed ? suggestion(typed, kinds) : ""}`;
  },
});

const AN_ADDRESS =
  'must be an address such as "127.0.0.1:8000", "[::1]:8000", "unix:/run/app.sock" or "fd:3"';
const addressText = written<ListenAddress>("address", (value) => parseAddress(String(value)), AN_ADDRESS);

const mode = written<number>(
  "mode",
  (value) => (/^[0-7]{3,4}$/.test(String(value)) ? Number.parseInt(String(value), 8) : undefined),
  'must be an octal mode in quotes, such as "660"',
);

export const listenAddress = section({
  address: about(addressText, "`host:port`, `unix:PATH` or `fd:N`"),
  mode: about(mode.exactOptional(), 'permissions of the Unix socket, such as `"660"`'),
  owner: about(text().exactOptional(), "owner of the Unix socket: `user` or `user:group`"),
}).transform(({ address, mode, owner }): ListenAddress => {
  if (address.kind !== "unix") return address;
  return { ...address, ...(mode === undefined ? {} : { mode }), ...(owner === undefined ? {} : { owner }) };
});

export const route = section({
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

const octets = (key: keyof HttpLimits) => size().prefault(sizeText(DEFAULT_LIMITS[key]));
const wait = (key: keyof HttpLimits) => time().prefault(timeText(DEFAULT_LIMITS[key]));

/** The listener's limits under its own names, all of them. */
export const limits = section({
  target: about(octets("target"), "octets of a request target; then 414"),
  headerBytes: about(octets("headerBytes"), "octets of all request headers; then 431"),
  headerCount: about(count().prefault(DEFAULT_LIMITS.headerCount), "request header lines; then 431"),
  body: about(octets("body"), "octets of a request body; then 413"),
  chunkLine: about(octets("chunkLine"), "octets of one chunk-size line; then 400"),
  chunkExtensions: about(octets("chunkExtensions"), "octets of all chunk extensions of a request; then 400"),
  pipelined: about(octets("pipelined"), "octets of pipelined requests that wait; then reading pauses"),
  unsent: about(octets("unsent"), "octets of a response that wait for a slow client; then the app waits"),
  drain: about(
    octets("drain"),
    "octets of an unwanted body that are read so that the connection can be kept",
  ),
  connections: about(
    count().prefault(DEFAULT_LIMITS.connections),
    "connections at the same time; more get 503",
  ),
  headTimeout: about(wait("headTimeout"), "for a request head to arrive; then 408"),
  bodyTimeout: about(wait("bodyTimeout"), "without an octet of the body, while it is wanted; then 408"),
  idleTimeout: about(wait("idleTimeout"), "that a kept connection may be idle"),
  sendTimeout: about(wait("sendTimeout"), "without progress on a client that does not read; then it is cut"),
  drainTimeout: about(wait("drainTimeout"), "for the rest of an unwanted body; then the connection closes"),
  lingerTimeout: about(wait("lingerTimeout"), "for the client to close after we did; then it is destroyed"),
} satisfies Record<keyof HttpLimits, z.ZodType>);

export const log = section({
  level: about(z.enum(LEVELS).prefault("info"), "least level that is written"),
  format: about(z.enum(FORMATS).prefault("text"), "lines for people, or JSON for collectors"),
  access: about(
    text().exactOptional(),
    "`off`, `-` (standard output), or a file (opened anew on SIGUSR1); `serve` writes to standard output",
  ),
});

export const config = section({
  listen: about(
    z
      .array(z.union([addressText, listenAddress], { error: AN_ADDRESS }))
      .min(1)
      .prefault(["127.0.0.1:8000"]),
    "where to listen; each an address or an object",
  ),
  apps: about(z.record(text(), app), "the applications, by a name of your choice"),
  routes: about(
    z.array(route).min(1).exactOptional(),
    "which app answers what; may be left out when there is one app",
  ),
  limits: about(limits.prefault({}), "limits on clients"),
  log: about(log.prefault({}), "what is written about it"),
  grace: about(time().prefault("30s"), "for requests under way when the server stops"),
}).superRefine((value, context) => {
  const names = Object.keys(value.apps);
  const problem = (message: string, ...path: (string | number)[]) =>
    context.addIssue({ code: "custom", message, path });
  if (names.length === 0) problem("must have at least one app", "apps");
  if (names.length > 1 && !value.routes)
    problem("is missing: with several apps it must say which answers what", "routes");
  for (const [i, { app }] of (value.routes ?? []).entries()) {
    if (!names.includes(app))
      problem(`there is no app ${JSON.stringify(app)}${suggestion(app, names)}`, "routes", i, "app");
  }
});

/** The configuration as it is written. */
export type Config = z.input<typeof config>;
/** The configuration as the server takes it: checked, with its defaults, in octets and milliseconds. */
export type Settings = z.output<typeof config>;
export type AppSettings = Settings["apps"][string];

/** For configuration files in TypeScript and JavaScript: gives editors the types, and its argument back. */
export const defineConfig = (value: Config): Config => value;
