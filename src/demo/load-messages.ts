// What the race and the process of its clients say to each other, a line of JSON each.

export interface RaceLoad {
  readonly url: string;
  /** Requests in all. */
  readonly requests: number;
  readonly connections: number;
  /** Milliseconds after which it ends, complete or not. */
  readonly deadline: number;
}

export interface LoadReport {
  /** The last one of this load. */
  readonly over: boolean;
  /** Answered, with the status 200. */
  readonly done: number;
  readonly failed: number;
  /** The time was over before all were answered. */
  readonly cut: boolean;
  readonly seconds: number;
  /** Milliseconds; undefined when nothing was answered. */
  readonly p50: number | undefined;
  readonly p99: number | undefined;
}

/** Of requests of the race: they are many and all alike, and not recorded. */
export const LOAD_HEADER = "sallyport-load";
