// The inspector's memory: the last exchanges that were captured, a bounded number of bounded size. Off until somebody asks.
import { CAPTURE_DURATION, type CaptureList } from "../control/inspection.ts";
import { type Exchange, type Gateway, SallyportError } from "../exchange/index.ts";
import { CapturedExchange, type Recording } from "./captured-exchange.ts";
import { summaryOf } from "./summary.ts";

export interface CaptureLimits {
  /** Exchanges that are kept; the oldest goes first. */
  readonly exchanges: number;
  /** Bytes kept of each request body, of each response body, and of each answer of an application. */
  readonly bytes: number;
  /** Milliseconds after which capturing ends by itself: a forgotten inspector must not cost for ever. */
  readonly duration: number;
}

export const CAPTURE_LIMITS: CaptureLimits = { exchanges: 200, bytes: 65_536, duration: CAPTURE_DURATION };

export class Captures {
  readonly #limits: CaptureLimits;
  readonly #recordings: Recording[] = [];
  #lastId = 0;
  /** `performance.now()`; 0 while off. */
  #until = 0;
  readonly #forgotten: (recording: Recording) => void;

  /** `forgotten` gets every recording that is no longer kept. */
  constructor(limits: Partial<CaptureLimits> = {}, forgotten: (recording: Recording) => void = () => {}) {
    this.#limits = { ...CAPTURE_LIMITS, ...limits };
    this.#forgotten = forgotten;
  }

  /** Bytes that are kept of a response. */
  get most(): number {
    return this.#limits.bytes;
  }

  get on(): boolean {
    return this.#until > 0 && performance.now() < this.#until;
  }

  /** Begins to capture, or goes on, for so many milliseconds, within the limit; 0 ends it. */
  begin(duration: number = this.#limits.duration): void {
    this.#until = duration > 0 ? performance.now() + Math.min(duration, this.#limits.duration) : 0;
  }

  /** Captures no more; what was captured stays. */
  end(): void {
    this.#until = 0;
  }

  /** Forgets all. */
  clear(): void {
    for (const recording of this.#recordings.splice(0)) this.#forgotten(recording);
  }

  /** The exchange to give to the gateway: `exchange` itself while nothing is captured. A WebSocket is not captured. */
  captured(exchange: Exchange, app: string): Exchange {
    if (!this.on || exchange.handshake) return exchange;
    return this.capture(exchange, app);
  }

  /** Captures this one, also while that is off. */
  capture(exchange: Exchange, app: string, replayOf?: number): CapturedExchange {
    const captured = new CapturedExchange(exchange, ++this.#lastId, app, this.#limits.bytes, replayOf);
    this.#recordings.push(captured.recording);
    if (this.#recordings.length > this.#limits.exchanges)
      this.#forgotten(this.#recordings.shift() as Recording);
    return captured;
  }

  /** `gateway` with every exchange captured while that is on. */
  around(gateway: Gateway, app: string): Pick<Gateway, "handle"> {
    return { handle: (exchange) => gateway.handle(this.captured(exchange, app)) };
  }

  list(): CaptureList {
    const left = Math.max(0, this.#until - performance.now());
    return { left, recordings: this.all.map(summaryOf) };
  }

  /** The latest first. */
  get all(): readonly Recording[] {
    return this.#recordings.toReversed();
  }

  /** Throws NOT_FOUND for one that was never there, or is no more. */
  find(id: number): Recording {
    const found = this.#recordings.find((recording) => recording.id === id);
    if (found) return found;
    throw new SallyportError(
      "NOT_FOUND",
      `no exchange ${id} is kept; only the last ${this.#limits.exchanges} are`,
    );
  }
}
