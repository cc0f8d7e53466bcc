// Event streams (text/event-stream; HTML, 9.2): responses that never end by themselves, and that may be ended after any event,
// since their clients come back and say which event they have had.
import type { ResponseHead } from "./exchange.ts";
import { header } from "./headers.ts";

/** Milliseconds from the word that the server leaves to the end of event streams: for a last event. */
export const EVENT_STREAM_GRACE = 1_000;

/** Characters of a blank line, however its ends are written. */
const LONGEST_BLANK = 4;
const LINE_END = /(\r\n|\n|\r)$/;

export const isEventStream = ({ headers }: ResponseHead): boolean =>
  header(headers, "content-type")?.trimStart().toLowerCase().startsWith("text/event-stream") === true;

export class EventStream {
  /** The events can be told from one another: they are not compressed. */
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

  /** These bytes of it have been sent. */
  passed(chunk: Uint8Array): void {
    const tail = String.fromCharCode(...chunk.subarray(-LONGEST_BLANK));
    this.#tail = (this.#tail + tail).slice(-LONGEST_BLANK);
  }

  /** Whether an event has ended, with its blank line, and no other has begun. */
  get betweenEvents(): boolean {
    const lines = this.#tail.replace(LINE_END, "");
    return lines.length < this.#tail.length && LINE_END.test(lines);
  }
}
