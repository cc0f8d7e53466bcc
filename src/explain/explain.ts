// What the server would do with one request: how its listener reads it, what a proxy's headers change, which route answers,
// and what the application would be handed. Nothing is started unless the answer is asked for, too.

import type { AppSettings, Settings } from "../config/config.ts";
import {
  ERRORS,
  type ErrorName,
  type Exchange,
  type Gateway,
  type Log,
  type Phases,
  phasesOf,
  type RequestBody,
  Running,
  SallyportError,
  silentLog,
  spool,
  Trace,
} from "../exchange/index.ts";
import { WrappedExchange } from "../exchange/wrapped-exchange.ts";
import { gatewayOf } from "../server/gateways.ts";
import { Proxies } from "../server/proxies.ts";
import { Routes, type RouteVerdict, routesOf } from "../server/routes.ts";
import { dissectAnswer, dissectMessage } from "../wire/message.ts";
import { contextOf, interfaceOf } from "./app.ts";
import type { InterfaceName } from "./facts.ts";
import { type Handover, handoverOf, type WireMessage } from "./handover.ts";
import { proxyNotes } from "./proxy.ts";
import { type AskedRequest, bytesOfRequest, passThrough, type ReceivedResponse } from "./request.ts";

export interface ExplainOptions {
  readonly settings: Settings;
  /** Relative paths of the configuration start here. */
  readonly directory: string;
  /** The interface to show instead of the app's own. */
  readonly as: InterfaceName | undefined;
  /** Another one to compare with. */
  readonly diff: InterfaceName | undefined;
  /** Starts the app and has it answer. */
  readonly run: boolean;
}

export interface Explanation {
  readonly request: WireMessage;
  readonly method: string;
  readonly url: string;
  /** What proxies said, and whether they are believed. */
  readonly proxies: readonly string[];
  /** A trusted proxy has described the client. */
  readonly byProxy: boolean;
  readonly routes: readonly RouteVerdict[];
  /** The app's name in the configuration; undefined when none was reached. */
  readonly app: string | undefined;
  /** Why the interface is shown that is shown, where it is not simply the app's. */
  readonly notes: readonly string[];
  /** The interface that is shown, and the one to compare it with. */
  readonly handovers: readonly Handover[];
  /** Why the request does not reach the app. */
  readonly refusal: Refusal | undefined;
  /** With `run`. */
  readonly answer: RunAnswer | undefined;
}

export interface Refusal {
  readonly code: string;
  readonly fault: string;
  readonly status: number;
  readonly message: string;
}

export interface RunAnswer {
  /** Informational responses that came before it are a part of it. */
  readonly response: WireMessage;
  /** Why the rest of it was not read; undefined when it was. */
  readonly cut: string | undefined;
  readonly phases: Phases;
  /** Of the process that answered. */
  readonly pid: number | undefined;
}

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

/** Explains what becomes of `asked`. Rejects with a SallyportError only where the configuration itself is at fault. */
export async function explain(asked: AskedRequest, options: ExplainOptions): Promise<Explanation> {
  const bytes = bytesOfRequest(asked);
  const found: Mutable<Explanation> = {
    request: { name: "HTTP request", bytes, fields: dissectMessage(bytes, "request line") },
    method: asked.method,
    url: `${asked.scheme}://${asked.authority}${asked.target}`,
    proxies: [],
    byProxy: false,
    routes: [],
    app: undefined,
    notes: [],
    handovers: [],
    refusal: undefined,
    answer: undefined,
  };
  const traced: { trace?: Trace } = {};
  const running = new Running();
  try {
    const response = await passThrough(asked, options.settings.limits, refusalsInto(found), (exchange) => {
      const trace = new Trace();
      traced.trace = trace;
      exchange.trace = trace;
      const watched = new WatchedExchange(exchange, found);
      follow(found, watched, options, running).catch((error) => watched.fail(SallyportError.from(error)));
    });
    if (traced.trace && options.run && found.app !== undefined)
      found.answer = answerOf(response, traced.trace);
    return found;
  } finally {
    await running.close(GRACE);
  }
}

/** Milliseconds for the app's processes to end. */
const GRACE = 2_000;

