// A gateway for the "upgrade" event of a node server: WebSockets inside of Express, Fastify, Koa, Vite, bare node:http. Node has
// read the request and leaves the socket to us; our own HTTP listener serves it from there on.
import type { IncomingMessage } from "node:http";
import type { Socket } from "node:net";
import type { Duplex } from "node:stream";
import { type Exchange, type Gateway, type Listener, SallyportError } from "../exchange/index.ts";
import { isTimeLimit } from "../exchange/time-limits.ts";
import { readTarget } from "../http/target.ts";
import {
  aFlag,
  byteCount,
  type Check,
  type Checks,
  options as optionsOf,
  timeLimit,
} from "../options/checks.ts";
import { httpListener, WEBSOCKET_LIMITS, type WebSocketLimits } from "../protocols/http1/index.ts";
import { type Life, type Lifecycle, lifeOf, withLifecycle } from "./life.ts";
import { checkMount, isBelow, MOUNT_CHECKS, type MountOptions, mountSettingsOf } from "./options.ts";

export interface UpgradeMountOptions extends Pick<MountOptions, "mount" | "log"> {
  /** Bounds of the WebSockets; those of the server's configuration, in bytes and milliseconds. */
  readonly limits?: Partial<WebSocketLimits> | undefined;
}

const limitCheck = (name: string, usual: unknown): Check => {
  if (typeof usual === "boolean") return aFlag;
  return isTimeLimit(name) ? timeLimit(name) : byteCount;
};
const LIMITS = Object.entries(WEBSOCKET_LIMITS).map(
  ([name, usual]) => [name, limitCheck(name, usual)] as const,
);
const CHECKS: Checks<UpgradeMountOptions> = {
  mount: MOUNT_CHECKS.mount,
  log: MOUNT_CHECKS.log,
  limits: optionsOf(Object.fromEntries(LIMITS)),
};

type UpgradeFunction = (req: IncomingMessage, socket: Duplex, head: Uint8Array) => boolean;

/**
 * A gateway as a listener of "upgrade". False: the request is not for this gateway, and nothing was done. One below the mount
 * that asks for another protocol than WebSocket is answered like any other, and the connection then closes.
 */
export type UpgradeMount = UpgradeFunction & Lifecycle;

type Scheme = "http" | "https";

/**
 * Makes a handler of "upgrade" of a gateway that was not started yet. No router has seen these requests: `options.mount` is the
 * path that leads to the gateway. Throws CONFIG_INVALID. The host calls `close`, which also ends the WebSockets.
 */
export function toUpgradeHandler(gateway: Gateway, options: UpgradeMountOptions = {}): UpgradeMount {
  checkMount("toUpgradeHandler()", gateway, options, CHECKS);
  const life = lifeOf(gateway);
  const { prefix = "", log } = mountSettingsOf(options);
  const handler = (exchange: Exchange): void => enter(exchange, prefix, life);
  const listeners = new Map<Scheme, Listener>();
  const listenerFor = (scheme: Scheme): Listener => {
    const made =
      listeners.get(scheme) ??
      httpListener({ handler, log, scheme, single: true, websocket: options.limits ?? {} });
    listeners.set(scheme, made);
    life.add(made);
    return made;
  };
  const handle: UpgradeFunction = (req, socket, head) => {
    if (!isOurs(req, prefix)) return false;
    // A timeout that the host has set for its requests is not meant for WebSockets.
    (socket as Socket).setTimeout(0);
    socket.unshift(Buffer.concat([bytesOf(req), head]));
    listenerFor((socket as Partial<{ encrypted: boolean }>).encrypted ? "https" : "http").accept(
      socket as Socket,
    );
    return true;
  };
  return withLifecycle(handle, life);
}

/** By the path alone: an upgrade that is not understood is ignored, and the request answered (RFC 9110, 7.8), by our listener. */
function isOurs({ method, url }: IncomingMessage, prefix: string): boolean {
  try {
    return isBelow(readTarget(method ?? "GET", url ?? "").path, prefix);
  } catch {
    // Malformed: our listener refuses it.
    return prefix === "";
  }
}

/** The request as it was sent, for our own parser. */
function bytesOf({ method, url, httpVersion, rawHeaders }: IncomingMessage): Buffer {
  let text = `${method} ${url} HTTP/${httpVersion}\r\n`;
  for (let i = 0; i < rawHeaders.length; i += 2) text += `${rawHeaders[i]}: ${rawHeaders[i + 1]}\r\n`;
  return Buffer.from(`${text}\r\n`, "latin1");
}

function enter(exchange: Exchange, prefix: string, life: Life): void {
  try {
    exchange.mount = prefix;
    life.handle(exchange);
  } catch (error) {
    exchange.fail(SallyportError.from(error));
  }
}
