// Is a server that has ended its side still there? The end of a connection (FIN) looks the same whether the server closed
// it or only has nothing more to say, and the second must be answered. Sending tells: a closed peer resets, and the next
// write sees it. An end of STDERR may be sent at any time, and means nothing to a server that is there.

/** Milliseconds between the steps. Answers that are quick are never preceded by one; the last steps are for far servers. */
const STEPS = [15, 10, 200, 200] as const;

export class FastcgiPeerProbe {
  readonly #send: () => void;
  readonly #next = (): void => this.#step();
  #done = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(send: () => void) {
    this.#send = send;
    this.#schedule();
  }

  /** There is nothing left to answer, or nobody. */
  stop(): void {
    clearTimeout(this.#timer);
  }

  #step(): void {
    this.#send();
    this.#done++;
    this.#schedule();
  }

  #schedule(): void {
    const wait = STEPS[this.#done];
    if (wait !== undefined) this.#timer = setTimeout(this.#next, wait);
  }
}
