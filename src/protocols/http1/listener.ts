// The listener of HTTP/1.1: serves accepted connections, or refuses them with a reason (RFC 9112).
// Tested by test/protocols/http1/endings.test.ts.

import type { Socket } from "node:net";
import type { Handler, Listener, Log, SallyportError } from "../../exchange/index.ts";
import { limitsOf } from "../../exchange/time-limits.ts";
import { HTTP_LIMITS, type HttpLimits } from "../../http/limits.ts";
import { logRefusal } from "../../http/refusals.ts";
import {
  aFlag,
  aFunction,
  type Checks,
  checkListener,
  LISTENER_CHECKS,
  listenerLimits,
  oneOf,
} from "../../options/checks.ts";
import { socketAddressesOf } from "../../sockets/addresses.ts";
import {
  type ConnectionCount,
  type ManagedConnection,
  ManagedConnections,
} from "../../sockets/connections.ts";
import { ConnectionListener } from "../../sockets/listener.ts";
import { RefusedConnections } from "../../sockets/refused.ts";
import { WebSocketClock, type WebSocketLimits } from "../../websocket/index.ts";
import { HttpConnection } from "./connection.ts";
import { refusal } from "./response-head.ts";

export interface HttpOptions {
  /** Gets every exchange. */
  handler: Handler;
  log: Log;
  limits?: Partial<HttpLimits>;
  websocket?: Partial<WebSocketLimits>;
  /** Each connection is for one request only, or for the WebSocket that it opens. */
  single?: boolean;
  /** Takes over the connections that turn out to speak HTTP/2; what they have sent is put back. */
  http2?: ((socket: Socket) => void) | undefined;
  /** "https" when the connections are decrypted ones. */
  scheme?: "http" | "https";
}

const CHECKS: Checks<HttpOptions> = {
  ...LISTENER_CHECKS,
  websocket: listenerLimits,
  single: aFlag,
  http2: aFunction,
  scheme: oneOf("http", "https"),
};

/** What the connections of one listener share. */
export interface HttpListenerContext {
  readonly handler: Handler;
  readonly log: Log;
  readonly limits: HttpLimits;
  readonly connections: ManagedConnections<ManagedConnection>;
  /** Those of its connections that became WebSockets. */
  readonly webSockets: WebSocketClock;
  readonly single: boolean;
  readonly scheme: "http" | "https";
  readonly http2: ((socket: Socket) => void) | undefined;
}

/** Serves HTTP/1.0 and HTTP/1.1 on connections made with `allowHalfOpen`; `count` is for listeners that share a limit. */
export function httpListener(options: HttpOptions, count?: ConnectionCount): Listener {
  checkListener("httpListener()", options, CHECKS);
  return new HttpListener(options, count);
}

class HttpListener extends ConnectionListener<ManagedConnection> implements HttpListenerContext {
  readonly handler: Handler;
  readonly log: Log;
  readonly limits: HttpLimits;
  readonly connections: ManagedConnections<ManagedConnection>;
  readonly webSockets: WebSocketClock;
  readonly single: boolean;
  readonly scheme: "http" | "https";
  readonly http2: ((socket: Socket) => void) | undefined;
  readonly #refused = new RefusedConnections();

  constructor(options: HttpOptions, count?: ConnectionCount) {
    const { handler, log, limits, websocket, http2, scheme, single = false } = options;
    super();
    this.handler = handler;
    this.log = log;
    this.limits = limitsOf(HTTP_LIMITS, limits);
    const { connections } = this.limits;
    const waits = waitsOf(this.limits);
    this.connections = new ManagedConnections(
      connections,
      waits,
      (socket) => new HttpConnection(socket, this),
      count,
    );
    this.webSockets = new WebSocketClock(log, websocket);
    this.single = single;
    this.http2 = http2;
    this.scheme = scheme ?? "http";
  }

  protected override refuse(socket: Socket, error: SallyportError): void {
    logRefusal(this.log, error, socketAddressesOf(socket).remote.address);
    this.#refused.end(socket, Buffer.from(refusal(error), "latin1"));
  }
}

function waitsOf(limits: HttpLimits): number[] {
  const { headTimeout, bodyTimeout, idleTimeout, sendTimeout, drainTimeout, lingerTimeout } = limits;
  return [headTimeout, bodyTimeout, idleTimeout, sendTimeout, drainTimeout, lingerTimeout];
}
