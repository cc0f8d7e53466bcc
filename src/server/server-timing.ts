// The response field Server-Timing (W3C, Server Timing): how long a request waited until the application took it, and how long
// the application took until its response began. Only where the configuration asks for it; a request costs nothing otherwise.
import { type Gateway, HeadLines, type ResponseHead, type Trace } from "../exchange/index.ts";
import { LayeredTrace } from "../exchange/layered-trace.ts";

/** `gateway` of the app of this name, whose responses have the field. */
export const timed = (gateway: Gateway, app: string): Gateway => ({
  handle(exchange) {
    exchange.trace = new TimedTrace(app, exchange.trace);
    gateway.handle(exchange);
  },
});

class TimedTrace extends LayeredTrace {
  /** Another app answers (`fallback`), and has a trace of its own above this one. */
  #passedOn = false;

  constructor(app: string, before: Trace | undefined) {
    super(before);
    this.app = app;
  }

  override passedOn(app: string): void {
    this.#passedOn = true;
    super.passedOn(app);
  }

  override head(given: ResponseHead): ResponseHead {
    const head = super.head(given);
    const timings = this.#passedOn ? "" : timingsOf(this);
    return timings === "" ? head : withField(head, "Server-Timing", timings);
  }
}

/** `queue;dur=0.00, app;desc="shop";dur=12.34`; "" for a request that neither waited nor reached an application. */
export function timingsOf({ queuedAt, handedOverAt, headAt, app = "" }: Trace): string {
  const queue = (until: number): string => `queue;dur=${(queuedAt ? until - queuedAt : 0).toFixed(2)}`;
  if (handedOverAt === 0) return queuedAt === 0 ? "" : queue(headAt);
  return `${queue(handedOverAt)}, app;desc=${quoted(app)};dur=${(headAt - handedOverAt).toFixed(2)}`;
}

/** A quoted-string (RFC 9110, 5.6.4); what cannot be in one is "?". */
const quoted = (text: string): string => `"${text.replace(/[^\x20-\x7e]/gu, "?").replace(/["\\]/g, "\\$&")}"`;

/** Beside fields of this name that the application has sent: together they are one list. */
function withField(head: ResponseHead, name: string, value: string): ResponseHead {
  if (head instanceof HeadLines) return new HeadLines(`${head.lines}${name}: ${value}\r\n`, head.known);
  return { status: head.status, reason: head.reason, headers: [...head.headers, name, value] };
}
