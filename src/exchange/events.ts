// Event streams (text/event-stream; HTML, 9.2): responses that never end by themselves. They may be ended after any event,
// since clients reconnect and send the id of the last event that they received.
import type { ResponseHead } from "./exchange.ts";
import { header } from "./headers.ts";

/** Milliseconds between the server's decision to leave and the end of event streams: time for a last event. */
export const EVENT_STREAM_GRACE = 1_000;

/** Characters of the longest blank line: two line ends of CRLF. */
const LONGEST_BLANK = 4;
const LINE_END = /(\r\n|\n|\r)$/;

export const isEventStream = ({ headers }: ResponseHead): boolean =>
  header(headers, "content-type")?.trimStart().toLowerCase().startsWith("text/event-stream") === true;

export class EventStream {
  /** Whether the end of an event can be found: the stream is not compressed. */
  readonly legible: boolean;
  #tail = "\n\n";

  /** Undefined for any other response. */
  static of(head: ResponseHead): EventStream | undefined {
    return isEventStream(head) ? new EventStream(head) : undefined;
  }

  private constructor({ headers }: ResponseHead) {
    const coding = header(headers, "content-encoding")?.trim().toLowerCase() ?? "";
    this.legible = coding === "" || coding === "identity";
  }

  /** Notes bytes that were sent. */
  passed(chunk: Uint8Array): void {
    const tail = String.fromCharCode(...chunk.subarray(-LONGEST_BLANK));
    this.#tail = (this.#tail + tail).slice(-LONGEST_BLANK);
  }

  /** Whether the last event has ended with its blank line, and no other has begun. */
  get betweenEvents(): boolean {
    const lines = this.#tail.replace(LINE_END, "");
    return lines.length < this.#tail.length && LINE_END.test(lines);
  }
}
