// WebSockets of node:http's servers: "upgrade" is emitted as by node itself, and what listens for it (ws, Socket.IO, a proxy) gets a
// socket to write to, whatever listener the client has come by.
import type { EventEmitter } from "node:events";
import type { Socket } from "node:net";
import { type Exchange, type Gateway, type Headers, header, silentLog } from "../exchange/index.ts";
import { WrappedExchange } from "../exchange/wrapped-exchange.ts";
import { type OpeningExchange, RawWebSocket } from "../websocket/index.ts";
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

const opensWebSocket = (exchange: Exchange): exchange is OpeningExchange => exchange.handshake !== undefined;

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
    seen.request = { ...exchange.request, version: "1.1", headers: openingFields(exchange.request.headers) };
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

/**
 * As HTTP/1.1 has them (RFC 6455, 4.1), also of an extended CONNECT (RFC 8441), which has no key. Compression is the listener's:
 * none is offered to the application.
 */
function openingFields(sent: Headers): string[] {
  const fields: string[] = [];
  for (let i = 0; i < sent.length; i += 2) {
    const name = sent[i] as string;
    if (name.toLowerCase() !== "sec-websocket-extensions") fields.push(name, sent[i + 1] as string);
  }
  if (header(sent, "sec-websocket-key") === undefined)
    fields.push("Connection", "Upgrade", "Upgrade", "websocket", "Sec-WebSocket-Key", ANY_KEY);
  return fields;
}

/** 16 bytes in base64: the library wants a key, and its answer to it is for nobody. */
const ANY_KEY = "AAAAAAAAAAAAAAAAAAAAAA==";
