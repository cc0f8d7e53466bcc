// The life of a gateway inside another server. The host starts and closes it, or leaves the start to the first request; nothing
// here listens to signals or to the host's own end.
import {
  EVENT_STREAM_GRACE,
  type Exchange,
  type Gateway,
  type Listener,
  Running,
  SallyportError,
  withInner,
} from "../exchange/index.ts";
import { type MemberOf, Members } from "../exchange/members.ts";
import { timerDelay } from "../exchange/wait.ts";

/** The methods that every handler of a mounted gateway has. */
export interface Lifecycle {
  /**
   * Makes the gateway ready, and those behind it; without it, the first request does. Rejects with the SallyportError
   * of the one that failed (its `detail` has the application's traceback), and may then be called again: what had
   * started stays ready until `close`.
   */
  start(): Promise<void>;
  /** A new generation of the application replaces the old without losing a request. Rejects, and keeps the old one. */
  reload(): Promise<void>;
  /**
   * Finishes open requests, for `grace` milliseconds at the most (default 10 s), then ends all processes. Never
   * rejects. Later requests get 503. Every handler of the same gateway closes with it.
   */
  close(grace?: number): Promise<void>;
  /** `await using handler = toNodeHandler(...)` closes at the end of the block. */
  [Symbol.asyncDispose](): Promise<void>;
}

/** idle -> starting -> ready; starting falls back to idle when it fails; closed from everywhere, for good. */
type Phase = "idle" | "starting" | "ready" | "closed";

const GRACE = 10_000;
/** Requests that may wait for the start. */
const MOST_WAITING = 1_024;
/** After a failed start, milliseconds until a request may cause the next one. */
const BACK_OFF = 1_000;

const lives = new WeakMap<Gateway, Life>();

/** One gateway has one life, however many handlers are made of it. */
export function lifeOf(gateway: Gateway): Life {
  const life = lives.get(gateway) ?? new Life(gateway);
  lives.set(gateway, life);
  return life;
}

export class Life {
  readonly #gateway: Gateway;
  readonly #running = new Running();
  #phase: Phase;
  #waiting: Exchange[] = [];
  #starting: Promise<void> | undefined;
  #closing: Promise<void> | undefined;
  #failure: SallyportError | undefined;
  readonly #listeners = new Set<Listener>();
  /** Without WebSockets, which end with their listener. */
  readonly #open = new Members<MemberOf<Exchange>>();
  #emptied: () => void = () => {};
  #failedAt = 0;

  constructor(gateway: Gateway) {
    this.#gateway = gateway;
    this.#running.own(gateway);
    this.#phase = [...withInner(gateway)].some(({ start }) => start) ? "idle" : "ready";
  }

  handle(exchange: Exchange): void {
    if (exchange.closed) return; // The client did not wait for the host.
    if (this.#phase === "closed") return exchange.fail(stopping());
    if (!exchange.handshake) this.#keep(exchange);
    if (this.#phase === "ready") this.#gateway.handle(exchange);
    else this.#wait(exchange);
  }

  #keep(exchange: Exchange): void {
    const member = { place: -1, value: exchange };
    this.#open.add(member);
    exchange.whenClosed(() => {
      this.#open.delete(member);
      if (this.#open.size === 0) this.#emptied();
    });
  }

  /** Closes `listener` before the gateway. */
  add(listener: Listener): void {
    this.#listeners.add(listener);
  }

  start(): Promise<void> {
    if (this.#phase === "closed") return Promise.reject(stopping());
    this.#starting ??= this.#start();
    return this.#starting;
  }

  async reload(): Promise<void> {
    await this.start();
    await this.#running.reload(this.#gateway);
  }

  close(grace: number = GRACE): Promise<void> {
    this.#closing ??= this.#close(timerDelay(grace));
    return this.#closing;
  }

  async #start(): Promise<void> {
    if (this.#phase === "ready") return;
    this.#phase = "starting";
    try {
      await this.#running.start(this.#gateway);
    } catch (cause) {
      throw this.#failed(SallyportError.from(cause));
    }
    if (this.#closing) throw stopping();
    this.#phase = "ready";
    for (const exchange of this.#waiting.splice(0)) if (!exchange.closed) this.#gateway.handle(exchange);
  }

  /** The first request gets the whole error, for the log; the others only that the start has failed. */
  #failed(error: SallyportError): SallyportError {
    this.#starting = undefined;
    this.#failure = error;
    this.#failedAt = Date.now();
    if (!this.#closing) this.#phase = "idle";
    const [first, ...others] = this.#waiting.splice(0);
    first?.fail(error);
    for (const exchange of others) exchange.fail(notReady(error));
    return error;
  }

  #wait(exchange: Exchange): void {
    if (this.#phase === "idle" && this.#failure && Date.now() - this.#failedAt < BACK_OFF)
      return exchange.fail(notReady(this.#failure));
    if (this.#waiting.length >= MOST_WAITING) this.#waiting = this.#waiting.filter(({ closed }) => !closed);
    if (this.#waiting.length >= MOST_WAITING) return exchange.fail(tooMany());
    this.#waiting.push(exchange);
    this.start().catch(() => {}); // The waiting exchanges get the error.
  }

  async #close(grace: number): Promise<void> {
    this.#phase = "closed";
    for (const exchange of this.#waiting.splice(0)) exchange.fail(stopping());
    // A process that is still being started could not be found, and so not be ended.
    await this.#starting?.catch(() => {});
    this.#running.leave();
    const ended = this.#endExchanges(grace);
    await this.#running.close(this.#listeners.size === 0 ? grace : await this.#closeListeners(grace));
    await ended;
  }

  /** Event streams after a moment, as in our own listeners; whatever is left at the end of `grace`. */
  async #endExchanges(grace: number): Promise<void> {
    if (this.#open.size === 0) return;
    const emptied = new Promise<void>((resolve) => {
      this.#emptied = resolve;
    });
    const endEvents = (): void => this.#each((exchange) => exchange.leave());
    const events = grace > EVENT_STREAM_GRACE ? setTimeout(endEvents, EVENT_STREAM_GRACE) : undefined;
    const cut = setTimeout(() => this.#each((exchange) => exchange.fail(outOfGrace(grace))), grace);
    await emptied;
    clearTimeout(events);
    clearTimeout(cut);
  }

  #each(act: (exchange: Exchange) => void): void {
    for (const { value } of this.#open) act(value);
  }

  /** Returns what is left of `grace`. */
  async #closeListeners(grace: number): Promise<number> {
    const begun = performance.now();
    await Promise.all([...this.#listeners].map((listener) => listener.close(grace)));
    return Math.max(0, grace - (performance.now() - begun));
  }
}

/** Adds the methods of the life-cycle to the handler. */
export function withLifecycle<F extends (...args: never[]) => unknown>(handle: F, life: Life): F & Lifecycle {
  return Object.assign(handle, {
    start: () => life.start(),
    reload: () => life.reload(),
    close: (grace?: number) => life.close(grace),
    [Symbol.asyncDispose]: () => life.close(),
  });
}

const stopping = (): SallyportError => new SallyportError("STOPPING", "the mounted gateway has been closed");

const outOfGrace = (grace: number): SallyportError =>
  new SallyportError(
    "STOPPING",
    `cut, as the mounted gateway was closed and its ${grace / 1000} s were over`,
  );

const notReady = (cause: SallyportError): SallyportError =>
  new SallyportError("NOT_READY", `the application could not be started: ${cause.message}`, { cause });

const tooMany = (): SallyportError =>
  new SallyportError("QUEUE_FULL", `${MOST_WAITING} requests are waiting for the application to start`);
