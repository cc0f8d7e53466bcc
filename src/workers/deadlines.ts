// The deadlines of a worker: responses that do not begin, event loops that do not answer. And what waits behind a response that has none.
// Tested by test/protocols/wsgi/workers.test.ts.
import { SallyportError } from "../exchange/index.ts";
import type { ConcurrencyMode } from "./capacity.ts";
import type { Interface } from "./interface.ts";
import type { EventLoopOptions, Resolved } from "./options.ts";
import type { WorkerStream } from "./stream.ts";
import type { Worker } from "./worker.ts";

export interface Deadlines extends Pick<Resolved<EventLoopOptions>, "blockedTimeout"> {
  /** Milliseconds that a worker may take until the response begins; 0 for no limit. */
  readonly timeout: Readonly<Record<Interface, number>>;
}

/** Milliseconds after which nothing waits behind a request that has no deadline. */
const LONG = 200;
/** Milliseconds that a worker with a hanging thread may take for its other streams. */
const DOOMED_GRACE = 10_000;

/**
 * Fails the streams of a worker that are late, `tick` milliseconds after the last check. If the worker itself hangs, returns
 * how many milliseconds its other streams may take before it is ended.
 */
export function checkDeadlines(
  worker: Worker,
  now: number,
  tick: number,
  deadlines: Deadlines,
): number | undefined {
  if (worker.capacity.mode === "loop") return checkLoop(worker, now, tick, deadlines);
  const timeout = deadlines.timeout.wsgi;
  const late = waitedFor(worker, now, timeout).filter((stream) => !stream.streaming);
  for (const stream of late) stream.fail(tooLate(timeout));
  if (late.length === 0) return undefined;
  return late.length === worker.capacity.begun.length ? 0 : DOOMED_GRACE;
}

/** A thread that is late never comes back, and its process must end; an event loop goes on. */
function checkLoop(worker: Worker, now: number, tick: number, deadlines: Deadlines): number | undefined {
  const { blockedTimeout } = deadlines;
  const timeout = deadlines.timeout.asgi;
  worker.tick(tick);
  for (const stream of waitedFor(worker, now, timeout))
    if (!stream.exchange.started) stream.giveUp(tooLate(timeout));
  if (blockedTimeout === 0 || worker.heartbeat.unanswered < blockedTimeout) return undefined;
  const message = `the event loop of the application was blocked for ${blockedTimeout / 1000} s`;
  for (const stream of worker.capacity.begun) stream.fail(new SallyportError("APP_TIMEOUT", message));
  return 0;
}

function waitedFor(worker: Worker, now: number, timeout: number): WorkerStream[] {
  if (timeout === 0) return [];
  return worker.capacity.begun.filter((stream) => age(stream, now) > timeout && !stream.waitsForClient);
}

/** Milliseconds since a check first saw that it had begun: a request that is answered sooner costs no clock. */
function age(stream: WorkerStream, now: number): number {
  if (stream.since === 0) stream.since = now;
  return now - stream.since;
}

const tooLate = (timeout: number): SallyportError =>
  new SallyportError("APP_TIMEOUT", `the application did not answer within ${timeout / 1000} s`);

/**
 * Where nobody knows how long all that a worker runs takes (a response on its way, an upload, anything without a `timeout`), nothing
 * more is sent to it, and what was sent ahead is asked back for other workers, or for the queue, which has a limit.
 */
export function holdBack({ capacity, streams }: Worker, now: number, timeout: number): void {
  const { mode, places } = capacity;
  const isFull = mode !== "loop" && places > 0 && streams.size >= places;
  capacity.held = isFull && capacity.begun.every((stream) => isLong(stream, now, mode, timeout));
  // The newest first: each is put before all others that wait.
  if (capacity.held) for (const stream of capacity.unbegun.reverse()) stream.recall();
}

/** A worker without threads, which cannot be asked back what it was sent, is held from the first block on. */
function isLong(stream: WorkerStream, now: number, mode: ConcurrencyMode, timeout: number): boolean {
  const { takenAt, answered, waitsForClient } = stream;
  if (answered && mode === "inline") return true;
  return takenAt > 0 && now - takenAt >= LONG && (answered || waitsForClient || timeout === 0);
}
