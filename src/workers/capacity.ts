// How many streams a worker may have at once, by the way in which it runs them, and which of those that it has are begun.
import type { Trace } from "../exchange/index.ts";
import type { Interface } from "./interface.ts";
import type { WorkerStream } from "./stream.ts";
import type { Streams } from "./streams.ts";

/** One after the other, each in a thread, or all in one event loop. */
export type ConcurrencyMode = "inline" | "threads" | "loop";

/**
 * Streams sent to a worker without threads until it says how many that should be (PREFETCH): as many as it answers in a
 * moment. The worker measures its own pace, since a pause of ours would look like slowness of its.
 */
const PREFETCH = 16;

export interface CapacityOptions {
  readonly threads: number;
  readonly concurrency: number;
}

const modeOf = (found: Interface, threads: number): ConcurrencyMode => {
  if (found === "asgi") return "loop";
  return threads === 1 ? "inline" : "threads";
};

/** The streams of one worker, in the order in which it begins them: the first of them run, the others wait there. */
export class Capacity {
  mode: ConcurrencyMode = "inline";
  /** How many streams it may have; 0 until it is ready. */
  most = 0;
  /** How many of them it runs at once. */
  places = 0;
  /** All places are taken for long: nothing more is sent. */
  held = false;
  /** The log has said that a place is taken by a request that is over. */
  isReduced = false;
  readonly #streams: Streams;

  constructor(streams: Streams) {
    this.#streams = streams;
  }

  /** The worker is ready: what it may have at first. */
  begin(found: Interface, { threads, concurrency }: CapacityOptions): void {
    this.mode = modeOf(found, threads);
    this.most = { inline: PREFETCH, threads, loop: concurrency }[this.mode];
    this.places = { inline: 1, threads, loop: concurrency }[this.mode];
  }

  /** Streams that were sent ahead and are not begun. */
  get ahead(): number {
    return Math.max(0, this.#streams.size - this.places);
  }

  /** These, in the order in which they will be begun. */
  get unbegun(): WorkerStream[] {
    return this.#streams.all().slice(this.places);
  }

  /** Of these the one that is begun next. */
  get firstAhead(): WorkerStream | undefined {
    return this.ahead > 0 ? this.#streams.all()[this.places] : undefined;
  }

  /** The streams that were begun: the oldest ones. */
  get begun(): WorkerStream[] {
    return this.#streams.all().slice(0, this.places);
  }

  /** The stream that is begun now that the one with the id `done` is. */
  nextBegun(done: number): WorkerStream | undefined {
    if (this.places === 1) return this.#streams.after(done);
    return this.#streams.size < this.places ? undefined : this.#streams.all()[this.places - 1];
  }

  /** Notes for a stream that is about to be sent whether it is begun, or waits there. */
  mark(trace: Trace, pid: number | undefined): void {
    if (this.#streams.size < this.places) trace.handedOver(pid);
    else if (!trace.waits) trace.queued();
  }
}
