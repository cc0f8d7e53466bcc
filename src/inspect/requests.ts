// The requests under way in this process, with the phase that each is in.
// Tested by test/admin/inspection.test.ts.
import type { OpenRequest, RequestList, RequestPhase } from "../control/inspection.ts";
import type { Exchange } from "../exchange/index.ts";

/** Those that are shown; the others are counted. */
const SHOWN = 200;
/** Characters of a request target. */
const LONGEST_TARGET = 300;

type Named = readonly [app: string, exchange: Exchange];

/** `open`: the exchanges of each app. */
export function requestsIn(
  open: Iterable<readonly [app: string, exchanges: Iterable<Exchange>]>,
): RequestList {
  const now = performance.now();
  const all = [...open].flatMap(([app, exchanges]) => Array.from(exchanges, (each): Named => [app, each]));
  all.sort(([, one], [, other]) => beginOf(one) - beginOf(other));
  const shown = all.slice(0, SHOWN);
  return { total: all.length, requests: shown.map(([app, exchange]) => openRequest(app, exchange, now)) };
}

const beginOf = ({ trace }: Exchange): number => trace?.begun ?? 0;

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
