// Reloads, one at a time. One that is asked for while another is under way must not be dropped: nobody knows which
// version of the application that one has read. It follows, once for all who asked meanwhile.

export class Reloads {
  readonly #reload: () => Promise<void>;
  #present: Promise<void> | undefined;
  #next: Promise<void> | undefined;

  constructor(reload: () => Promise<void>) {
    this.#reload = reload;
  }

  /** Settles as a reload does that begins after this call; those who ask in one turn, or during one reload, share the next. */
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
    // Before whoever waits for it: the one that follows finds the place free.
    present.then(over, over);
    return present;
  }
}
