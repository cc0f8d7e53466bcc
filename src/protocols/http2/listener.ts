// The listener of HTTP/2: serves accepted connections, with TLS or without, or refuses them with a reason (RFC 9113).
// Tested by test/protocols/http2/endings.test.ts.

import { constants } from "node:http2";
import type { Socket } from "node:net";
import type { Handler, Listener, Log, SallyportError } from "../../exchange/index.ts";
import { limitsOf } from "../../exchange/time-limits.ts";
import { logRefusal } from "../../http/refusals.ts";
import { type Checks, checkListener, LISTENER_CHECKS, listenerLimits, oneOf } from "../../options/checks.ts";
import { socketAddressesOf } from "../../sockets/addresses.ts";
import { connectionFactsOf } from "../../sockets/connection.ts";
import { type ConnectionCount, ManagedConnections } from "../../sockets/connections.ts";
import { ConnectionListener } from "../../sockets/listener.ts";
import { RefusedConnections } from "../../sockets/refused.ts";
import { WebSocketClock, type WebSocketLimits } from "../../websocket/index.ts";
import { Http2Connection } from "./connection.ts";
import { HTTP2_LIMITS, type Http2Limits } from "./limits.ts";

const { NGHTTP2_NO_ERROR, NGHTTP2_ENHANCE_YOUR_CALM } = constants;

export interface Http2Options {
  /** Gets every exchange; streams of one connection run side by side. */
  handler: Handler;
  log: Log;
  limits?: Partial<Http2Limits>;
  websocket?: Partial<WebSocketLimits>;
  /** "https" when a proxy in front has taken TLS off. A connection with TLS is "https" in any case. */
  scheme?: "http" | "https";
}

const CHECKS: Checks<Http2Options> = {
  ...LISTENER_CHECKS,
  websocket: listenerLimits,
  scheme: oneOf("http", "https"),
};

/** What the connections of one listener share. */
export interface Http2ListenerContext {
  readonly handler: Handler;
  readonly log: Log;
  readonly limits: Http2Limits;
  readonly connections: ManagedConnections<Http2Connection>;
  /** Those of its streams that became WebSockets. */
  readonly webSockets: WebSocketClock;
}

/** Serves HTTP/2, beginning with the client's preface; `count` is for listeners that share a limit. */
export function http2Listener(options: Http2Options, count?: ConnectionCount): Listener {
  checkListener("http2Listener()", options, CHECKS);
  return new Http2Listener(options, count);
}

class Http2Listener extends ConnectionListener<Http2Connection> implements Http2ListenerContext {
  readonly handler: Handler;
  readonly log: Log;
  readonly limits: Http2Limits;
  readonly webSockets: WebSocketClock;
  readonly connections: ManagedConnections<Http2Connection>;
  readonly #refused = new RefusedConnections();

  constructor({ handler, log, limits, websocket, scheme }: Http2Options, count?: ConnectionCount) {
    super();
    this.handler = handler;
    this.log = log;
    this.limits = limitsOf(HTTP2_LIMITS, limits);
    this.webSockets = new WebSocketClock(log, websocket);
    const make = (socket: Socket): Http2Connection =>
      new Http2Connection(socket, connectionFactsOf(socket, scheme), this);
    this.connections = new ManagedConnections(this.limits.connections, waitsOf(this.limits), make, count);
  }

  protected override refuse(socket: Socket, error: SallyportError): void {
    logRefusal(this.log, error, socketAddressesOf(socket).remote.address);
    const code = this.connections.closing ? NGHTTP2_NO_ERROR : NGHTTP2_ENHANCE_YOUR_CALM;
    this.#refused.end(socket, goAway(code));
  }
}

/** An empty SETTINGS frame, and GOAWAY with `code` before any stream (RFC 9113, 3.4, 6.8). */
function goAway(code: number): Buffer {
  const frames = Buffer.from("000000040000000000" + "000008070000000000" + "0000000000000000", "hex");
  frames.writeUInt32BE(code, frames.length - 4);
  return frames;
}

function waitsOf(limits: Http2Limits): number[] {
  const { headTimeout, bodyTimeout, idleTimeout, sendTimeout, drainTimeout, lingerTimeout } = limits;
  return [headTimeout, bodyTimeout, idleTimeout, sendTimeout, drainTimeout, lingerTimeout];
}
