// Answers exchanges with a node:http request listener in this process: Express, Koa, Fastify, connect, or a plain
// `(req, res)`, unmodified and behind any listener.
import type { IncomingMessage, ServerResponse } from "node:http";
import {
  type Exchange,
  type Gateway,
  type Log,
  SallyportError,
  silentLog,
  statusInProcess,
} from "../exchange/index.ts";
import {
  aLog,
  type Checks,
  checkArgument,
  checkOptions,
  isClass,
  must,
  timeoutSeconds,
} from "../options/checks.ts";
import { failWithAppError } from "./app-error.ts";
import { headWithin } from "./deadline.ts";
import { nodeRequest } from "./node-request.ts";
import { nodeResponse } from "./node-response.ts";
import { ExchangeSocket } from "./node-socket.ts";
import { TlsExchangeSocket } from "./node-tls-socket.ts";

/** A request listener of node:http; a third parameter is connect's `next`, or the parsed URL of Next.js's handler. */
export type NodeHandler = (
  req: IncomingMessage,
  res: ServerResponse,
  next: (error?: unknown) => void,
) => unknown;

export interface AppOptions {
  /** Gets the failures that come too late for a response. */
  log?: Log | undefined;
  /** Seconds until a response head must be given (then 504); no limit by default. */
  timeout?: number | undefined;
}

export const APP_CHECKS: Checks<AppOptions> = { log: aLog, timeout: timeoutSeconds };

const aNodeHandler = must(
  "a node handler (req, res), an Express or connect app, the callback() of a Koa app, or the routing of a Fastify app",
  (value) => typeof value === "function" && !isClass(value),
);

/** Request and response of a node handler, bound to one exchange. */
export function nodeObjects(exchange: Exchange): { req: IncomingMessage; res: ServerResponse } {
  const socket = exchangeSocket(exchange);
  const req = nodeRequest(exchange, socket);
  return { req, res: nodeResponse(exchange, req, socket) };
}

/** The connection of an exchange, as a handler sees it. */
export function exchangeSocket(exchange: Exchange): ExchangeSocket {
  const { scheme, tls } = exchange.request;
  return scheme === "https" && tls ? new TlsExchangeSocket(exchange, tls) : new ExchangeSocket(exchange);
}

/**
 * A gateway to a node:http handler. Below a mount, `req.url` is what follows it, `req.originalUrl` the whole, and
 * `req.baseUrl` the mount (Express's names). Errors it throws, or rejects with, are APP_RAISED.
 */
export function nodeApp(handler: NodeHandler, options: AppOptions = {}): Gateway {
  checkArgument("nodeApp()", "the first argument", handler, aNodeHandler);
  checkOptions("nodeApp()", options, APP_CHECKS, "{ timeout: 30 }");
  const log = options.log ?? silentLog;
  const passesOn = isMiddleware(handler);
  return {
    status: () => statusInProcess("node"),
    handle(exchange) {
      exchange.trace?.handedOver();
      headWithin(exchange, options.timeout);
      const { req, res } = nodeObjects(exchange);
      const failed = (error: unknown) => failWithAppError(exchange, error, log);
      try {
        const next = passesOn ? nextOf(exchange, req, failed) : undefined;
        const result = handler(req, res, next as (error?: unknown) => void);
        if (result instanceof Promise) result.then((value) => refuseReturned(value, res, exchange), failed);
        else refuseReturned(result, res, exchange);
      } catch (error) {
        failed(error);
      }
    },
  };
}

/** A fetch handler with two parameters, as Deno calls it, is taken for a node handler, and would never answer. */
function refuseReturned(value: unknown, res: ServerResponse, exchange: Exchange): void {
  if (!(value instanceof Response) || res.headersSent || value.body?.locked) return;
  const why =
    "the handler (req, res) returned a Response, and did not answer; a fetch handler with more than one parameter is exported as { fetch: handler }";
  exchange.fail(new SallyportError("APP_PROTOCOL", why));
}

/** Express and connect apps take a `next` too, but without one their own final answer is better than ours. */
const isMiddleware = (handler: NodeHandler): boolean => handler.length > 2 && !("handle" in handler);

/**
 * Next.js's request handler takes a parsed URL where connect has `next`, and makes `req.url` of it when it gets anything:
 * so this is both, as nothing tells the two kinds of handler apart.
 */
function nextOf(
  exchange: Exchange,
  { url = "" }: IncomingMessage,
  failed: (error: unknown) => void,
): (error?: unknown) => void {
  const next = (error?: unknown): void => {
    if (error) return failed(error);
    exchange.fail(new SallyportError("NOT_FOUND", `the handler passed ${exchange.request.target} on`));
  };
  const [pathname = ""] = url.split("?", 1);
  return Object.assign(next, { pathname, search: url.slice(pathname.length) });
}
