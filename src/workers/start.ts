// How a worker comes to be ready, or why it does not: what it said, what it printed, how it died, or that it took too long.
import { SallyportError } from "../exchange/index.ts";
import { describeExit, type Exit } from "../processes/index.ts";
import { INTERFACE_NAMES, type Interface } from "./interface.ts";
import type { WorkerOptions } from "./options.ts";

/** What a worker says when the application is there. */
interface Ready {
  readonly interface: Interface;
}

/** Lines of output that are kept. */
const LAST_LINES = 30;

export class Start {
  readonly #options: WorkerOptions;
  readonly #predecessors: Interface | undefined;
  /** What it printed: the reason, if it dies of it. */
  #lastLines: string[] = [];
  #waiting: { resolve(): void; reject(error: SallyportError): void } | undefined;

  /** `predecessors`: what the workers before it found out; another interface is refused. */
  constructor(options: WorkerOptions, predecessors: Interface | undefined) {
    this.#options = options;
    this.#predecessors = predecessors;
  }

  /** Resolves when the worker is ready; rejects with APP_IMPORT, or how its process could not be started. */
  async ready(tooLate: () => void): Promise<void> {
    const timer = setTimeout(() => {
      this.#fail(this.#tookTooLong());
      tooLate();
    }, this.#options.startTimeout);
    try {
      await new Promise<void>((resolve, reject) => {
        this.#waiting = { resolve, reject };
      });
    } finally {
      clearTimeout(timer);
      this.#waiting = undefined;
    }
  }

  /** What the application is written for, as the worker says; undefined when that may not be. */
  read(payload: Buffer): Interface | undefined {
    const { interface: spoken } = JSON.parse(payload.toString("utf8")) as Ready;
    const before = this.#predecessors ?? spoken;
    if (spoken === before) return spoken;
    this.#fail(this.#changed(before, spoken));
    return undefined;
  }

  succeeded(): void {
    this.#lastLines = [];
    this.#waiting?.resolve();
  }

  failed(payload: Buffer): void {
    const { message, detail } = JSON.parse(payload.toString("utf8")) as Record<string, string>;
    this.#fail(new SallyportError("APP_IMPORT", message ?? "", { detail: detail || undefined }));
  }

  died(exit: Exit): void {
    this.#fail(exit.failure ?? this.#diedYoung(describeExit(exit)));
  }

  printed(line: string): void {
    this.#lastLines.push(line);
    if (this.#lastLines.length > LAST_LINES) this.#lastLines.shift();
  }

  #fail(error: SallyportError): void {
    this.#waiting?.reject(error);
  }

  #changed(before: Interface, now: Interface): SallyportError {
    const [is, was] = [INTERFACE_NAMES[now], INTERFACE_NAMES[before]];
    const message = `${this.#options.app} is of ${is} now and was of ${was} before: start the server anew`;
    return new SallyportError("APP_IMPORT", message);
  }

  #diedYoung(how: string): SallyportError {
    const { app, python } = this.#options;
    const detail = this.#lastLines.join("\n") || undefined;
    return new SallyportError("APP_IMPORT", `${python} ${how} while it imported ${app}`, { detail });
  }

  #tookTooLong(): SallyportError {
    const { app, startTimeout } = this.#options;
    return new SallyportError("APP_IMPORT", `${app} was not imported within ${startTimeout / 1000} s`);
  }
}
