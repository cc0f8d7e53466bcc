// The listener of HTTP/1.1: takes connections over, or says why not (RFC 9112).

import type { Socket } from "node:net";
import type { Handler, Listener, Log, SallyportError } from "../../exchange/index.ts";
import { DEFAULT_LIMITS, type HttpLimits } from "../../http/limits.ts";
import {
  aFlag,
  aFunction,
  anObject,
  type Checks,
  checkListener,
  LISTENER_CHECKS,
  oneOf,
} from "../../options/checks.ts";
import { endsOf } from "../../sockets/addresses.ts";
import { Connections } from "../../sockets/connections.ts";
import { type WebSocketLimits, WebSockets } from "../../websocket/index.ts";
import { Connection } from "./connection.ts";
import { refusal } from "./response-head.ts";

export interface HttpOptions {
  /** Gets every exchange. */
  handler: Handler;
  log: Log;
  limits?: Partial<HttpLimits>;
  websocket?: Partial<WebSocketLimits>;
  /** Connections are not ours to keep: each is for one request, or for the WebSocket that it opens. */
  single?: boolean;
  /** Takes over the connections that turn out to speak HTTP/2; nothing that they have said is lost. */
  http2?: ((socket: Socket) => void) | undefined;
  /** "https" when the connections are decrypted ones. */
  scheme?: "http" | "https";
}

const CHECKS: Checks<HttpOptions> = {
  ...LISTENER_CHECKS,
  websocket: anObject,
  single: aFlag,
  http2: aFunction,
  scheme: oneOf("http", "https"),
};

/** What the connections of one listener share. */
export interface Site {
  readonly handler: Handler;
  readonly log: Log;
  readonly limits: HttpLimits;
  readonly connections: Connections<Connection>;
  /** Those of its connections that became WebSockets. */
  readonly sockets: WebSockets;
  readonly single: boolean;
  readonly scheme: "http" | "https";
  readonly http2: ((socket: Socket) => void) | undefined;
}

/** Serves HTTP/1.0 and HTTP/1.1 on connections made with `allowHalfOpen`. */
export function httpListener(options: HttpOptions): Listener {
  checkListener("httpListener()", options, CHECKS);
  return new HttpListener(options);
}

class HttpListener implements Listener, Site {
  readonly handler: Handler;
  readonly log: Log;
  readonly limits: HttpLimits;
  readonly connections: Connections<Connection>;
  readonly sockets: WebSockets;
  readonly single: boolean;
  readonly scheme: "http" | "https";
  readonly http2: ((socket: Socket) => void) | undefined;

  constructor({ handler, log, limits, websocket, http2, scheme, single = false }: HttpOptions) {
    this.handler = handler;
    this.log = log;
    this.limits = { ...DEFAULT_LIMITS, ...limits };
    const { connections } = this.limits;
    const waits = waitsOf(this.limits);
    this.connections = new Connections(connections, waits, (socket) => new Connection(socket, this));
    this.sockets = new WebSockets(log, websocket);
    this.single = single;
    this.http2 = http2;
    this.scheme = scheme ?? "http";
  }

  accept(socket: Socket): void {
    const error = this.connections.refusal(socket);
    if (error) this.#refuse(socket, error);
    else this.connections.open(socket);
  }

  leave(): void {
    this.connections.leave();
  }

  close(grace: number): Promise<void> {
    return this.connections.close(grace);
  }

  #refuse(socket: Socket, error: SallyportError): void {
    this.log.info(error.message, {
      code: error.code,
      fault: error.fault,
      remote: endsOf(socket).remote.address,
    });
    socket.on("error", () => {});
    socket.write(refusal(error), "latin1");
    socket.destroySoon();
  }
}

function waitsOf(limits: HttpLimits): number[] {
  const { headTimeout, bodyTimeout, idleTimeout, drainTimeout, lingerTimeout } = limits;
  return [headTimeout, bodyTimeout, idleTimeout, drainTimeout, lingerTimeout];
}
