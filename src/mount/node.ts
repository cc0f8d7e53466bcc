// A gateway as a node handler, for all hosts that call `(req, res, next)`: node:http, node:http2, Express, Connect and Vite,
// Fastify's middie, Koa's bare request.
import type { ServerResponse } from "node:http";
import type { Http2ServerResponse } from "node:http2";
import { errorHead, errorText, type Gateway, type Log, SallyportError } from "../exchange/index.ts";
import { aFlag, type Checks } from "../options/checks.ts";
import { type Lifecycle, lifeOf, withLifecycle } from "./life.ts";
import { nodeBody } from "./node-body.ts";
import { type NodeCall, NodeExchange } from "./node-exchange.ts";
import { type NodeRequest, readNodeHead } from "./node-head.ts";
import { cut, type NodeResponse, writeHead } from "./node-response.ts";
import {
  checkMount,
  MOUNT_CHECKS,
  type MountOptions,
  type MountSettings,
  mountSettingsOf,
} from "./options.ts";
import { logMountRefusal, outsideOfMount } from "./refusals.ts";

export interface NodeMountOptions extends MountOptions {
  /**
   * A request without a body whose answer would be 404 goes to the host's next handler instead. Default false. Requests outside
   * of `mount` always go there.
   */
  readonly fallthrough?: boolean | undefined;
}

const CHECKS: Checks<NodeMountOptions> = { ...MOUNT_CHECKS, fallthrough: aFlag };

type NodeFunction = (
  req: NodeRequest,
  res: ServerResponse | Http2ServerResponse,
  next?: (error?: unknown) => void,
) => void;

/** A gateway as a node handler. */
export type NodeMount = NodeFunction & Lifecycle;

/**
 * Makes a handler of a gateway that was not started yet. The mount is what the host's router stripped from the path, or
 * `options.mount`. Throws CONFIG_INVALID. No signal handlers are installed: the host calls `close`.
 */
export function toNodeHandler(gateway: Gateway, options: NodeMountOptions = {}): NodeMount {
  checkMount("toNodeHandler()", gateway, options, CHECKS);
  const settings = mountSettingsOf(options);
  const life = lifeOf(gateway);
  const handle: NodeFunction = (req, res, next) => {
    const call = { req, res, next: options.fallthrough ? next : undefined };
    const received = receive(call, settings);
    if (received instanceof SallyportError) refuse(res as NodeResponse, received, settings.log);
    else if (received) life.handle(received);
    else if (next) next();
    else refuse(res as NodeResponse, outsideOfMount(req.url), settings.log);
  };
  return withLifecycle(handle, life);
}

/** The exchange; an error, for a malformed request; or undefined, when it is not below the mount. */
function receive(call: NodeCall, settings: MountSettings): NodeExchange | SallyportError | undefined {
  try {
    const head = readNodeHead(call.req, settings.prefix);
    return head && new NodeExchange(call, head, nodeBody(call.req, head.length, settings.maxBody), settings);
  } catch (error) {
    return SallyportError.from(error);
  }
}

function refuse(res: NodeResponse, error: SallyportError, log: Log): void {
  logMountRefusal(log, error);
  if (res.headersSent) return cut(res);
  const head = errorHead(error);
  writeHead(res, head, head.headers);
  res.end(errorText(error));
}
