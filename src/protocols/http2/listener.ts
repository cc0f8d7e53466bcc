// The listener of HTTP/2: takes connections over, TLS or not, and keeps one clock for the deadlines of them all (RFC 9113).
import { constants } from "node:http2";
import type { Socket } from "node:net";
import type { Handler, Listener, Log } from "../../exchange/index.ts";
import { connectionOf } from "../../sockets/connection.ts";
import { type WebSocketLimits, WebSockets } from "../websocket/index.ts";
import { Connection, type Keeper } from "./connection.ts";
import { DEFAULT_LIMITS, type Http2Limits } from "./limits.ts";

export interface Http2Options {
  /** Gets every exchange; streams of one connection run side by side. */
  handler: Handler;
  log: Log;
  limits?: Partial<Http2Limits>;
  websocket?: Partial<WebSocketLimits>;
  /** "https" when the connections are decrypted ones, and do not tell by themselves. */
  scheme?: "http" | "https";
}

/** The clock's step is a part of the shortest wait, within these bounds. */
const SHORTEST_TICK = 10;
const LONGEST_TICK = 1_000;
const TICKS_A_WAIT = 4;
/** What the last words of a cut connection may take. */
const LAST_WORDS = 1_000;

/** Serves HTTP/2, beginning with the client's preface. */
export function http2Listener(options: Http2Options): Listener {
  return new Http2Listener(options);
}

class Http2Listener implements Listener, Keeper {
  readonly handler: Handler;
  readonly log: Log;
  readonly limits: Http2Limits;
  readonly sockets: WebSockets;
  now = Date.now();
  readonly #scheme: "http" | "https" | undefined;
  readonly #connections = new Set<Connection>();
  readonly #tick: number;
  #stopping = false;
  #clock: NodeJS.Timeout | undefined;
  #emptied: (() => void) | undefined;
  #closed: Promise<void> | undefined;

  constructor({ handler, log, limits, websocket, scheme }: Http2Options) {
    this.handler = handler;
    this.log = log;
    this.limits = { ...DEFAULT_LIMITS, ...limits };
    this.sockets = new WebSockets(log, websocket);
    this.#scheme = scheme;
    this.#tick = tickOf(this.limits);
  }

  accept(socket: Socket): void {
    if (this.#stopping) return refuse(socket, constants.NGHTTP2_NO_ERROR);
    if (this.#connections.size >= this.limits.connections)
      return refuse(socket, constants.NGHTTP2_ENHANCE_YOUR_CALM);
    this.#start();
    this.#connections.add(new Connection(socket, connectionOf(socket, this.#scheme), this));
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
    this.#stopping = true;
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
    this.#each((connection) => connection.check(now));
  }
}

/** An empty SETTINGS frame, and GOAWAY with `code` before any stream (RFC 9113, 3.4, 6.8). */
function refuse(socket: Socket, code: number): void {
  const frames = Buffer.from("000000040000000000" + "000008070000000000" + "0000000000000000", "hex");
  frames.writeUInt32BE(code, frames.length - 4);
  socket.on("error", () => {});
  socket.write(frames);
  socket.destroySoon();
}

function tickOf(limits: Http2Limits): number {
  const { headTimeout, bodyTimeout, idleTimeout, sendTimeout, drainTimeout, lingerTimeout } = limits;
  const waits = [headTimeout, bodyTimeout, idleTimeout, sendTimeout, drainTimeout, lingerTimeout];
  return Math.min(LONGEST_TICK, Math.max(SHORTEST_TICK, Math.floor(Math.min(...waits) / TICKS_A_WAIT)));
}
