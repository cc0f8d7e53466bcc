// Standard error of a program: its lines go to the log, and the last are kept for the message about a failure.
// Tested by test/protocols/cgi/endings.test.ts.
import type { Log } from "../../exchange/index.ts";
import { ApplicationOutput } from "../../processes/index.ts";

/** Lines of one run that are logged; the rest is read and dropped, so that no program fills the log (C13). */
const LOGGED_LINES = 10_000;
const KEPT_LINES = 20;

export class StderrLog {
  readonly #name: string;
  readonly #log: Log;
  readonly #output: ApplicationOutput;
  readonly #last: string[] = [];
  #count = 0;
  /** Of the program, once it has started. */
  pid: number | undefined;

  constructor(name: string, log: Log) {
    this.#name = name;
    this.#log = log;
    this.#output = new ApplicationOutput(log, () => ({ program: name, pid: this.pid }));
  }

  /** The last lines, or undefined when there were none. */
  get tail(): string | undefined {
    return this.#last.length === 0 ? undefined : this.#last.join("\n");
  }

  add(line: string): void {
    this.#last.push(line);
    if (this.#last.length > KEPT_LINES) this.#last.shift();
    this.#count++;
    if (this.#count <= LOGGED_LINES) this.#output.line(line, 2);
    else if (this.#count === LOGGED_LINES + 1)
      this.#log.warn(`more than ${LOGGED_LINES} lines on standard error; the rest is dropped`, {
        program: this.#name,
      });
  }

  /** All of it has been added. */
  end(): void {
    this.#output.end();
  }
}
