// Is a client that has ended its side still there? The end of a connection (FIN) looks the same whether the client
// closed it or only has nothing more to say, and the second must be answered. Sending tells: a closed peer resets. What is
// sent means nothing, and comes in two halves, because a reset is only seen by the write that follows it.
import type { ResponseWriter } from "./response-writer.ts";

export type ProbeText = readonly [first: string, second: string];

/** Before there is an answer: an interim response, which every HTTP/1.1 client must be able to skip (RFC 9110, 15.2). */
export const INTERIM: ProbeText = ["HTTP/1.1 100 Continue\r\n", "\r\n"];
/** Between two chunks of an answer: zeros in front of the size of the next one (RFC 9112, 7.1). */
export const ZEROS: ProbeText = ["0", "0"];

/** Milliseconds between the steps. Answers that are quick are never preceded by a probe; the last steps are for far clients. */
const STEPS = [15, 10, 200, 200] as const;

export class HttpPeerProbe {
  readonly #writer: ResponseWriter;
  readonly #interim: () => ProbeText | undefined;
  readonly #next = (): void => this.#step();
  #done = 0;
  #timer: NodeJS.Timeout | undefined;

  /** `interim`: what may be sent now; undefined when nothing may. */
  constructor(writer: ResponseWriter, interim: () => ProbeText | undefined) {
    this.#writer = writer;
    this.#interim = interim;
    this.#schedule();
  }

  /** There is an answer, or nobody to answer. */
  stop(): void {
    clearTimeout(this.#timer);
  }

  #step(): void {
    const interim = this.#interim();
    if (!interim) return;
    if (this.#done % 2 === 0) this.#writer.half(...interim);
    else this.#writer.complete();
    this.#done++;
    this.#schedule();
  }

  #schedule(): void {
    const wait = STEPS[this.#done];
    if (wait !== undefined) this.#timer = setTimeout(this.#next, wait);
  }
}
