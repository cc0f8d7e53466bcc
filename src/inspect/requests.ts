// The requests under way in this process, with the phase that each is in.
// Tested by test/admin/inspection.test.ts.
import type { OpenRequest, RequestList, RequestPhase } from "../control/inspection.ts";
import type { Exchange } from "../exchange/index.ts";

/** Those that are shown; the others are counted. */
const SHOWN = 200;
/** Characters of a request target. */
const LONGEST_TARGET = 300;

/** `open`: the exchanges of each app, the oldest first. */
export function requestsIn(
  open: Iterable<readonly [app: string, exchanges: ReadonlySet<Exchange>]>,
): RequestList {
  const now = performance.now();
  let total = 0;
  const found: OpenRequest[] = [];
  for (const [app, exchanges] of open) {
    total += exchanges.size;
    for (const exchange of firstOf(exchanges)) found.push(openRequest(app, exchange, now));
  }
  found.sort((one, other) => other.age - one.age);
  return { total, requests: found.slice(0, SHOWN) };
}

function* firstOf(exchanges: ReadonlySet<Exchange>): Generator<Exchange> {
  let left = SHOWN;
  for (const exchange of exchanges) {
    if (left-- === 0) return;
    yield exchange;
  }
}

function openRequest(app: string, exchange: Exchange, now: number): OpenRequest {
  const { request, trace } = exchange;
  return {
    id: idOf(exchange),
    app,
    method: request.method,
    target: request.target.slice(0, LONGEST_TARGET),
    age: trace ? now - trace.begun : 0,
    phase: phaseOf(exchange),
    pid: trace?.pid,
  };
}

/** Requests have numbers once somebody looks at them. */
const ids = new WeakMap<Exchange, number>();
let lastId = 0;

function idOf(exchange: Exchange): number {
  const id = ids.get(exchange) ?? ++lastId;
  ids.set(exchange, id);
  return id;
}

function phaseOf({ handshake, started, trace }: Exchange): RequestPhase {
  if (handshake && started) return "websocket";
  if (trace?.headAt) return "writing";
  if (trace?.handedOverAt) return "application";
  return trace?.queuedAt ? "queue" : "client";
}
