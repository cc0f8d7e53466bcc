// The connections of one listener: their limit, one clock for all their deadlines, and their end in phases.
import type { Socket } from "node:net";
import { EVENT_STREAM_GRACE, SallyportError } from "../exchange/index.ts";
import { type Member, Members } from "../exchange/members.ts";
import { takesReserve } from "./descriptors.ts";

/** A connection, as its listener sees it. */
export interface ManagedConnection extends Member {
  /** Ends what has lasted too long. */
  check(now: number): void;
  /** The listener leaves; for protocols that can say so before their next response. */
  leave?(): void;
  /** The listener closes: at once when idle, otherwise after what is under way. */
  stop(): void;
  /** Event streams, which never end by themselves, end now. */
  endEventStreams(): void;
  /** The grace is over. */
  forceClose(): void;
  /** The last words have had their time. */
  destroy(): void;
}

/** The clock's step is a part of the shortest wait, within these bounds. */
const SHORTEST_TICK = 10;
const LONGEST_TICK = 1_000;
const TICKS_A_WAIT = 4;
/** What the last words of a cut connection may take. */
const LAST_WORDS = 1_000;

export class ManagedConnections<C extends ManagedConnection> {
  /** Milliseconds, as of the last tick: good enough for deadlines, and free. */
  now = Date.now();
  /** True once the listener leaves or closes: connections end with their next response. */
  leaving = false;
  /** True once it closes. */
  closing = false;
  readonly #make: (socket: Socket) => C;
  readonly #most: number;
  readonly #tick: number;
  readonly #all = new Members<C>();
  #clock: NodeJS.Timeout | undefined;
  #emptied: (() => void) | undefined;
  #closed: Promise<void> | undefined;

  /** At most `most`; `waits`: the milliseconds that deadlines are made of. */
  constructor(most: number, waits: readonly number[], make: (socket: Socket) => C) {
    this.#most = most;
    this.#tick = tickOf(waits);
    this.#make = make;
  }

  get size(): number {
    return this.#all.size;
  }

  /** Why there may not be another one now, `socket` for one; undefined when there may. */
  refusal(socket?: Socket): SallyportError | undefined {
    if (this.closing) return new SallyportError("STOPPING", "the listener is closing");
    if (this.#all.size >= this.#most)
      return new SallyportError("QUEUE_FULL", "the limit of connections is reached");
    if (!socket || !takesReserve(socket)) return undefined;
    return new SallyportError("QUEUE_FULL", "the limit of open files (ulimit -n) is nearly reached");
  }

  open(socket: Socket): C {
    this.#start();
    const connection = this.#make(socket);
    this.#all.add(connection);
    return connection;
  }

  gone(connection: C): void {
    this.#all.delete(connection);
    if (this.#all.size > 0) return;
    clearInterval(this.#clock);
    this.#clock = undefined;
    this.#emptied?.();
  }

  leave(): void {
    this.leaving = true;
    this.#each((connection) => connection.leave?.());
  }

  /** As the listener's `close`. */
  close(grace: number): Promise<void> {
    this.#closed ??= this.#close(grace);
    return this.#closed;
  }

  async #close(grace: number): Promise<void> {
    this.leaving = true;
    this.closing = true;
    if (this.#all.size === 0) return;
    this.now = Date.now(); // counted from the last tick, deadlines set now would come too early
    const emptied = new Promise<void>((resolve) => {
      this.#emptied = resolve;
    });
    this.#each((connection) => connection.stop());
    const endEvents = (): void => this.#each((connection) => connection.endEventStreams());
    const events = grace > EVENT_STREAM_GRACE ? setTimeout(endEvents, EVENT_STREAM_GRACE) : undefined;
    const cut = setTimeout(() => this.#each((connection) => connection.forceClose()), grace);
    const destroy = setTimeout(() => this.#each((connection) => connection.destroy()), grace + LAST_WORDS);
    await emptied;
    clearTimeout(events);
    clearTimeout(cut);
    clearTimeout(destroy);
  }

  #each(act: (connection: C) => void): void {
    for (const connection of this.#all) act(connection);
  }

  #start(): void {
    if (this.#clock) return;
    this.now = Date.now();
    // unref: open connections keep the process alive; this timer must not.
    this.#clock = setInterval(() => this.#checkDeadlines(), this.#tick).unref();
  }

  /** Not before what has arrived is read: while an application blocked the event loop, it could not be. */
  #checkDeadlines(): void {
    const now = Date.now();
    this.now = now;
    setImmediate(() => this.#each((connection) => connection.check(now)));
  }
}

const tickOf = (waits: readonly number[]): number =>
  Math.min(LONGEST_TICK, Math.max(SHORTEST_TICK, Math.floor(Math.min(...waits) / TICKS_A_WAIT)));
