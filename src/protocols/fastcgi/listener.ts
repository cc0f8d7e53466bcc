// The application's half of FastCGI 1.0: answers web servers (nginx, Apache, lighttpd, Caddy, `cgi-fcgi`) that connect
// to us. Takes connections over; what is said on each of them is in connection.ts.
import type { Socket } from "node:net";
import { type Handler, type Listener, type Log, SallyportError } from "../../exchange/index.ts";
import { canonicalIp } from "../../sockets/address.ts";
import { Departures } from "../../sockets/departures.ts";
import { endsOf } from "../../sockets/ends.ts";
import { fromPeer, type Peer } from "../cgi/peers.ts";
import type { Role } from "./codec.ts";
import { Connection, type Site } from "./connection.ts";
import { DEFAULT_LIMITS, type FastcgiLimits } from "./limits.ts";

export interface FastcgiListenerOptions {
  /** Gets every exchange. */
  readonly handler: Handler;
  readonly log: Log;
  readonly limits?: Partial<FastcgiLimits>;
  /** What the handler can play; servers that ask for another role are told. Default: a responder. */
  readonly roles?: readonly Role[];
  /** Whether a server may have several requests under way on one connection. Default true. */
  readonly multiplex?: boolean;
  /** Mends what the server in front says in its own way. Default: by the server's name. */
  readonly peer?: Peer;
  /**
   * IP addresses that may connect, with commas between; from nobody else, nor over a Unix socket (3.2).
   * Default: FCGI_WEB_SERVER_ADDRS of the environment; without it everybody may.
   */
  readonly webServers?: string | undefined;
}

const SHORTEST_TICK = 10;
const LONGEST_TICK = 1_000;
const TICKS_A_WAIT = 4;

/** Serves FastCGI 1.0 on connections made with `allowHalfOpen`. */
export function fastcgiListener(options: FastcgiListenerOptions): Listener {
  return new FastcgiListener(options);
}

class FastcgiListener implements Listener, Site {
  readonly handler: Handler;
  readonly log: Log;
  readonly limits: FastcgiLimits;
  readonly roles: ReadonlySet<Role>;
  readonly multiplex: boolean;
  readonly peer: Peer;
  readonly departures = new Departures();
  now = Date.now();
  stopping = false;
  readonly #webServers: ReadonlySet<string> | undefined;
  readonly #connections = new Set<Connection>();
  #clock: NodeJS.Timeout | undefined;
  #emptied: (() => void) | undefined;
  #closed: Promise<void> | undefined;

  constructor(options: FastcgiListenerOptions) {
    this.handler = options.handler;
    this.log = options.log;
    this.limits = { ...DEFAULT_LIMITS, ...options.limits };
    this.roles = new Set(options.roles ?? ["responder"]);
    this.multiplex = options.multiplex ?? true;
    this.peer = options.peer ?? fromPeer;
    this.#webServers = addressSet(options.webServers ?? process.env.FCGI_WEB_SERVER_ADDRS);
  }

  accept(socket: Socket): void {
    const refusal = this.#refusal(socket);
    if (refusal) {
      this.log.info(refusal.message, { code: refusal.code, fault: refusal.fault });
      socket.on("error", () => {});
      socket.destroy();
      return;
    }
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

  close(grace: number): Promise<void> {
    this.#closed ??= this.#close(grace);
    return this.#closed;
  }

  async #close(grace: number): Promise<void> {
    this.stopping = true;
    if (this.#connections.size === 0) return;
    const emptied = new Promise<void>((resolve) => {
      this.#emptied = resolve;
    });
    for (const connection of this.#connections) connection.stop();
    const cut = setTimeout(() => {
      for (const connection of this.#connections) connection.cutShort();
    }, grace);
    await emptied;
    clearTimeout(cut);
  }

  /** There is no way to say no in FastCGI but to close the connection. */
  #refusal(socket: Socket): SallyportError | undefined {
    if (this.stopping) return new SallyportError("STOPPING", "the listener is closing");
    if (this.#connections.size >= this.limits.connections)
      return new SallyportError("QUEUE_FULL", "the limit of connections is reached");
    const remote = canonicalIp(endsOf(socket).remote.address);
    if (!this.#webServers || (remote !== undefined && this.#webServers.has(remote))) return undefined;
    const who = remote ?? "a Unix socket";
    return new SallyportError("FORBIDDEN", `a connection from ${who}, which is not in FCGI_WEB_SERVER_ADDRS`);
  }

  #start(): void {
    if (this.#clock) return;
    this.now = Date.now();
    this.#clock = setInterval(() => this.#check(), tickOf(this.limits)).unref();
  }

  #check(): void {
    this.now = Date.now();
    for (const connection of this.#connections) if (connection.deadline <= this.now) connection.expire();
  }
}

function addressSet(list: string | undefined): ReadonlySet<string> | undefined {
  if (list === undefined || list === "") return undefined;
  return new Set(list.split(",").map((address) => canonicalIp(address.trim()) ?? address.trim()));
}

function tickOf({ receiveTimeout, idleTimeout, lingerTimeout }: FastcgiLimits): number {
  const shortest = Math.min(receiveTimeout, idleTimeout, lingerTimeout);
  return Math.min(LONGEST_TICK, Math.max(SHORTEST_TICK, Math.floor(shortest / TICKS_A_WAIT)));
}
