// Whether the client of a mounted response takes what waits for it: by how far its bytes come, not by when a buffer is empty, so
// that a slow client which reads on is not cut, and one that reads nothing is, whatever the application still writes.
// Tested by test/mount/stalls.test.ts.

/** Two numbers that change as bytes leave. */
export interface Progress {
  /** Of this response alone. */
  readonly own: number;
  /** Of a connection that it shares with others (HTTP/2); 0 where there is none, or nothing is known of it. */
  readonly shared: number;
}

/** How often a response may wait on because its connection moves, while nothing of its own is seen to leave. */
const MOST_EXTENSIONS = 32;

export class StallWatch {
  readonly #timeout: number;
  readonly #look: () => Progress | undefined;
  readonly #stalled: () => void;
  #timer: NodeJS.Timeout | undefined;
  #seen: Progress | undefined;
  #extensions = 0;

  /**
   * `timeout`: milliseconds; 0 for no watch. `look` gives undefined while the response does not wait for its client. `stalled` is called
   * when nothing has left from one look to the next.
   */
  constructor(timeout: number, look: () => Progress | undefined, stalled: () => void) {
    this.#timeout = timeout;
    this.#look = look;
    this.#stalled = stalled;
  }

  /** Bytes wait from now on; without effect while it watches already. */
  start(): void {
    if (this.#timer || this.#timeout === 0) return;
    this.#seen = this.#look();
    this.#extensions = 0;
    this.#arm();
  }

  stop(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  #arm(): void {
    this.#timer = setTimeout(() => this.#check(), this.#timeout).unref();
  }

  #check(): void {
    const [before, now] = [this.#seen, this.#look()];
    this.#seen = now;
    if (this.#goesOn(before, now)) return this.#arm();
    this.#timer = undefined;
    this.#stalled();
  }

  #goesOn(before: Progress | undefined, now: Progress | undefined): boolean {
    if (!before || !now || before.own !== now.own) {
      this.#extensions = 0;
      return true;
    }
    return before.shared !== now.shared && ++this.#extensions <= MOST_EXTENSIONS;
  }
}
