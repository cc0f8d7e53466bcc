// The application's half of "CGI over a socket": takes over connections, one request each. SCGI and uwsgi supply the
// reader of variables and the writer of heads.
import type { Socket } from "node:net";
import type { Handler, Log } from "../../exchange/index.ts";
import { limitsOf } from "../../exchange/time-limits.ts";
import { ManagedConnections } from "../../sockets/connections.ts";
import { takesReserve } from "../../sockets/descriptors.ts";
import { ConnectionListener } from "../../sockets/listener.ts";
import type { Compose } from "../exchange.ts";
import { SocketConnection, type SocketListenerContext } from "./connection.ts";
import type { VariablesReader } from "./incoming.ts";
import { SOCKET_LIMITS, type SocketLimits } from "./limits.ts";

export interface SocketListenerOptions {
  /** Gets every exchange. */
  readonly handler: Handler;
  readonly log: Log;
  readonly limits?: Partial<SocketLimits> | undefined;
}

/** Supplied by the protocol. */
export interface ListenerHalf {
  newReader(limits: SocketLimits): VariablesReader;
  readonly compose: Compose;
}

export class SocketListener extends ConnectionListener<SocketConnection> implements SocketListenerContext {
  readonly handler: Handler;
  readonly log: Log;
  readonly limits: SocketLimits;
  readonly compose: Compose;
  readonly connections: ManagedConnections<SocketConnection>;
  readonly #half: ListenerHalf;

  constructor(half: ListenerHalf, { handler, log, limits }: SocketListenerOptions) {
    super();
    this.handler = handler;
    this.log = log;
    this.limits = limitsOf(SOCKET_LIMITS, limits);
    this.compose = half.compose;
    this.#half = half;
    const { connections } = this.limits;
    const waits = waitsOf(this.limits);
    this.connections = new ManagedConnections(
      connections,
      waits,
      (socket) => new SocketConnection(socket, this),
    );
  }

  override accept(socket: Socket): void {
    const error = this.connections.refusal();
    // A refused connection lingers too; a flood of them must not, nor one that has the last descriptors.
    const flood = this.connections.size >= this.limits.connections * 2;
    if (flood || takesReserve(socket)) return void socket.destroy();
    const connection = this.connections.open(socket);
    if (error) connection.refuse(error);
  }

  newReader(): VariablesReader {
    return this.#half.newReader(this.limits);
  }
}

function waitsOf(limits: SocketLimits): number[] {
  const { headTimeout, bodyTimeout, sendTimeout, halfClosed, lingerTimeout, cutTimeout } = limits;
  return [headTimeout, bodyTimeout, sendTimeout, halfClosed, lingerTimeout, cutTimeout];
}
