// What kind of app a module's default export is, by its shape: frameworks have no common mark.
// Tested by test/apps/load.test.ts.
import type { EventEmitter } from "node:events";
import type { IncomingMessage, Server, ServerResponse } from "node:http";
import { type Gateway, SallyportError } from "../exchange/index.ts";
import { thrownOf } from "../exchange/thrown.ts";
import { timerDelay } from "../exchange/wait.ts";
import { isClass, isGateway } from "../options/checks.ts";
import { describeThrown } from "./app-error.ts";
import { type FetchFunction, type FetchObject, fetchApp } from "./fetch.ts";
import { type AppOptions, type NodeHandler, nodeApp } from "./node.ts";
import { withUpgrades } from "./node-upgrade.ts";

interface FastifyLike {
  ready(): PromiseLike<unknown>;
  routing(req: unknown, res: ServerResponse): void;
  close(): PromiseLike<unknown>;
  readonly server: EventEmitter;
}

interface KoaLike {
  callback(): NodeHandler;
}

interface NestLike {
  init(): Promise<unknown>;
  getHttpAdapter(): { getInstance(): unknown };
  getHttpServer?(): EventEmitter;
  close(): PromiseLike<unknown>;
}

/** Polka, tinyhttp. */
interface RouterLike {
  handler(req: unknown, res: ServerResponse): unknown;
}

interface Kind {
  readonly name: string;
  matches(exported: unknown): boolean;
  gateway(exported: never, options: AppOptions): Gateway | Promise<Gateway>;
}

const has = (value: unknown, ...methods: string[]): boolean =>
  value !== null &&
  (typeof value === "object" || typeof value === "function") &&
  methods.every((method) => typeof (value as Record<string, unknown>)[method] === "function");

const isFunction = (value: unknown): value is (...parameters: unknown[]) => unknown =>
  typeof value === "function" && !isClass(value);

/** The first that matches is used. */
const KINDS: readonly Kind[] = [
  {
    name: "an object with a fetch method (Hono, h3)",
    matches: (exported) => has(exported, "fetch") && !isClass(exported),
    gateway: (app: FetchObject, options) => fetchApp(app, options),
  },
  {
    name: "a Fastify instance",
    matches: (exported) => has(exported, "routing", "ready", "close"),
    gateway: fastifyGateway,
  },
  {
    name: "a NestJS application",
    matches: (exported) => has(exported, "init", "getHttpAdapter", "close"),
    gateway: nestGateway,
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
  options: AppOptions = {},
): Promise<Gateway> {
  if (isGateway(exported)) return gatewayWithoutOptions(exported, name, options);
  const kind = KINDS.find(({ matches }) => matches(exported));
  if (kind) return kind.gateway(exported as never, options);
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

/** Plugins are loaded by `ready`, as when Fastify listens itself; `close` runs its onClose hooks. */
async function fastifyGateway(app: FastifyLike, options: AppOptions): Promise<Gateway> {
  await becomeReady("Fastify app", () => app.ready());
  const handler: NodeHandler = (req, res) => app.routing(req, res);
  const gateway = { ...nodeApp(handler, options), close: (grace: number) => closeWithin(app, grace) };
  return withUpgrades(gateway, app.server, options);
}

/** `init` is what its own `listen` begins with; what it then serves is an Express or a Fastify app. */
async function nestGateway(app: NestLike, options: AppOptions): Promise<Gateway> {
  await becomeReady("NestJS application", () => app.init());
  const inner = await gatewayOfExport(
    app.getHttpAdapter().getInstance(),
    "the NestJS application's adapter",
    options,
  );
  const gateway = { ...inner, close: (grace: number) => closeWithin(app, grace) };
  return withUpgrades(gateway, app.getHttpServer?.(), options);
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

/** Its own sockets are not used. */
function serverGateway(server: Server, options: AppOptions): Gateway {
  if (server.listenerCount("request") + server.listenerCount("upgrade") === 0)
    throw new SallyportError("CONFIG_INVALID", "the exported server of node:http has no request handler");
  return withUpgrades(
    nodeApp((req, res) => server.emit(eventOf(req, server), req, res) || refuseRequest(res), options),
    server,
    options,
  );
}

/** As in node itself: what asks whether to go on is for who listens for that, and not for the handler of other requests. */
const eventOf = ({ headers, httpVersion }: IncomingMessage, server: Server): string =>
  headers.expect && httpVersion !== "1.0" && server.listenerCount("checkContinue") > 0
    ? "checkContinue"
    : "request";

const refuseRequest = (res: ServerResponse): unknown =>
  res.writeHead(404, { "Content-Type": "text/plain" }).end("Only WebSockets are served here.\n");

async function closeWithin(app: FastifyLike | NestLike, grace: number): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, timerDelay(grace));
  });
  try {
    await Promise.race([app.close(), late]);
  } catch {
    // A hook of its own failed: that is for the app's own log, and the server stops all the same.
  } finally {
    clearTimeout(timer);
  }
}
