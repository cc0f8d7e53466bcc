// Finds out whether a client that has ended its side is still there. A FIN looks the same whether the client closed the
// connection or only has nothing more to send, and in the second case it must be answered. A closed peer answers data with a
// reset. The probe is text without meaning, in two halves, because only the write after the reset fails.
// Tested by test/protocols/http1/endings.test.ts.
import type { ResponseWriter } from "./response-writer.ts";

export type ProbeText = readonly [first: string, second: string];

/** Before the response: an interim one, which every HTTP/1.1 client must be able to skip (RFC 9110, 15.2). */
export const INTERIM: ProbeText = ["HTTP/1.1 100 Continue\r\n", "\r\n"];
/** Between two chunks: zeros in front of the size of the next one (RFC 9112, 7.1). */
export const ZEROS: ProbeText = ["0", "0"];

/** Milliseconds between the steps. A fast response is never preceded by a probe; the last steps are for distant clients. */
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

  /** The response is complete, or its client has left. */
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
