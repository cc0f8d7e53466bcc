// Is a server that has ended its side still there? The end of a connection (FIN) looks the same whether the server closed
// it or only has no more to send, and in the second case it must be answered. Sending shows which: a closed peer resets,
// and the next write fails. An end of STDERR may be sent at any time, and means nothing to a server that is there.
// Tested by test/protocols/fastcgi/application/dropped.test.ts.

/** Milliseconds between the steps. Quick answers come before the first; the last steps are for distant servers. */
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

  /** No request is left to answer, or the server has left. */
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
