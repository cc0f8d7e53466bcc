// What kind of app a module's default export is, by its shape: frameworks have no common mark.
// Tested by test/apps/load.test.ts.
import { EventEmitter } from "node:events";
import type { IncomingMessage, Server, ServerResponse } from "node:http";
import { type Gateway, SallyportError } from "../exchange/index.ts";
import { thrownOf } from "../exchange/thrown.ts";
import { isClass, isGateway } from "../options/checks.ts";
import { describeThrown } from "./app-error.ts";
import { type FetchFunction, type FetchObject, fetchApp } from "./fetch.ts";
import { type AppOptions, type NodeHandler, nodeApp } from "./node.ts";
import { withUpgrades } from "./node-upgrade.ts";
import { type ClosingServer, withOwnClose } from "./own-close.ts";

interface FastifyLike {
  ready(): PromiseLike<unknown>;
  routing(req: unknown, res: ServerResponse): void;
  close(): PromiseLike<unknown>;
  readonly server: ClosingServer;
}

interface KoaLike {
  callback(): NodeHandler;
}

interface NestLike {
  init(): Promise<unknown>;
  getHttpAdapter(): { getInstance(): unknown };
  getHttpServer?(): ClosingServer;
  close(signal?: string): PromiseLike<unknown>;
  /** Where its hooks run at signals; protected by its types. */
  unsubscribeFromProcessSignals?(): void;
}

interface NextLike {
  prepare(): Promise<unknown>;
  getRequestHandler(): (req: unknown, res: ServerResponse) => unknown;
  close(): PromiseLike<unknown>;
  readonly options?: { readonly dev?: boolean; httpServer?: EventEmitter };
}

/** Polka, tinyhttp. */
interface RouterLike {
  handler(req: unknown, res: ServerResponse): unknown;
}

interface Kind {
  readonly name: string;
  matches(exported: unknown): boolean;
  gateway(exported: never, options: AppOptions, ownProcess: boolean): Gateway | Promise<Gateway>;
}

export interface LoadOptions extends AppOptions {
  /** The process is the server's: what an app does at a signal waits for the end of the requests. */
  readonly ownProcess?: boolean | undefined;
}

const has = (value: unknown, ...methods: string[]): boolean =>
  value !== null &&
  (typeof value === "object" || typeof value === "function") &&
  methods.every((method) => typeof (value as Record<string, unknown>)[method] === "function");

const isFunction = (value: unknown): value is (...parameters: unknown[]) => unknown =>
  typeof value === "function" && !isClass(value);

const isFastify = (exported: unknown): exported is FastifyLike => has(exported, "routing", "ready", "close");

/** The signals that stop a server. */
const STOP_SIGNALS = ["SIGTERM", "SIGINT", "SIGQUIT"] as const;

/** The first that matches is used. */
const KINDS: readonly Kind[] = [
  {
    name: "an object with a fetch method (Hono, h3)",
    matches: (exported) => has(exported, "fetch") && !isClass(exported),
    gateway: (app: FetchObject, options) => fetchApp(app, options),
  },
  {
    name: "a Fastify instance",
    matches: isFastify,
    gateway: fastifyGateway,
  },
  {
    name: "a NestJS application",
    matches: (exported) => has(exported, "init", "getHttpAdapter", "close"),
    gateway: nestGateway,
  },
  {
    name: "a Next.js app (next())",
    matches: (exported) => has(exported, "prepare", "getRequestHandler", "close"),
    gateway: nextGateway,
  },
  {
    name: "a Koa instance",
    matches: (exported) => has(exported, "callback", "use"),
    gateway: (app: KoaLike, options) => nodeApp(app.callback(), options),
  },
  {
    name: "a server of node:http (createServer())",
    matches: (exported) => has(exported, "emit", "listenerCount", "closeIdleConnections"),
    gateway: serverGateway,
  },
  {
    name: "a Polka or tinyhttp app",
    matches: (exported) => has(exported, "handler", "use", "listen"),
    gateway: (app: RouterLike, options) => nodeApp((req, res) => app.handler(req, res), options),
  },
  {
    name: "a node handler (req, res), or an Express or connect app",
    matches: (exported) => isFunction(exported) && (exported.length >= 2 || has(exported, "handle")),
    gateway: (handler: NodeHandler, options) => nodeApp(handler, options),
  },
  {
    name: "a fetch handler (request)",
    matches: isFunction,
    gateway: (fetch: FetchFunction, options) => fetchApp(fetch, options),
  },
];

