// STDERR of one request (specification, 5.3), for the log: bounded, so that no application fills the log.
// Tested by test/protocols/fastcgi/server/gateway.test.ts.
import type { Log } from "../../exchange/index.ts";
import { ApplicationOutput, LineSplitter } from "../../processes/index.ts";

/** Limits for one request; the rest is counted and dropped. */
const LOGGED_BYTES = 262_144;
const LOGGED_LINES = 10_000;
const LINE_FEED = 0x0a;

export class RequestStderr {
  readonly #log: Log;
  readonly #target: string;
  readonly #cutter: LineSplitter;
  readonly #output: ApplicationOutput;
  #bytesLeft = LOGGED_BYTES;
  #linesLeft = LOGGED_LINES;
  #dropped = 0;

  constructor(log: Log, target: string) {
    this.#log = log;
    this.#target = target;
    this.#output = new ApplicationOutput(log, () => ({ target }));
    this.#cutter = new LineSplitter((line) => this.#output.line(line, 2));
  }

  push(content: Uint8Array): void {
    const logged = this.#within(content);
    this.#bytesLeft -= logged;
    this.#dropped += content.length - logged;
    if (logged > 0) this.#cutter.push(content.subarray(0, logged));
  }

  /** The request is over. Bytes that still come begin a line of their own. */
  end(): void {
    this.#cutter.end();
    this.#output.end();
    const dropped = this.#dropped;
    this.#dropped = 0;
    if (dropped > 0) this.#log.warn(`${dropped} more bytes on STDERR were dropped`, { target: this.#target });
  }

  /** How many of these bytes both limits allow; counts the lines that end in them. */
  #within(content: Uint8Array): number {
    const most = Math.min(content.length, this.#bytesLeft);
    let end = 0;
    while (end < most && this.#linesLeft > 0) {
      const feed = content.indexOf(LINE_FEED, end);
      if (feed < 0 || feed >= most) return most;
      this.#linesLeft--;
      end = feed + 1;
    }
    return end;
  }
}
