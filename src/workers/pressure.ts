// Measures how busy the workers of a pool are. An inline worker is sent requests ahead, so those wait inside; an event loop
// takes all that come, so it is asked how late it answers.
// Tested by test/workers/elastic.test.ts.
import type { Measurement } from "./scaler.ts";
import { LONGEST_WAIT } from "./scaling.ts";
import type { WorkerStream } from "./stream.ts";
import type { Worker } from "./worker.ts";

/** Milliseconds within which an event loop answers that has little to do. */
const QUIET_LAG = LONGEST_WAIT / 5;

/** Of the last measurement. */
interface Measured {
  requests: number;
  /** The first request that an inline worker has but did not begin, and since when it is the first. */
  ahead: WorkerStream | undefined;
  aheadSince: number;
}

export class Pressure {
  readonly #measured = new WeakMap<Worker, Measured>();

  /** `waiting`: in the queue of all. */
  measure(
    workers: ReadonlySet<Worker>,
    waiting: readonly WorkerStream[],
    now: number,
    late: boolean,
  ): Measurement {
    const ready = [...workers].filter(({ isReady }) => isReady);
    const lags = ready.map((worker) => worker.probe(now, late));
    const ahead = ready.map((worker) => this.#waitedAhead(worker, now));
    const unused = ready.filter((worker) => this.#isUnused(worker));
    return {
      ready: ready.length,
      starting: workers.size - ready.length,
      waiting: waiting.length + sum(ready.map(({ capacity }) => capacity.ahead)),
      // What waits ahead in one worker is helped by another only where all have some.
      oldest: Math.max(waitedFor(waiting[0], now), least(ahead)),
      lag: least(lags),
      isSpare: unused.length > 0 || couldDoWithout(ready, lags),
    };
  }

  /** Milliseconds that the first request ahead has been seen there, at the least. */
  #waitedAhead(worker: Worker, now: number): number {
    const measured = this.#measuredOf(worker);
    const first = worker.capacity.firstAhead;
    if (first !== measured.ahead) measured.aheadSince = now;
    measured.ahead = first;
    return first ? now - measured.aheadSince : 0;
  }

  /** Whether it has nothing to do and has had nothing since the last time. */
  #isUnused(worker: Worker): boolean {
    const measured = this.#measuredOf(worker);
    const unused = worker.requests === measured.requests && worker.streams.size === 0;
    measured.requests = worker.requests;
    return unused;
  }

  #measuredOf(worker: Worker): Measured {
    const known = this.#measured.get(worker);
    if (known) return known;
    const measured = { requests: -1, ahead: undefined, aheadSince: 0 };
    this.#measured.set(worker, measured);
    return measured;
  }
}

/** Those that are not ready yet first, and of equals the youngest. */
export function leastBusy(workers: ReadonlySet<Worker>, count: number): Worker[] {
  const weight = (worker: Worker): number => (worker.isReady ? worker.streams.size : -1);
  return [...workers]
    .reverse()
    .sort((a, b) => weight(a) - weight(b))
    .slice(0, count);
}

/**
 * Whether the others could take the requests of one and have half of their places left. Of event loops only if they answer
 * soon; and not one with downloads or WebSockets, which would be cut.
 */
function couldDoWithout(ready: readonly Worker[], lags: readonly number[]): boolean {
  const [one] = leastBusy(new Set(ready), 1);
  if (!one || one.capacity.mode === "inline" || lags.some((lag) => lag > QUIET_LAG)) return false;
  if (ready.length < 2 || one.streams.all().some(({ streaming }) => streaming)) return false;
  return sum(ready.map(({ streams }) => streams.size)) <= ((ready.length - 1) * one.capacity.places) / 2;
}

const waitedFor = (stream: WorkerStream | undefined, now: number): number =>
  stream ? now - stream.since : 0;

/** 0 of none. */
const least = (numbers: readonly number[]): number => (numbers.length === 0 ? 0 : Math.min(...numbers));

const sum = (numbers: readonly number[]): number => numbers.reduce((total, one) => total + one, 0);
