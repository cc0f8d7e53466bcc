// What the listeners of all protocols on connections have in common: connections are accepted up to a limit, counted, and
// closed in phases.
// Tested by test/sockets/connections.test.ts.
import type { Socket } from "node:net";
import type { Listener, Load, SallyportError } from "../exchange/index.ts";
import type { ManagedConnection, ManagedConnections } from "./connections.ts";

export abstract class ConnectionListener<C extends ManagedConnection> implements Listener {
  abstract readonly connections: ManagedConnections<C>;

  accept(socket: Socket): void {
    const error = this.refusal(socket);
    if (error) this.refuse(socket, error);
    else this.connections.open(socket);
  }

  load(): Load {
    return this.connections.load();
  }

  leave(): void {
    this.connections.leave();
  }

  close(grace: number): Promise<void> {
    return this.connections.close(grace);
  }

  /** Why the connection is not accepted; undefined where it is. */
  protected refusal(socket: Socket): SallyportError | undefined {
    return this.connections.refusal(socket);
  }

  /** Closes a connection, with a word about it where the protocol has one. */
  protected refuse(socket: Socket, _error: SallyportError): void {
    socket.on("error", () => {});
    socket.destroy();
  }
}
