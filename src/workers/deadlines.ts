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
/**
 * What becomes of a worker with streams that are late. "end": all that it runs is, and nothing can be saved. "retire": it is
 * replaced now, and ended after its other streams. "succeed": it goes on until another one is ready.
 */
export type Verdict = "end" | "retire" | "succeed";

/** Fails the streams of a worker that are late, `tick` milliseconds after the last check. */
export function checkDeadlines(
  worker: Worker,
  now: number,
  tick: number,
  deadlines: Deadlines,
): Verdict | undefined {
  if (worker.capacity.mode === "loop") return checkLoop(worker, now, tick, deadlines);
  return checkPlaces(worker, now, deadlines.timeout.wsgi);
}

/**
 * What does not begin its response in time hangs, and may never come back. What has begun it, and is late to return after its
 * client has left or its response was complete, only takes a place: a thread may wait for the next event of a quiet stream.
 */
function checkPlaces(worker: Worker, now: number, timeout: number): Verdict | undefined {
  const { begun, places } = worker.capacity;
  const late = waitedFor(worker, now, timeout).filter((stream) => !stream.streaming);
  if (late.length === 0) return undefined;
  const hanging = late.filter((stream) => !stream.answered);
  for (const stream of hanging) stream.fail(tooLate(timeout));
  const isAll = late.length === begun.length;
  if (isAll && (hanging.length > 0 || late.length === places || !worker.isReady)) return "end";
  if (hanging.length > 0) return "retire";
  warnOfTaken(worker, timeout);
  return isAll ? "succeed" : undefined;
}

/** Once for each worker. */
function warnOfTaken({ capacity, pid, log }: Worker, timeout: number): void {
  if (capacity.isReduced) return;
  capacity.isReduced = true;
  const message = `worker ${pid} has a thread that did not come back within ${timeout / 1000} s after its client had left or its response was complete: until then it has a thread less for requests`;
  log.warn(message);
}

/** A thread that hangs never comes back, and its process must end; an event loop goes on. */
function checkLoop(worker: Worker, now: number, tick: number, deadlines: Deadlines): Verdict | undefined {
  const { blockedTimeout } = deadlines;
  const timeout = deadlines.timeout.asgi;
  worker.tick(tick);
  for (const stream of waitedFor(worker, now, timeout))
    if (!stream.exchange.started) stream.giveUp(tooLate(timeout));
  if (blockedTimeout === 0 || worker.heartbeat.unanswered < blockedTimeout) return undefined;
  const message = `the event loop of the application was blocked for ${blockedTimeout / 1000} s`;
  for (const stream of worker.capacity.begun) stream.fail(new SallyportError("APP_TIMEOUT", message));
  return "end";
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
