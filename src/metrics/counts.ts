// What one server process counts for the metrics: requests, durations, connections. It exists only where something reads it
// (an admin listener); a request then costs a trace, a callback and a few additions.
import type { Socket } from "node:net";
import { type Exchange, type GatewayStatus, type Outcome, phasesOf, Trace } from "../exchange/index.ts";
import { OpenExchanges } from "./open-exchanges.ts";
import {
  ACCEPTED,
  APP_SLOTS,
  BODY_BYTES,
  DURATION,
  faultSlot,
  HISTOGRAM,
  LAG,
  observe,
  PHASE,
  protocolAt,
  RECEIVED,
  RESTARTS,
  requestSlot,
  SENT,
  SERVER_SLOTS,
} from "./slots.ts";
import type { Snapshot } from "./snapshot.ts";

/** The app of requests that reached none: no route, a refused header of a proxy. */
export const NO_APP = "-";
/** Names of apps that are counted apart; reloads may bring ever new ones. Those beyond are counted as `NO_APP`. */
const MOST_APPS = 1_000;
/** Milliseconds between two measurements of the event loop. */
const LAG_INTERVAL = 100;

/** Gives an exchange to its app, and returns the app's name; undefined when there is none. */
type Admit = (exchange: Exchange) => string | undefined;

const HTTP = ["1.0", "1.1", "2"].map((version) => [version, protocolAt(`http/${version}`)] as const);
const HTTP_AT = new Map<string, number>(HTTP);
const WEBSOCKET = protocolAt("websocket");
const OTHER = protocolAt("other");

export class Counts {
  readonly #apps = new Map<string, AppCounts>();
  readonly #server = new Float64Array(SERVER_SLOTS);
  readonly #sockets = new Set<Socket>();
  readonly #timer: NodeJS.Timeout;

  constructor() {
    this.#timer = measureLag(this.#server);
  }

