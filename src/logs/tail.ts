// The last lines of a process's log, for the dashboard: a bounded number, each of a bounded length. Kept only where there is an
// admin listener.
import type { Level } from "./log.ts";

export interface LogLine {
  /** Counts the lines of the process, from 1. */
  readonly id: number;
  /** Milliseconds since 1970. */
  readonly at: number;
  readonly level: Level;
  /** As it was written, with its details, without the last line break. */
  readonly text: string;
  /** The process that wrote it; undefined for the one that keeps it. */
  readonly pid?: number | undefined;
}

/** Lines that are kept; the oldest goes first. */
export const MOST_LINES = 500;
/** Characters kept of each. */
export const LINE_LENGTH = 2_000;
const CUT = " ... (cut)";

export class LogTail {
  #lines: LogLine[] = [];
  #lastId = 0;

  add(time: Date, level: Level, text: string): void {
    this.#keep({ id: ++this.#lastId, at: time.getTime(), level, text: shortened(text) });
  }

  /** Keeps the last lines of a process that ends. */
  inherit(pid: number | undefined, lines: readonly LogLine[]): void {
    for (const line of lines) this.#keep({ ...line, pid });
  }

  /** From `at` on (milliseconds since 1970), in the order in which they came. */
  since(at: number): readonly LogLine[] {
    return this.#lines.filter((line) => line.at >= at);
  }

  #keep(line: LogLine): void {
    this.#lines.push(line);
    if (this.#lines.length > MOST_LINES) this.#lines.shift();
  }
}

/** A copy where it is cut: a slice would keep the whole text alive. */
function shortened(text: string): string {
  const whole = text.trimEnd();
  if (whole.length <= LINE_LENGTH) return whole;
  return Buffer.from(whole.slice(0, LINE_LENGTH - CUT.length) + CUT).toString();
}
