// The open WebSockets of one listener, and one clock for the deadlines of them all.
import type { Log } from "../exchange/index.ts";
import { type Member, Members } from "../exchange/members.ts";
import { WEBSOCKET_LIMITS, type WebSocketLimits } from "./limits.ts";

/** What the clock looks at. */
export interface Timed extends Member {
  /** Ends what has lasted too long. */
  check(now: number): void;
}

/** The library counts bytes in 32 bits, and takes 0 for no limit. */
const LARGEST_MESSAGE = 2 ** 31 - 1;
/** The clock's step is a part of the shortest wait, within these bounds. */
const SHORTEST_TICK = 10;
const LONGEST_TICK = 1_000;
const TICKS_A_WAIT = 4;

/** What the WebSockets of one listener share. */
export class WebSocketClock {
  readonly limits: WebSocketLimits;
  readonly log: Log;
  /** Milliseconds, as of the last tick: good enough for deadlines, and free. */
  now = Date.now();
  readonly #open = new Members<Timed>();
  readonly #tick: number;
  #clock: NodeJS.Timeout | undefined;

  constructor(log: Log, limits: Partial<WebSocketLimits> = {}) {
    this.log = log;
    const all = { ...WEBSOCKET_LIMITS, ...limits };
    const message = Math.min(Math.max(1, all.message), LARGEST_MESSAGE);
    this.limits = { ...all, message, pingInterval: all.pingInterval || Number.POSITIVE_INFINITY };
    this.#tick = tickOf(this.limits);
  }

  get size(): number {
    return this.#open.size;
  }

  add(socket: Timed): void {
    this.#open.add(socket);
    if (this.#clock) return;
    this.now = Date.now();
    this.#clock = setInterval(() => this.#check(), this.#tick);
    // A connection keeps the process alive, not its clock.
    this.#clock.unref();
  }

  delete(socket: Timed): void {
    this.#open.delete(socket);
    if (this.#open.size > 0) return;
    clearInterval(this.#clock);
    this.#clock = undefined;
  }

  #check(): void {
    const now = Date.now();
    this.now = now;
    for (const socket of this.#open) socket.check(now);
  }
}

function tickOf({ pingInterval, pingTimeout, closeTimeout }: WebSocketLimits): number {
  const shortest = Math.min(pingInterval, pingTimeout, closeTimeout);
  return Math.min(LONGEST_TICK, Math.max(SHORTEST_TICK, Math.floor(shortest / TICKS_A_WAIT)));
}
