// What kind of app a module's default export is, by its shape: frameworks have no common mark.
// Tested by test/apps/load.test.ts.
import type { ServerResponse } from "node:http";
import { type Gateway, SallyportError } from "../exchange/index.ts";
import { timerDelay } from "../exchange/wait.ts";
import { isClass, isGateway } from "../options/checks.ts";
import { describeThrown } from "./app-error.ts";
import { type FetchFunction, type FetchObject, fetchApp } from "./fetch.ts";
import { type AppOptions, type NodeHandler, nodeApp } from "./node.ts";

interface FastifyLike {
  ready(): PromiseLike<unknown>;
  routing(req: unknown, res: ServerResponse): void;
  close(): PromiseLike<unknown>;
}

interface KoaLike {
  callback(): NodeHandler;
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
    name: "a Koa instance",
    matches: (exported) => has(exported, "callback", "use"),
    gateway: (app: KoaLike, options) => nodeApp(app.callback(), options),
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
  try {
    await app.ready();
  } catch (error) {
    const { message, stack } = error as Error;
    throw new SallyportError("APP_IMPORT", `the Fastify app did not become ready: ${message}`, {
      cause: error,
      detail: stack,
    });
  }
  const handler: NodeHandler = (req, res) => app.routing(req, res);
  return { ...nodeApp(handler, options), close: (grace) => closeFastify(app, grace) };
}

async function closeFastify(app: FastifyLike, grace: number): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, timerDelay(grace));
  });
  try {
    await Promise.race([app.close(), late]);
  } catch {
    // An onClose hook failed: that is for the app's own log, and the server stops all the same.
  } finally {
    clearTimeout(timer);
  }
}
