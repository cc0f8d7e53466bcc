// Sends the responses of many connections together: those of one turn of the event loop at its end, and while each turn adds
// more, at the end of the first that does not. A server in front with many connections is then woken once for all responses
// instead of once for each, and wakes us once, too.
import type { Socket } from "node:net";

/** Milliseconds that a response may wait for others. */
const LONGEST_WAIT = 1;

export class WriteCoalescer {
  #corked: Socket[] = [];
  /** Sockets corked when the last turn ended. */
  #countBefore = 0;
  #since = 0;
  readonly #turnEnds = (): void => this.#flushUnlessMoreCame();

  /** Corks `socket`: from now on its writes leave with the others'. */
  hold(socket: Socket): void {
    if (socket.writableCorked > 0) return;
    const now = performance.now();
    if (this.#corked.length === 0) setImmediate(this.#turnEnds);
    // In a turn this long, waiting for its end would delay finished responses.
    else if (now - this.#since > LONGEST_WAIT) this.#flush();
    if (this.#corked.length === 0) this.#begin(now);
    socket.cork();
    this.#corked.push(socket);
  }

  #begin(now: number): void {
    this.#since = now;
    this.#countBefore = 1;
  }

  #flushUnlessMoreCame(): void {
    const grows = this.#corked.length > this.#countBefore;
    if (!grows || performance.now() - this.#since > LONGEST_WAIT) return this.#flush();
    this.#countBefore = this.#corked.length;
    setImmediate(this.#turnEnds);
  }

  #flush(): void {
    const corked = this.#corked;
    this.#corked = [];
    for (const socket of corked) socket.uncork();
  }
}
