// Is a client that has ended its side still there? The end of a connection (FIN) looks the same whether the client
// closed it or only has nothing more to say, and the second must be answered. Sending tells: a closed peer resets. An
// interim response, which every HTTP/1.1 client must be able to skip (RFC 9110, 15.2), is what may be sent before there
// is an answer; in two halves, because a reset is only seen by the write that follows it.
import type { Outlet } from "./outlet.ts";

const FIRST_HALF = "HTTP/1.1 100 Continue\r\n";
const SECOND_HALF = "\r\n";
/** Milliseconds between the steps. Answers that are quick are never preceded by a probe; the last steps are for far clients. */
const STEPS = [15, 10, 200, 200] as const;

export class PeerProbe {
  readonly #outlet: Outlet;
  readonly #due: () => boolean;
  readonly #next = (): void => this.#step();
  #done = 0;
  #timer: NodeJS.Timeout | undefined;

  /** `due`: whether an interim response may still be sent; not any more once the answer has begun. */
  constructor(outlet: Outlet, due: () => boolean) {
    this.#outlet = outlet;
    this.#due = due;
    this.#schedule();
  }

  /** There is an answer, or nobody to answer. */
  stop(): void {
    clearTimeout(this.#timer);
  }

  #step(): void {
    if (!this.#due()) return;
    if (this.#done % 2 === 0) this.#outlet.half(FIRST_HALF, SECOND_HALF);
    else this.#outlet.complete();
    this.#done++;
    this.#schedule();
  }

  #schedule(): void {
    const wait = STEPS[this.#done];
    if (wait !== undefined) this.#timer = setTimeout(this.#next, wait);
  }
}
