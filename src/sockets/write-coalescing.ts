// What the connections of one listener have to send leaves together: those that answer in one turn of the event loop at
// the end of it, and while each turn brings more of them, at the end of the first that does not. A server in front that
// holds many connections is then woken once and finds all the answers, not once for each; and so are we by it.
import type { Socket } from "node:net";

/** Milliseconds that an answer may wait for others. */
const LONGEST_WAIT = 1;

export class WriteCoalescer {
  #corked: Socket[] = [];
  /** Those held when the last turn ended. */
  #countBefore = 0;
  #since = 0;
  readonly #turnEnds = (): void => this.#flushUnlessMoreCame();

  /** What `socket` sends from now on leaves with the others. */
  hold(socket: Socket): void {
    if (socket.writableCorked > 0) return;
    const now = performance.now();
    if (this.#corked.length === 0) setImmediate(this.#turnEnds);
    // A turn this long holds up whoever is ready.
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
    const held = this.#corked;
    this.#corked = [];
    for (const socket of held) socket.uncork();
  }
}
