// Where each number of the metrics is: counts are kept in arrays, so that a request adds to a few slots and makes nothing.
// The same arrays travel between processes, where those of several are added slot by slot.
// Tested by test/metrics/counts.test.ts.
import type { Fault } from "../exchange/index.ts";

/** The last of each list stands for all that are not in it: a client must not be able to make more series. */
export const METHODS = [
  "GET",
  "HEAD",
  "POST",
  "PUT",
  "DELETE",
  "PATCH",
  "OPTIONS",
  "CONNECT",
  "TRACE",
  "other",
] as const;
export const PROTOCOL_LABELS = [
  "http/1.0",
  "http/1.1",
  "http/2",
  "fastcgi",
  "scgi",
  "uwsgi",
  "websocket",
  "other",
] as const;
/** "none": the client was gone before there was a status. */
export const STATUSES = ["none", "1xx", "2xx", "3xx", "4xx", "5xx"] as const;
/** Whose fault it was that a response is not complete. */
export const FAULTS = ["client", "app", "worker", "config"] as const satisfies readonly Fault[];
export const PHASES = ["queue", "application", "write"] as const;
/** Upper bounds of durations, in seconds; one more bucket holds all that is longer. */
export const BUCKETS = [
  0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60,
] as const;

/** Slots of a histogram: a bucket each, and the sum of all durations in seconds. */
export const HISTOGRAM = BUCKETS.length + 2;
const SUM = BUCKETS.length + 1;

/** The slots of an app, one group after the other. */
export const REQUESTS = 0;
export const CUT = REQUESTS + METHODS.length * PROTOCOL_LABELS.length * STATUSES.length;
export const BODY_BYTES = CUT + FAULTS.length;
export const RESTARTS = BODY_BYTES + 1;
export const DURATION = RESTARTS + 1;
export const PHASE = DURATION + HISTOGRAM;
export const APP_SLOTS = PHASE + PHASES.length * HISTOGRAM;

/** The slots of a server process. */
export const ACCEPTED = 0;
export const RECEIVED = 1;
export const SENT = 2;
export const LAG = 3;
export const SERVER_SLOTS = LAG + HISTOGRAM;

const METHOD_AT = new Map<string, number>(METHODS.map((method, i) => [method, i]));
const FAULT_AT = new Map<string, number>(FAULTS.map((fault, i) => [fault, i]));

/** The slot of a request: its method and protocol, and the status that it was answered with; 0 for none. */
export function requestSlot(method: string, protocol: number, status: number): number {
  const methodAt = METHOD_AT.get(method) ?? METHODS.length - 1;
  const statusAt = Math.min(Math.floor(status / 100), STATUSES.length - 1);
  return REQUESTS + (methodAt * PROTOCOL_LABELS.length + protocol) * STATUSES.length + statusAt;
}

/** The labels of a slot of requests. */
export function requestLabels(slot: number): { method: string; protocol: string; status: string } {
  const at = slot - REQUESTS;
  const above = Math.floor(at / STATUSES.length);
  return {
    method: METHODS[Math.floor(above / PROTOCOL_LABELS.length)] as string,
    protocol: PROTOCOL_LABELS[above % PROTOCOL_LABELS.length] as string,
    status: STATUSES[at % STATUSES.length] as string,
  };
}

export const faultSlot = (fault: Fault): number => CUT + (FAULT_AT.get(fault) as number);

export const protocolAt = (protocol: string): number => {
  const at = (PROTOCOL_LABELS as readonly string[]).indexOf(protocol);
  return at < 0 ? PROTOCOL_LABELS.length - 1 : at;
};

/** Counts a duration in the histogram that begins at `first`. */
export function observe(slots: Float64Array, first: number, seconds: number): void {
  let bucket = 0;
  while (bucket < BUCKETS.length && seconds > (BUCKETS[bucket] as number)) bucket++;
  slots[first + bucket] = (slots[first + bucket] as number) + 1;
  slots[first + SUM] = (slots[first + SUM] as number) + seconds;
}

/** The sum of the durations of a histogram, in seconds. */
export const sumOf = (slots: ArrayLike<number>, first: number): number => slots[first + SUM] as number;