/** The gateway to an exported app. Throws CONFIG_INVALID, naming what was found (`name`), for everything else. */
export async function gatewayOfExport(
  exported: unknown,
  name: string,
  { ownProcess = false, ...options }: LoadOptions = {},
): Promise<Gateway> {
  if (isGateway(exported)) return gatewayWithoutOptions(exported, name, options);
  const kind = KINDS.find(({ matches }) => matches(exported));
  if (kind) return kind.gateway(exported as never, options, ownProcess);
  const found = isClass(exported) ? "a class; export an instance of it" : describeThrown(exported);
  const wanted = [...KINDS.map(({ name }) => name), "a gateway (staticFiles(), wsgi())"].join("; ");
  throw new SallyportError("CONFIG_INVALID", `${name} is ${found}. What can be served: ${wanted}`);
}

function gatewayWithoutOptions(gateway: Gateway, name: string, { timeout }: AppOptions): Gateway {
  if (timeout === undefined) return gateway;
  throw new SallyportError(
    "CONFIG_INVALID",
    `${name} is a gateway, of which no timeout can be said; where it has one, that is among its own options`,
  );
}

/** Its `close` runs its onClose hooks. */
async function fastifyGateway(app: FastifyLike, options: AppOptions): Promise<Gateway> {
  const { server } = app;
  const end = { close: () => app.close(), server, log: options.log };
  return withUpgrades(withOwnClose(await fastifyHandler(app, options), end), server, options);
}

/** Plugins are loaded by `ready`, as when Fastify listens itself. */
async function fastifyHandler(app: FastifyLike, options: AppOptions): Promise<Gateway> {
  await becomeReady("Fastify app", () => app.ready());
  return nodeApp((req, res) => app.routing(req, res), options);
}

/** `init` is what its own `listen` begins with; what it then serves is an Express or a Fastify app. */
async function nestGateway(app: NestLike, options: AppOptions, ownProcess: boolean): Promise<Gateway> {
  await becomeReady("NestJS application", () => app.init());
  const signal = ownProcess ? takeSignals(app) : () => undefined;
  const instance = app.getHttpAdapter().getInstance();
  const inner = isFastify(instance)
    ? await fastifyHandler(instance, options)
    : await gatewayOfExport(instance, "the NestJS application's adapter", options);
  const server = app.getHttpServer?.();
  const end = { close: () => app.close(signal()), server, log: options.log };
  return withUpgrades(withOwnClose(inner, end), server, options);
}

/**
 * Nest's own listeners (`enableShutdownHooks`) run its hooks at the signal, while requests are under way: here they run at the end.
 * The result gives the name of the signal that they get.
 */
function takeSignals(app: NestLike): () => NodeJS.Signals | undefined {
  let last: NodeJS.Signals | undefined;
  const remember = (signal: NodeJS.Signals): void => {
    last = signal;
  };
  app.unsubscribeFromProcessSignals?.();
  for (const signal of STOP_SIGNALS) process.on(signal, remember);
  return () => {
    for (const signal of STOP_SIGNALS) process.off(signal, remember);
    return last;
  };
}

async function becomeReady(what: string, begin: () => PromiseLike<unknown>): Promise<void> {
  try {
    await begin();
  } catch (error) {
    const { message, stack } = thrownOf(error);
    throw new SallyportError("APP_IMPORT", `the ${what} did not become ready: ${message}`, {
      cause: error,
      detail: stack,
    });
  }
}

/**
 * In development the pages have a WebSocket, for which it listens at its `httpServer` from the first request on. Otherwise it would leave
 * WebSockets that it does not know without an answer.
 */
async function nextGateway(app: NextLike, options: AppOptions): Promise<Gateway> {
  await becomeReady("Next.js app", () => app.prepare());
  const handler = app.getRequestHandler();
  const gateway = nodeApp((req, res) => handler(req, res), options);
  const upgrades = app.options?.httpServer ?? new EventEmitter();
  if (app.options?.dev) app.options.httpServer = upgrades;
  const end = { close: () => app.close(), log: options.log };
  return withUpgrades(withOwnClose(gateway, end), upgrades, options);
}

/** Its own sockets are not used. */
function serverGateway(server: Server, options: AppOptions): Gateway {
  if (server.listenerCount("request") + server.listenerCount("upgrade") === 0)
    throw new SallyportError("CONFIG_INVALID", "the exported server of node:http has no request handler");
  const handler: NodeHandler = (req, res) =>
    server.emit(eventOf(req, server), req, res) || refuseRequest(res);
  return withUpgrades(withOwnClose(nodeApp(handler, options), { server }), server, options);
}

/** As in node itself: what asks whether to go on is for who listens for that, and not for the handler of other requests. */
const eventOf = ({ headers, httpVersion }: IncomingMessage, server: Server): string =>
  headers.expect && httpVersion !== "1.0" && server.listenerCount("checkContinue") > 0
    ? "checkContinue"
    : "request";

const refuseRequest = (res: ServerResponse): unknown =>
  res.writeHead(404, { "Content-Type": "text/plain" }).end("Only WebSockets are served here.\n");
