// The connections of one listener: up to a limit, with one timer for all their deadlines, and closed in phases.
import type { Socket } from "node:net";
import { EVENT_STREAM_GRACE, type Load, SallyportError } from "../exchange/index.ts";
import { type Member, Members } from "../exchange/members.ts";
import { timerDelay } from "../exchange/wait.ts";
import { takesReserve } from "./descriptors.ts";

/** A connection as its listener sees it. */
export interface ManagedConnection extends Member {
  /** Requests under way on it. */
  readonly inFlight: number;
  /** Ends it when one of its deadlines has passed. */
  checkDeadlines(now: number): void;
  /** The listener leaves; for protocols that can announce it before their next response. */
  leave?(): void;
  /** The listener closes: ends it at once when idle, otherwise after the exchange under way. */
  stop(): void;
  /** Ends event streams, which would never end by themselves. */
  endEventStreams(): void;
  /** The grace period is over. */
  forceClose(): void;
  /** Ends it now, whatever is left to send. */
  destroy(): void;
}

/** The error of an exchange that the grace was too short for. */
export const graceOver = (): SallyportError =>
  new SallyportError("STOPPING", "the server stopped before the response was complete");

/** The tick, in milliseconds: a fraction of the shortest wait, within these bounds. */
const SHORTEST_TICK = 10;
const LONGEST_TICK = 1_000;
const TICKS_A_WAIT = 4;
/** For a cut connection to send its last bytes, in milliseconds. */
const LAST_WORDS = 1_000;

/** How many connections there are; listeners that share a limit share it. */
export class ConnectionCount {
  value = 0;
}

export class ManagedConnections<C extends ManagedConnection> {
  /** Milliseconds, as of the last tick: good enough for deadlines, and free. */
  now = Date.now();
  /** True once the listener leaves or closes: connections end with their next response. */
  leaving = false;
  /** True once it closes. */
  closing = false;
  readonly #make: (socket: Socket) => C;
  readonly #most: number;
  readonly #count: ConnectionCount;
  readonly #tick: number;
  readonly #all = new Members<C>();
  /** Another listener serves and counts them; this one ends them if that one does not. */
  readonly #handedOn = new Members<C>();
  #timer: NodeJS.Timeout | undefined;
  /** Requests that were broken off at the end of the grace. */
  #cut = 0;
  #emptied: (() => void) | undefined;
  #closed: Promise<void> | undefined;

  /** At most `most` connections in `count`; `waits`: the timeouts of their deadlines, in milliseconds. */
  constructor(
    most: number,
    waits: readonly number[],
    make: (socket: Socket) => C,
    count: ConnectionCount = new ConnectionCount(),
  ) {
    this.#most = most;
    this.#count = count;
    this.#tick = tickOf(waits);
    this.#make = make;
  }

  get size(): number {
    return this.#all.size;
  }

  /** How many there are, and the requests under way on all of them; counted when it is asked. */
  load(): Load {
    let inFlight = 0;
    this.#each((connection) => {
      inFlight += connection.inFlight;
    });
    return { connections: this.#all.size, inFlight, ...(this.#cut > 0 ? { cut: this.#cut } : {}) };
  }

  /** Why another connection, such as `socket`, is refused now; undefined when it is not. */
  refusal(socket?: Socket): SallyportError | undefined {
    if (this.closing) return new SallyportError("STOPPING", "the listener is closing");
    if (this.#count.value >= this.#most)
      return new SallyportError("QUEUE_FULL", "the limit of connections is reached");
    if (!socket || !takesReserve(socket)) return undefined;
    return new SallyportError("QUEUE_FULL", "the limit of open files (ulimit -n) is nearly reached");
  }

  open(socket: Socket): C {
    this.#start();
    const connection = this.#make(socket);
    this.#all.add(connection);
    this.#count.value++;
    return connection;
  }

  gone(connection: C): void {
    this.#forget(connection);
    if (this.#all.size + this.#handedOn.size > 0) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
    this.#emptied?.();
  }

  /** Another protocol has the socket of `connection` now: `next` stands for it. */
  replace(connection: C, next: C): void {
    this.#all.add(next);
    this.#all.delete(connection);
  }

  /** Another listener has the socket of `connection` now: `next` stands for it until it closes. */
  handOn(connection: C, next: C): void {
    this.#handedOn.add(next);
    this.#forget(connection);
  }

  leave(): void {
    this.leaving = true;
    this.#each((connection) => connection.leave?.());
  }

  /** As `close` of a listener. */
  close(grace: number): Promise<void> {
    this.#closed ??= this.#close(grace);
    return this.#closed;
  }

  async #close(grace: number): Promise<void> {
    this.leaving = true;
    this.closing = true;
    if (this.#all.size + this.#handedOn.size === 0) return;
    this.now = Date.now(); // deadlines set now must not be too early
    const emptied = new Promise<void>((resolve) => {
      this.#emptied = resolve;
    });
    this.#each((connection) => connection.stop());
    const endEvents = (): void => this.#each((connection) => connection.endEventStreams());
    const events = grace > EVENT_STREAM_GRACE ? setTimeout(endEvents, EVENT_STREAM_GRACE) : undefined;
    const cut = setTimeout(() => this.#cutAll(), timerDelay(grace));
    const destroy = setTimeout(
      () => this.#each((connection) => connection.destroy()),
      timerDelay(grace + LAST_WORDS),
    );
    await emptied;
    clearTimeout(events);
    clearTimeout(cut);
    clearTimeout(destroy);
  }

  #cutAll(): void {
    this.#cut = this.load().inFlight;
    this.#each((connection) => connection.forceClose());
  }

  #forget(connection: C): void {
    if (this.#all.delete(connection)) this.#count.value--;
    else this.#handedOn.delete(connection);
  }

  #each(act: (connection: C) => void): void {
    for (const connection of this.#all) act(connection);
    for (const connection of this.#handedOn) act(connection);
  }

  #start(): void {
    if (this.#timer) return;
    this.now = Date.now();
    // unref: open connections keep the process alive; this timer must not.
    this.#timer = setInterval(() => this.#onTick(), this.#tick).unref();
  }

  /** Deadlines are checked after the bytes that have arrived: while an application blocked the loop, none could be read. */
  #onTick(): void {
    const now = Date.now();
    this.now = now;
    setImmediate(() => this.#each((connection) => connection.checkDeadlines(now)));
  }
}

const tickOf = (waits: readonly number[]): number =>
  Math.min(LONGEST_TICK, Math.max(SHORTEST_TICK, Math.floor(Math.min(...waits) / TICKS_A_WAIT)));
