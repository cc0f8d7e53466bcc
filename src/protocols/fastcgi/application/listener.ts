// The application's half of FastCGI 1.0: answers web servers (nginx, Apache, lighttpd, Caddy, `cgi-fcgi`) that connect
// to us. Takes over connections; connection.ts reads and writes on each.

import type { Socket } from "node:net";
import { fromPeer, type Peer } from "../../../cgi/metavariables/peers.ts";
import { type Handler, type Listener, type Log, SallyportError } from "../../../exchange/index.ts";
import { limitsOf } from "../../../exchange/time-limits.ts";
import {
  aFlag,
  anyText,
  anything,
  type Checks,
  checkListener,
  LISTENER_CHECKS,
  texts,
} from "../../../options/checks.ts";
import { canonicalIp } from "../../../sockets/address.ts";
import { socketAddressesOf } from "../../../sockets/addresses.ts";
import { ManagedConnections } from "../../../sockets/connections.ts";
import { ConnectionListener } from "../../../sockets/listener.ts";
import { WriteCoalescer } from "../../../sockets/write-coalescing.ts";
import type { Role } from "../codec.ts";
import { FASTCGI_LIMITS, type FastcgiLimits } from "../limits.ts";
import { type FastcgiListenerContext, ServerConnection } from "./connection.ts";

export interface FastcgiListenerOptions {
  /** Gets every exchange. */
  readonly handler: Handler;
  readonly log: Log;
  readonly limits?: Partial<FastcgiLimits>;
  /** Roles of the handler; a request for another one is answered with FCGI_UNKNOWN_ROLE. Default: responder. */
  readonly roles?: readonly Role[];
  /** Whether a server may have several requests under way on one connection. Default true. */
  readonly multiplex?: boolean;
  /** Corrects variables that the server in front sends in its own way. Default: by the server's name. */
  readonly peer?: Peer;
  /**
   * IP addresses that may connect, with commas between; others may not, nor may Unix sockets (3.2).
   * Default: FCGI_WEB_SERVER_ADDRS of the environment; without it all may.
   */
  readonly webServers?: string | undefined;
}

const CHECKS: Checks<FastcgiListenerOptions> = {
  ...LISTENER_CHECKS,
  roles: texts,
  multiplex: aFlag,
  peer: anything,
  webServers: anyText,
};

/** Serves FastCGI 1.0 on connections made with `allowHalfOpen`. */
export function fastcgiListener(options: FastcgiListenerOptions): Listener {
  checkListener("fastcgiListener()", options, CHECKS);
  return new FastcgiListener(options);
}

class FastcgiListener extends ConnectionListener<ServerConnection> implements FastcgiListenerContext {
  readonly handler: Handler;
  readonly log: Log;
  readonly limits: FastcgiLimits;
  readonly roles: ReadonlySet<Role>;
  readonly multiplex: boolean;
  readonly peer: Peer;
  readonly coalescer = new WriteCoalescer();
  readonly connections: ManagedConnections<ServerConnection>;
  readonly #webServers: ReadonlySet<string> | undefined;

  constructor(options: FastcgiListenerOptions) {
    super();
    this.handler = options.handler;
    this.log = options.log;
    this.limits = limitsOf(FASTCGI_LIMITS, options.limits);
    const { connections, receiveTimeout, idleTimeout, sendTimeout, lingerTimeout } = this.limits;
    const waits = [receiveTimeout, idleTimeout, sendTimeout, lingerTimeout];
    this.connections = new ManagedConnections(
      connections,
      waits,
      (socket) => new ServerConnection(socket, this),
    );
    this.roles = new Set(options.roles ?? ["responder"]);
    this.multiplex = options.multiplex ?? true;
    this.peer = options.peer ?? fromPeer;
    this.#webServers = addressSet(options.webServers ?? process.env.FCGI_WEB_SERVER_ADDRS);
  }

  /** FastCGI has no refusal but closing the connection. */
  protected override refuse(socket: Socket, error: SallyportError): void {
    const { message, code, fault } = error;
    this.log.info(message, { code, fault });
    super.refuse(socket, error);
  }

  protected override refusal(socket: Socket): SallyportError | undefined {
    return super.refusal(socket) ?? this.#forbids(socket);
  }

  #forbids(socket: Socket): SallyportError | undefined {
    const { address, unknown } = socketAddressesOf(socket).remote;
    const remote = canonicalIp(address);
    if (!this.#webServers || (remote !== undefined && this.#webServers.has(remote))) return undefined;
    const who = remote ?? (unknown ? "a peer that has left" : "a Unix socket");
    return new SallyportError("FORBIDDEN", `a connection from ${who}, which is not in FCGI_WEB_SERVER_ADDRS`);
  }
}

function addressSet(list: string | undefined): ReadonlySet<string> | undefined {
  if (list === undefined || list === "") return undefined;
  return new Set(list.split(",").map((address) => canonicalIp(address.trim()) ?? address.trim()));
}