/** Keeps the error with which the exchange ends. */
class WatchedExchange extends WrappedExchange {
  /** Read to describe it, and then given to the app. */
  declare body: RequestBody;
  readonly #found: Mutable<Explanation>;

  constructor(exchange: Exchange, found: Mutable<Explanation>) {
    super(exchange);
    this.#found = found;
  }

  override fail(error: SallyportError): void {
    const { code, fault, status, message } = error;
    // We are the client, and may have read enough: what becomes of the rest is no refusal.
    if (!this.closed) this.#found.refusal ??= { code, fault, status, message };
    super.fail(error);
  }
}

async function follow(
  found: Mutable<Explanation>,
  exchange: WatchedExchange,
  options: ExplainOptions,
  running: Running,
): Promise<void> {
  const { settings } = options;
  found.proxies = proxyNotes(exchange, settings);
  const { remote, scheme, authority } = exchange.request;
  new Proxies(settings, silentLog).applyForwarded?.(exchange);
  const now = exchange.request;
  found.byProxy = now.remote !== remote || now.scheme !== scheme || now.authority !== authority;
  const routes = new Routes(routesOf(settings), placeholders(settings));
  found.routes = routes.explain(exchange);
  const { app } = routes.match(exchange);
  found.app = app;
  const settingsOfApp = settings.apps[app] as AppSettings;
  // In memory, where it has come from: no body is longer than its request.
  const spooled = await spool(exchange.body, {
    limit: settings.limits.body,
    memory: found.request.bytes.length,
  });
  exchange.whenClosed(() => spooled.dispose());
  exchange.body = spooled.body();
  await describe(found, exchange, Buffer.from(spooled.whole ?? []), settingsOfApp, options);
  if (!options.run) return exchange.respond({ status: 204, reason: "", headers: [] }, "");
  await answer(exchange, settingsOfApp, options, running);
}

const placeholders = ({ apps }: Settings): Map<string, Gateway> =>
  new Map(Object.keys(apps).map((name) => [name, { handle: () => {} }]));

/** The handovers: of the interface that is shown, and of the one beside it. */
async function describe(
  found: Mutable<Explanation>,
  exchange: Exchange,
  body: Buffer,
  app: AppSettings,
  { as, diff, directory }: ExplainOptions,
): Promise<void> {
  const own = interfaceOf(app);
  const shown = as ?? own.interface;
  found.notes =
    as && own.interface && as !== own.interface ? [`the app is written for ${own.interface}`] : own.notes;
  if (!shown) return;
  const { mount } = exchange;
  for (const named of [shown, ...(diff ? [diff] : [])]) {
    const context = await contextOf(named, app, exchange, directory, found.byProxy);
    exchange.mount = named === "cgi" ? context.program.mount : mount;
    found.handovers = [...found.handovers, handoverOf(named, exchange, body, context)];
    exchange.mount = mount;
  }
}

async function answer(
  exchange: Exchange,
  app: AppSettings,
  { directory, settings }: ExplainOptions,
  running: Running,
): Promise<void> {
  const gateway = await gatewayOf(app, {
    directory,
    log: silentLog,
    serverProcesses: settings.serverProcesses,
    dispatch: (again) => gateway.handle(again),
    pass: (_app, passed) => passed.fail(new SallyportError("NOT_FOUND", "there is no such file")),
    ownProcess: true,
    moduleVersion: () => "",
  });
  await running.start(gateway);
  gateway.handle(exchange);
}

const answerOf = ({ bytes, cut }: ReceivedResponse, trace: Trace): RunAnswer => ({
  response: { name: "HTTP response", bytes, fields: dissectAnswer(bytes) },
  cut,
  phases: phasesOf(trace),
  pid: trace.pid,
});

/** Keeps the error with which the listener itself refuses the request. */
const refusalsInto = (found: Mutable<Explanation>): Log => ({
  ...silentLog,
  info(message, { code, fault } = {}) {
    if (code === undefined) return;
    const { status } = ERRORS[String(code).replace("ERR_SALLYPORT_", "") as ErrorName];
    found.refusal ??= { code: String(code), fault: String(fault), status, message };
  },
});
