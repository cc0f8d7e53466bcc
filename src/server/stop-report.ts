// What is said while a server stops: how many requests it waits for, how to cut them, and how it ended. On a terminal the number
// is said again as it goes down; in a log it is said once.
// Tested by test/cli/stop.test.ts.
import { jsonNote } from "../logs/log.ts";
import { type ReportStyle, say } from "./report.ts";

/** Milliseconds between two looks at what is under way. The first one sees nothing of what ends at once. */
const LOOK = 250;

export interface StopReportOptions {
  readonly style: ReportStyle;
  /** Requests under way at the moment. */
  readonly inFlight: () => number;
  /** Writes a line. Default: standard error. */
  readonly write?: (text: string) => void;
  /** Whether people read the lines as they come. Default: whether standard error is a terminal. */
  readonly terminal?: boolean;
}

export class StopReport {
  readonly #options: Required<StopReportOptions>;
  readonly #since = performance.now();
  readonly #timer: NodeJS.Timeout;
  /** The last number that was said. */
  #said = 0;

  constructor(options: StopReportOptions) {
    this.#options = { write: say, terminal: process.stderr.isTTY === true, ...options };
    this.#timer = setInterval(() => this.#look(), LOOK).unref();
  }

  /** `cut`: requests that were broken off. */
  end(cut: number): void {
    clearInterval(this.#timer);
    const seconds = Math.round((performance.now() - this.#since) / 100) / 10;
    if (cut > 0)
      this.#say(`stopped: ${requests(cut)} ${cut === 1 ? "was" : "were"} cut after ${seconds} s`, { cut });
    else this.#say(this.#said > 0 ? "stopped: all requests were answered" : "stopped", { seconds });
  }

  #look(): void {
    const inFlight = this.#options.inFlight();
    if (inFlight === 0 || inFlight === this.#said) return;
    if (this.#said > 0 && !this.#options.terminal) return;
    this.#said = inFlight;
    const how = this.#options.terminal ? "press again to cut them" : "a second signal cuts them";
    this.#say(`waiting for ${requests(inFlight)}; ${how}`, { inFlight });
  }

  #say(text: string, fields: Readonly<Record<string, number>>): void {
    const { style, write } = this.#options;
    if (style.level === "warn" || style.level === "error") return;
    write(style.format === "json" ? jsonNote("info", text, fields) : `${text}\n`);
  }
}

const requests = (count: number): string => `${count} request${count === 1 ? "" : "s"}`;
