// The open WebSockets of one listener, and one timer for all their deadlines.
// Tested by test/websocket/session.test.ts.
import type { Log } from "../exchange/index.ts";
import { type Member, Members } from "../exchange/members.ts";
import { limitsOf } from "../exchange/time-limits.ts";
import type { Deflate } from "./deflate.ts";
import { WEBSOCKET_LIMITS, type WebSocketLimits } from "./limits.ts";

/** An open WebSocket, as its clock sees it. */
export interface Timed extends Member {
  /** Ends it when it has been in its state for too long. */
  checkDeadlines(now: number): void;
}

/** The library counts bytes in 32 bits; 0 would mean no limit. */
const LARGEST_MESSAGE = 2 ** 31 - 1;
/** The tick, in milliseconds: a fraction of the shortest wait, within these bounds. */
const SHORTEST_TICK = 10;
const LONGEST_TICK = 1_000;
const TICKS_A_WAIT = 4;

/** The state that the WebSockets of one listener share. */
export class WebSocketClock {
  readonly limits: WebSocketLimits;
  readonly log: Log;
  /** Accepted compression by offer, since all clients of one make send the same offer. */
  readonly agreements: Map<string, Deflate | undefined> = new Map();
  /** Milliseconds, as of the last tick: good enough for deadlines, and free. */
  now = Date.now();
  readonly #open = new Members<Timed>();
  readonly #tick: number;
  #timer: NodeJS.Timeout | undefined;

  constructor(log: Log, limits: Partial<WebSocketLimits> = {}) {
    this.log = log;
    const all = limitsOf(WEBSOCKET_LIMITS, limits);
    const message = Math.min(Math.max(1, all.message), LARGEST_MESSAGE);
    this.limits = { ...all, message };
    this.#tick = tickOf(this.limits);
  }

  get size(): number {
    return this.#open.size;
  }

  add(socket: Timed): void {
    this.#open.add(socket);
    if (this.#timer) return;
    this.now = Date.now();
    this.#timer = setInterval(() => this.#check(), this.#tick);
    // unref: open connections keep the process alive; this timer must not.
    this.#timer.unref();
  }

  delete(socket: Timed): void {
    this.#open.delete(socket);
    if (this.#open.size > 0) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  /** Deadlines are checked after the bytes that have arrived: while an application blocked the loop, none could be read. */
  #check(): void {
    const now = Date.now();
    this.now = now;
    setImmediate(() => {
      for (const socket of this.#open) socket.checkDeadlines(now);
    });
  }
}

function tickOf({ pingInterval, pingTimeout, closeTimeout, sendTimeout }: WebSocketLimits): number {
  const shortest = Math.min(pingInterval, pingTimeout, closeTimeout, sendTimeout);
  return Math.min(LONGEST_TICK, Math.max(SHORTEST_TICK, Math.floor(shortest / TICKS_A_WAIT)));
}
