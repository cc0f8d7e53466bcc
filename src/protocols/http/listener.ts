// The listener of HTTP/1.1: takes connections over, and keeps one clock for the deadlines of them all (RFC 9112).
import type { Socket } from "node:net";
import { type Handler, type Listener, type Log, SallyportError } from "../../exchange/index.ts";
import { endsOf } from "../../sockets/ends.ts";
import { type WebSocketLimits, WebSockets } from "../websocket/index.ts";
import { Connection } from "./connection.ts";
import { DEFAULT_LIMITS, type HttpLimits } from "./limits.ts";
import { refusal } from "./response.ts";

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

/** What the connections of one listener share. */
export interface Site {
  readonly handler: Handler;
  readonly log: Log;
  readonly limits: HttpLimits;
  /** Those of its connections that became WebSockets. */
  readonly sockets: WebSockets;
  readonly single: boolean;
  readonly scheme: "http" | "https";
  readonly http2: ((socket: Socket) => void) | undefined;
  /** Milliseconds, as of the last tick: good enough for deadlines, and free. */
  now: number;
  /** True once the listener leaves or closes: responses say that their connection is not kept. */
  stopping: boolean;
  /** True once it closes: what was said to be kept is not. */
  closing: boolean;
  gone(connection: Connection): void;
}

/** The clock's step is a part of the shortest wait, within these bounds. */
const SHORTEST_TICK = 10;
const LONGEST_TICK = 1_000;
const TICKS_A_WAIT = 4;
/** What the last words of a cut connection may take. */
const LAST_WORDS = 1_000;

/** Serves HTTP/1.0 and HTTP/1.1 on connections made with `allowHalfOpen`. */
export function httpListener(options: HttpOptions): Listener {
  return new HttpListener(options);
}

class HttpListener implements Listener, Site {
  readonly handler: Handler;
  readonly log: Log;
  readonly limits: HttpLimits;
  readonly sockets: WebSockets;
  readonly single: boolean;
  readonly scheme: "http" | "https";
  readonly http2: ((socket: Socket) => void) | undefined;
  now = Date.now();
  stopping = false;
  closing = false;
  readonly #connections = new Set<Connection>();
  readonly #tick: number;
  #clock: NodeJS.Timeout | undefined;
  #emptied: (() => void) | undefined;
  #closed: Promise<void> | undefined;

  constructor({ handler, log, limits, websocket, http2, scheme, single = false }: HttpOptions) {
    this.handler = handler;
    this.log = log;
    this.limits = { ...DEFAULT_LIMITS, ...limits };
    this.sockets = new WebSockets(log, websocket);
    this.single = single;
    this.http2 = http2;
    this.scheme = scheme ?? "http";
    this.#tick = tickOf(this.limits);
  }

  accept(socket: Socket): void {
    if (this.closing) return this.#refuse(socket, new SallyportError("STOPPING", "the listener is closing"));
    if (this.#connections.size >= this.limits.connections)
      return this.#refuse(socket, new SallyportError("QUEUE_FULL", "the limit of connections is reached"));
    this.#start();
    this.#connections.add(new Connection(socket, this));
  }

  gone(connection: Connection): void {
    this.#connections.delete(connection);
    if (this.#connections.size > 0) return;
    clearInterval(this.#clock);
    this.#clock = undefined;
    this.#emptied?.();
  }

  leave(): void {
    this.stopping = true;
  }

  close(grace: number): Promise<void> {
    this.#closed ??= this.#close(grace);
    return this.#closed;
  }

  async #close(grace: number): Promise<void> {
    this.stopping = true;
    this.closing = true;
    if (this.#connections.size === 0) return;
    const emptied = new Promise<void>((resolve) => {
      this.#emptied = resolve;
    });
    for (const connection of this.#connections) connection.stop();
    const cut = setTimeout(() => this.#each((connection) => connection.cutShort()), grace);
    const destroy = setTimeout(() => this.#each((connection) => connection.destroy()), grace + LAST_WORDS);
    await emptied;
    clearTimeout(cut);
    clearTimeout(destroy);
  }

  #each(act: (connection: Connection) => void): void {
    for (const connection of this.#connections) act(connection);
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

  #start(): void {
    if (this.#clock) return;
    this.now = Date.now();
    this.#clock = setInterval(() => this.#check(), this.#tick);
    // A connection keeps the process alive, not its clock.
    this.#clock.unref();
  }

  #check(): void {
    const now = Date.now();
    this.now = now;
    for (const connection of this.#connections) if (connection.deadline <= now) connection.expire();
  }
}

function tickOf(limits: HttpLimits): number {
  const { headTimeout, bodyTimeout, idleTimeout, drainTimeout, lingerTimeout } = limits;
  const shortest = Math.min(headTimeout, bodyTimeout, idleTimeout, drainTimeout, lingerTimeout);
  return Math.min(LONGEST_TICK, Math.max(SHORTEST_TICK, Math.floor(shortest / TICKS_A_WAIT)));
}
