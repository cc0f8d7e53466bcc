// WebSockets of node:http's servers: "upgrade" is emitted as by node itself, and what listens for it (ws, Socket.IO, a proxy) gets a
// socket to write to, whatever listener the client has come by.
import type { EventEmitter } from "node:events";
import type { Socket } from "node:net";
import { type Gateway, silentLog } from "../exchange/index.ts";
import { WrappedExchange } from "../exchange/wrapped-exchange.ts";
import { type OpeningExchange, opensWebSocket, RawWebSocket, rawRequest } from "../websocket/index.ts";
import { failWithAppError } from "./app-error.ts";
import { headWithin } from "./deadline.ts";
import { type AppOptions, exchangeSocket } from "./node.ts";
import { nodeRequest } from "./node-request.ts";

/** Members of a socket that tell about the connection; methods among them need no other `this` than the one they have. */
const FACTS = [
  "encrypted",
  "remoteAddress",
  "remotePort",
  "remoteFamily",
  "localAddress",
  "localPort",
  "localFamily",
  "address",
  "authorized",
  "authorizationError",
  "servername",
  "getProtocol",
  "getPeerCertificate",
  "getPeerX509Certificate",
] as const;

const EMPTY = Buffer.alloc(0);

/** `gateway`, but for requests that ask for a WebSocket where `server` listens for "upgrade". */
export function withUpgrades(
  gateway: Gateway,
  server: EventEmitter | undefined,
  options: AppOptions,
): Gateway {
  if (!server) return gateway;
  return {
    ...gateway,
    handle(exchange) {
      if (opensWebSocket(exchange) && server.listenerCount("upgrade") > 0) upgrade(exchange, server, options);
      else gateway.handle(exchange);
    },
  };
}

function upgrade(
  exchange: OpeningExchange,
  server: EventEmitter,
  { log = silentLog, timeout }: AppOptions,
): void {
  exchange.trace?.handedOver();
  headWithin(exchange, timeout);
  const socket = upgradeSocket(exchange);
  try {
    const seen = new WrappedExchange(exchange);
    seen.request = rawRequest(exchange.request);
    const req = nodeRequest(seen, exchangeSocket(exchange));
    Object.defineProperty(req, "socket", { value: socket, writable: true, configurable: true });
    server.emit("upgrade", req, socket as unknown as Socket, EMPTY);
  } catch (error) {
    failWithAppError(exchange, error, log);
  }
}

/** What concerns the listener's connection, and not this WebSocket, does nothing. */
function upgradeSocket(exchange: OpeningExchange): RawWebSocket {
  const facts = exchangeSocket(exchange) as unknown as Record<string, unknown>;
  const socket = new RawWebSocket(exchange);
  const same = (): RawWebSocket => socket;
  for (const name of FACTS) {
    if (!(name in facts)) continue;
    const get = (): unknown => {
      const fact = facts[name];
      return typeof fact === "function" ? fact.bind(facts) : fact;
    };
    Object.defineProperty(socket, name, { get });
  }
  return Object.assign(socket, {
    setTimeout: same,
    setNoDelay: same,
    setKeepAlive: same,
    ref: same,
    unref: same,
  });
}
