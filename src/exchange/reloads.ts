// Reloads, one at a time. A reload requested while another is under way must not be dropped: the one under way may have read
// the old version of the application. It follows, once for all requests made meanwhile.

export class Reloads {
  readonly #reload: () => Promise<void>;
  #present: Promise<void> | undefined;
  #next: Promise<void> | undefined;

  constructor(reload: () => Promise<void>) {
    this.#reload = reload;
  }

  /** Settles with a reload that begins after this call; calls in one turn, or during one reload, share the next. */
  ask(): Promise<void> {
    const follow = (): Promise<void> => {
      this.#next = undefined;
      return this.#begin();
    };
    this.#next ??= (this.#present ?? Promise.resolve()).then(follow, follow);
    return this.#next;
  }

  #begin(): Promise<void> {
    const over = (): void => {
      this.#present = undefined;
    };
    const present = this.#reload();
    this.#present = present;
    // Registered first, so that the reload that follows finds the place free.
    present.then(over, over);
    return present;
  }
}
