// The start of a worker: it ends with READY, or with the reason why not: what the worker said or printed, how it died, or
// that it took too long.
// Tested by test/protocols/wsgi/workers.test.ts.
import { existsSync } from "node:fs";
import { basename } from "node:path";
import { fileURLToPath } from "node:url";
import { SallyportError } from "../exchange/index.ts";
import { boundsOf } from "../options/processes.ts";
import { describeExit, type Exit, notBecomeText } from "../processes/index.ts";
import { importFailure } from "./import-failure.ts";
import { INTERFACE_NAMES, type Interface } from "./interface.ts";
import type { WorkerOptions } from "./options.ts";
import type { InterpreterFacts } from "./runtime.ts";

/** The payload of READY. */
export interface Ready extends InterpreterFacts {
  readonly interface: Interface;
}

/** What Python runs. */
export const PROGRAM: string = fileURLToPath(new URL("../../python", import.meta.url));

/** Lines of output that are kept. */
const LAST_LINES = 30;

/** Bundlers take what is imported, and no other file of a package. */
const LEFT_BEHIND = `the files of sallyport for Python are not in ${PROGRAM}: leave the package sallyport out of the bundle ("external"), and install it where the bundle runs`;

/** What INIT tells of the options. */
export const initOf = (options: WorkerOptions) => {
  const { app, chdir: directory, path, threads, constants, lifespan, loop, pathsend } = options;
  return {
    app,
    directory,
    path,
    processes: boundsOf(options.processes).max * options.serverProcesses,
    interface: options.interface ?? null,
    threads,
    constants,
    lifespan,
    loop,
    pathsend: pathsend || null,
  };
};

export class Start {
  readonly #options: WorkerOptions;
  readonly #expected: Interface | undefined;
  /** What the process printed last: the reason, if it dies. */
  #lastLines: string[] = [];
  #waiting: { resolve(found: Interface): void; reject(error: SallyportError): void } | undefined;

  /** `expected`: the interface that earlier workers of the application found; another one is refused. */
  constructor(options: WorkerOptions, expected: Interface | undefined) {
    this.#options = options;
    this.#expected = expected;
  }

  /** Resolves when the worker is ready. Rejects with APP_IMPORT, or with the reason why there is no process. */
  async ready(tooLate: () => void): Promise<Interface> {
    const timer = setTimeout(() => {
      this.#fail(this.#tookTooLong());
      tooLate();
    }, this.#options.startTimeout);
    try {
      return await new Promise<Interface>((resolve, reject) => {
        this.#waiting = { resolve, reject };
      });
    } finally {
      clearTimeout(timer);
      this.#waiting = undefined;
    }
  }

  /** The payload of READY. Undefined, and the start has failed, if the interface is not the expected one. */
  readyOf(payload: Buffer): Ready | undefined {
    const ready = JSON.parse(payload.toString("utf8")) as Ready;
    const { interface: found } = ready;
    const expected = this.#expected ?? found;
    if (found === expected) return ready;
    this.#fail(this.#changed(expected, found));
    return undefined;
  }

  succeeded(found: Interface): void {
    this.#lastLines = [];
    this.#waiting?.resolve(found);
  }

  failed(payload: Buffer): void {
    this.#fail(importFailure(payload, this.#options));
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
    const notBecome = notBecomeText(this.#lastLines.at(-1) ?? "");
    if (notBecome) return new SallyportError("SPAWN_FAILED", `${python} could not be started: ${notBecome}`);
    const detail = this.#lastLines.join("\n") || undefined;
    if (!existsSync(PROGRAM)) return new SallyportError("APP_IMPORT", LEFT_BEHIND, { detail });
    const doubt = /py/i.test(basename(python)) ? "" : "; is it a Python interpreter?";
    return new SallyportError("APP_IMPORT", `${python} ${how} while it imported ${app}${doubt}`, { detail });
  }

  #tookTooLong(): SallyportError {
    const { app, startTimeout } = this.#options;
    return new SallyportError("APP_IMPORT", `${app} was not imported within ${startTimeout / 1000} s`);
  }
}
