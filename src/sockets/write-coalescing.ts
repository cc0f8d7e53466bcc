// What the connections of one listener have to send leaves together: those that answer in one turn of the event loop at
// the end of it, and while each turn brings more of them, at the end of the first that does not. A server in front that
// holds many connections is then woken once and finds all the answers, not once for each; and so are we by it.
import type { Socket } from "node:net";

/** Milliseconds that an answer may wait for others. */
const LONGEST_WAIT = 1;

export class WriteCoalescer {
  #held: Socket[] = [];
  /** Those held when the last turn ended. */
  #before = 0;
  #since = 0;
  readonly #turnEnds = (): void => this.#leaveUnlessMoreCome();

  /** What `socket` sends from now on leaves with the others. */
  hold(socket: Socket): void {
    if (socket.writableCorked > 0) return;
    const now = performance.now();
    if (this.#held.length === 0) setImmediate(this.#turnEnds);
    // A turn this long holds up whoever is ready.
    else if (now - this.#since > LONGEST_WAIT) this.#leave();
    if (this.#held.length === 0) this.#begin(now);
    socket.cork();
    this.#held.push(socket);
  }

  #begin(now: number): void {
    this.#since = now;
    this.#before = 1;
  }

  #leaveUnlessMoreCome(): void {
    const grows = this.#held.length > this.#before;
    if (!grows || performance.now() - this.#since > LONGEST_WAIT) return this.#leave();
    this.#before = this.#held.length;
    setImmediate(this.#turnEnds);
  }

  #leave(): void {
    const held = this.#held;
    this.#held = [];
    for (const socket of held) socket.uncork();
  }
}
