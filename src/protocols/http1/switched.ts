// A connection that has become a WebSocket's, or HTTP/2's: both keep their own deadlines, and nothing of HTTP/1.1 stays in
// memory for it but what the listener asks for.
// Tested by test/websocket/memory.test.ts.
import type { Socket } from "node:net";
import { graceOver, type ManagedConnection } from "../../sockets/connections.ts";
import type { HttpExchange } from "./exchange.ts";

export class SwitchedConnection implements ManagedConnection {
  place = -1;
  readonly #socket: Socket;
  readonly #exchange: HttpExchange | undefined;

  /** `exchange` is that of the WebSocket. */
  constructor(socket: Socket, exchange: HttpExchange | undefined) {
    this.#socket = socket;
    this.#exchange = exchange;
  }

  get inFlight(): number {
    return this.#exchange ? 1 : 0;
  }

  checkDeadlines(): void {}

  stop(): void {}

  endEventStreams(): void {}

  /** A WebSocket then closes by itself. */
  forceClose(): void {
    this.#exchange?.fail(graceOver());
  }

  destroy(): void {
    this.#socket.destroy();
  }
}
