// One file, served by any server: `serve(app)` at its end makes a program of it that finds out how it was started.
import { parseArgs } from "node:util";
import type { FetchFunction, FetchObject, NodeHandler } from "../apps/index.ts";
import { type ListenAddress, parsePlace } from "../config/address.ts";
import type { Config, Settings } from "../config/config.ts";
import type { KeyPath } from "../config/error-lines.ts";
import { checkConfig } from "../config/errors.ts";
import { PROTOCOLS } from "../config/protocols.ts";
import { type Gateway, SallyportError } from "../exchange/index.ts";
import {
  aFlag,
  anything,
  type Checks,
  checkArgument,
  checkOptions,
  isGateway,
  must,
} from "../options/checks.ts";
import { guess, placesOf, portOf, type Started } from "./guess.ts";
import { runProgram } from "./program.ts";
import { type ReportStyle, reportFailure, TEXT } from "./report.ts";
import { type Server, serverOf } from "./server.ts";

/** A fetch function or object (Hono, h3), a node handler or framework (Express, Koa, Fastify), or a gateway. */
export type ServedApp = FetchFunction | FetchObject | NodeHandler | Gateway | object;

export interface ServeOptions
  extends Pick<
    Partial<Config>,
    "listen" | "trust" | "forwarded" | "limits" | "log" | "grace" | "serverTiming"
  > {
  /** Until the response begins, as text or seconds; then 504. */
  readonly timeout?: string | number;
  /**
   * Whether the process belongs to this server, which is the default: it says where it listens, SIGTERM and SIGINT stop
   * it, standard error gets a failure to start, and the process ends with the server. Otherwise the process is left
   * alone, and a failure rejects.
   */
  readonly program?: boolean;
}

/** `anything`: the configuration checks these values. */
const CHECKS: Checks<ServeOptions> = {
  listen: anything,
  trust: anything,
  forwarded: anything,
  limits: anything,
  log: anything,
  grace: anything,
  serverTiming: anything,
  timeout: anything,
  program: aFlag,
};

const anApp = must(
  "a fetch function or object (Hono, h3), a node handler or framework (Express, Koa, Fastify), or a gateway",
  (value) => typeof value === "function" || (typeof value === "object" && value !== null),
);

/** A server that has started. */
export interface Serving {
  /** Where it listens; nowhere when the process was started for one request. */
  readonly urls: readonly string[];
  /** Stops in phases; requests under way have `grace` milliseconds (that of the options otherwise). Never rejects. */
  stop(grace?: number): Promise<void>;
}

/**
 * Serves `app` in the way in which this process was started: at the addresses of `--http`, `--fastcgi`, `--scgi` and
 * `--uwsgi`; as a CGI program; as a FastCGI application at descriptor 0; at the sockets that systemd passes; and if it
 * is none of these, at `listen`, or by HTTP at $PORT (of all addresses, or of $HOST), or at 127.0.0.1:8000. Resolves when it
 * listens, or when the one request has been answered. With `program: false` rejects with a SallyportError when it cannot start.
 */
export async function serve(app: FetchFunction, options?: ServeOptions): Promise<Serving>;
/** The same for whatever else can be served. A node handler that is written in the call needs types, or `nodeApp` around it. */
export async function serve(app: ServedApp, options?: ServeOptions): Promise<Serving>;
export async function serve(app: ServedApp, options: ServeOptions = {}): Promise<Serving> {
  if (options?.program === false) return begin(app, options);
  try {
    return await begin(app, options);
  } catch (reason) {
    return process.exit(reportFailure(reason, styleOf(options)));
  }
}

/** Even where the options are wrong. */
function styleOf(options: ServeOptions | undefined): ReportStyle {
  const log = options?.log;
  const level = log?.level === "debug" ? "debug" : TEXT.level;
  return { level, format: log?.format === "json" ? "json" : TEXT.format };
}

async function begin(app: ServedApp, given: ServeOptions): Promise<Serving> {
  checkArgument("serve()", "the first argument", app, anApp);
  checkOptions("serve()", given, CHECKS, "{ listen: [8000] }");
  const { program = true, ...options } = given;
  const named = addressesIn(process.argv.slice(2));
  const started: Started = named.length > 0 ? { by: "arguments", listen: named } : guess();
  const settings = settingsOf(app, options, started);
  const server = serverOf(settings, { ownProcess: program });
  const stop = (grace?: number): Promise<void> => server.stop(grace);
  if (started.by === "cgi") await answer(server, started.nph, program);
  if (started.by === "cgi") return { urls: [], stop };
  return { urls: program ? await run(server, settings) : await server.start(), stop };
}

function settingsOf(app: ServedApp, { timeout, ...options }: ServeOptions, started: Started): Settings {
  const settings = checkConfig(
    {
      ...options,
      apps: { app: isGateway(app) ? app : { app, ...(timeout === undefined ? {} : { timeout }) } },
    },
    { name: "serve()", lineOf: () => undefined, keyOf: ownKey },
  );
  const port = options.listen ? undefined : portOf(process.env);
  return { ...settings, listen: placesOf(started, port ? [port] : settings.listen) };
}

/** `apps.app.timeout` is the option `timeout`. */
const ownKey = (path: KeyPath): KeyPath => (path[0] === "apps" ? path.slice(2) : path);

/** Answers the one request and ends the process: an app may hold timers or sockets that would keep it, and so the response, open. */
async function answer(server: Server, nph: boolean, program: boolean): Promise<void> {
  process.exitCode = await server.answerCgi(nph);
  if (program) process.exit();
}

function run(server: Server, { log }: Settings): Promise<readonly string[]> {
  const { started, ended } = runProgram(server, log);
  void ended.then((code) => process.exit(code));
  return started;
}

/** `--fastcgi 127.0.0.1:9000`, and the like; other arguments are the program's own. Throws USAGE. */
export function addressesIn(args: readonly string[]): ListenAddress[] {
  const options = Object.fromEntries(PROTOCOLS.map((name) => [name, { type: "string" } as const]));
  const { tokens } = parseArgs({ args: [...args], options, strict: false, tokens: true });
  return tokens.flatMap((token) => {
    const protocol = token.kind === "option" && PROTOCOLS.find((name) => name === token.name);
    if (!protocol) return [];
    const place = parsePlace(String(token.value ?? ""));
    if (place) return [{ protocol, ...place }];
    throw new SallyportError("USAGE", `--${protocol} must be followed by HOST:PORT, unix:PATH or fd:N`);
  });
}
