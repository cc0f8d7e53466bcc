// Standard error of a program: its lines go to the log, and the last are kept for the message about a failure.
// Tested by test/protocols/cgi/endings.test.ts.
import type { Log } from "../../exchange/index.ts";

/** Lines of one run that are logged; the rest is read and dropped, so that no program fills the log (C13). */
const LOGGED_LINES = 10_000;
const KEPT_LINES = 20;

export class StderrLog {
  readonly #name: string;
  readonly #log: Log;
  readonly #last: string[] = [];
  #count = 0;

  constructor(name: string, log: Log) {
    this.#name = name;
    this.#log = log;
  }

  /** The last lines, or undefined when there were none. */
  get tail(): string | undefined {
    return this.#last.length === 0 ? undefined : this.#last.join("\n");
  }

  add(line: string): void {
    this.#last.push(line);
    if (this.#last.length > KEPT_LINES) this.#last.shift();
    this.#count++;
    if (this.#count <= LOGGED_LINES) this.#log.warn(line, { program: this.#name });
    else if (this.#count === LOGGED_LINES + 1)
      this.#log.warn(`more than ${LOGGED_LINES} lines on standard error; the rest is dropped`, {
        program: this.#name,
      });
  }
}
