// The application's half of "CGI over a socket": takes connections over, one request each. SCGI and uwsgi say how
// variables are read and heads are written.
import type { Socket } from "node:net";
import { type Handler, type Listener, type Log, SallyportError } from "../../../exchange/index.ts";
import type { Compose } from "../exchange.ts";
import { Connection, type Site } from "./connection.ts";
import type { VariablesReader } from "./incoming.ts";
import { DEFAULT_LIMITS, type SocketLimits } from "./limits.ts";

export interface SocketListenerOptions {
  /** Gets every exchange. */
  readonly handler: Handler;
  readonly log: Log;
  readonly limits?: Partial<SocketLimits> | undefined;
}

/** What a protocol supplies. */
export interface ListenerHalf {
  newReader(limits: SocketLimits): VariablesReader;
  readonly compose: Compose;
}

/** What the last words of a cut connection may take. */
const LAST_WORDS = 1_000;

export class SocketListener implements Listener, Site {
  readonly handler: Handler;
  readonly log: Log;
  readonly limits: SocketLimits;
  readonly compose: Compose;
  readonly #half: ListenerHalf;
  readonly #connections = new Set<Connection>();
  #emptied: (() => void) | undefined;
  #closed: Promise<void> | undefined;

  constructor(half: ListenerHalf, { handler, log, limits }: SocketListenerOptions) {
    this.handler = handler;
    this.log = log;
    this.limits = { ...DEFAULT_LIMITS, ...limits };
    this.compose = half.compose;
    this.#half = half;
  }

  accept(socket: Socket): void {
    const { size } = this.#connections;
    const full = size >= this.limits.connections;
    // A refusal lingers too; a flood of them must not.
    if (size >= this.limits.connections * 2) return void socket.destroy();
    const connection = new Connection(socket, this);
    this.#connections.add(connection);
    if (this.#closed) connection.refuse(new SallyportError("STOPPING", "the listener is closing"));
    else if (full) connection.refuse(new SallyportError("QUEUE_FULL", "the limit of connections is reached"));
  }

  newReader(): VariablesReader {
    return this.#half.newReader(this.limits);
  }

  gone(connection: Connection): void {
    this.#connections.delete(connection);
    if (this.#connections.size === 0) this.#emptied?.();
  }

  close(grace: number): Promise<void> {
    this.#closed ??= this.#close(grace);
    return this.#closed;
  }

  async #close(grace: number): Promise<void> {
    if (this.#connections.size === 0) return;
    const emptied = new Promise<void>((resolve) => {
      this.#emptied = resolve;
    });
    this.#each((connection) => connection.stop());
    const cut = setTimeout(() => this.#each((connection) => connection.cutShort()), grace);
    const destroy = setTimeout(() => this.#each((connection) => connection.destroy()), grace + LAST_WORDS);
    await emptied;
    clearTimeout(cut);
    clearTimeout(destroy);
  }

  #each(act: (connection: Connection) => void): void {
    for (const connection of this.#connections) act(connection);
  }
}