  /** `admit` for the exchanges of listeners of `protocol`, which counts each of them. */
  counting(admit: Admit, protocol: string): Admit {
    const known = protocol === "http" ? undefined : protocolAt(protocol);
    return (exchange) => {
      const trace = new CountedTrace(exchange, known, this.#countsOf);
      exchange.trace = trace;
      const app = admit(exchange);
      this.#appCounts(exchange.facts?.app ?? app ?? NO_APP).begun(trace);
      return app;
    };
  }

  /** Counts an accepted connection, and its bytes up to its end. */
  connection(socket: Socket): void {
    add(this.#server, ACCEPTED, 1);
    this.#sockets.add(socket);
    socket.once("close", () => {
      this.#sockets.delete(socket);
      addBytes(this.#server, socket);
    });
  }

  /** All counts so far; `apps` say how often their processes were started again. */
  snapshot(apps: Iterable<readonly [string, GatewayStatus]> = []): Snapshot {
    for (const [name, { restarts }] of apps) this.#appCounts(name).restarted(restarts);
    const server = this.#server.slice();
    for (const socket of this.#sockets) addBytes(server, socket);
    const counted = [...this.#apps];
    return {
      server: [...server],
      apps: Object.fromEntries(counted.map(([name, { slots }]) => [name, [...slots]])),
      connections: this.#sockets.size,
      inFlight: Object.fromEntries(counted.map(([name, { open }]) => [name, open.size])),
    };
  }

  /** The requests under way of each app. */
  *open(): Generator<readonly [app: string, exchanges: OpenExchanges]> {
    for (const [name, { open }] of this.#apps) yield [name, open];
  }

  close(): void {
    clearInterval(this.#timer);
  }

  readonly #countsOf = (name: string): AppCounts => this.#appCounts(name);

  #appCounts(name: string): AppCounts {
    return this.#apps.get(name) ?? this.#newApp(name);
  }

  #newApp(name: string): AppCounts {
    if (this.#apps.size >= MOST_APPS && name !== NO_APP) return this.#appCounts(NO_APP);
    const counts = new AppCounts();
    this.#apps.set(name, counts);
    return counts;
  }
}

type CountsOf = (app: string) => AppCounts;

/** Has its exchange counted when it ends, which may be before it is known whose it is. */
class CountedTrace extends Trace {
  readonly exchange: Exchange;
  /** Undefined for HTTP, whose requests say which version it is. */
  readonly protocol: number | undefined;
  /** Of the app that has it. */
  counts: AppCounts | undefined = undefined;
  /** Among the exchanges under way. */
  place = 0;
  outcome: Outcome | undefined = undefined;
  readonly #countsOf: CountsOf;

  /** What has followed the exchange before is told no more. */
  constructor(exchange: Exchange, protocol: number | undefined, countsOf: CountsOf) {
    super();
    this.exchange = exchange;
    this.protocol = protocol;
    this.#countsOf = countsOf;
  }

  /** Within the admission nobody has it yet. */
  override passedOn(app: string): void {
    if (!this.counts || this.outcome) return;
    this.counts.left(this);
    this.#countsOf(app).begun(this);
  }

  override ended(outcome: Outcome): void {
    super.ended(outcome);
    this.outcome = outcome;
    this.counts?.ended(this, outcome);
  }
}

class AppCounts {
  readonly slots = new Float64Array(APP_SLOTS);
  /** Requests under way. */
  readonly open = new OpenExchanges();
  #restarts = 0;

  begun(trace: CountedTrace): void {
    if (trace.outcome) return this.#count(trace, trace.outcome);
    trace.place = this.open.add(trace.exchange);
    trace.counts = this;
  }

  /** It has been passed on. */
  left(trace: CountedTrace): void {
    this.open.delete(trace.place);
  }

  ended(trace: CountedTrace, outcome: Outcome): void {
    this.left(trace);
    this.#count(trace, outcome);
  }

  #count(trace: CountedTrace, outcome: Outcome): void {
    const { slots } = this;
    const { exchange, protocol } = trace;
    const { method, version } = exchange.request;
    const { status, bytes, error } = outcome;
    const isWebSocket = exchange.handshake !== undefined && isAccepted(version, status);
    const spoken = isWebSocket ? WEBSOCKET : (protocol ?? HTTP_AT.get(version) ?? OTHER);
    add(slots, requestSlot(method, spoken, status), 1);
    add(slots, BODY_BYTES, bytes);
    if (error) add(slots, faultSlot(error.fault), 1);
    if (!isWebSocket) this.#time(trace);
  }

  /** A gateway that has replaced another one begins at 0 again. */
  restarted(restarts: number): void {
    add(this.slots, RESTARTS, restarts < this.#restarts ? restarts : restarts - this.#restarts);
    this.#restarts = restarts;
  }

  /** A request that an application has had without a wait has waited for 0 s. */
  #time(trace: Trace): void {
    const { total, queue, application, write } = phasesOf(trace);
    this.#observe(DURATION, total);
    this.#observe(PHASE, queue ?? (application === undefined ? undefined : 0));
    this.#observe(PHASE + HISTOGRAM, application);
    this.#observe(PHASE + 2 * HISTOGRAM, write);
  }

  #observe(first: number, milliseconds: number | undefined): void {
    if (milliseconds !== undefined) observe(this.slots, first, milliseconds / 1000);
  }
}

/** Over HTTP/2 a WebSocket is accepted with 200 (RFC 8441, 5). */
const isAccepted = (version: string, status: number): boolean => status === (version === "2" ? 200 : 101);

function add(slots: Float64Array, at: number, count: number): void {
  slots[at] = (slots[at] as number) + count;
}

function addBytes(slots: Float64Array, socket: Socket): void {
  add(slots, RECEIVED, socket.bytesRead);
  add(slots, SENT, socket.bytesWritten);
}

/** How late a timer fires is how long everything else waits. */
function measureLag(slots: Float64Array): NodeJS.Timeout {
  let due = performance.now() + LAG_INTERVAL;
  const measure = (): void => {
    const now = performance.now();
    observe(slots, LAG, Math.max(0, now - due) / 1000);
    due = now + LAG_INTERVAL;
  };
  return setInterval(measure, LAG_INTERVAL).unref();
}
