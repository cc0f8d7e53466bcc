// The process of the race's clients, as the race sees it: one load after the other. See load.ts.
// Tested by test/demo/race.test.ts.
import { fileURLToPath } from "node:url";
import { type Log, SallyportError } from "../exchange/index.ts";
import { type Child, describeExit, inheritedEnvironment, startChild } from "../processes/index.ts";
import type { LoadReport, RaceLoad } from "./load-messages.ts";

const IS_SOURCE = import.meta.url.endsWith(".ts");
const PROGRAM = fileURLToPath(new URL(`./load${IS_SOURCE ? ".ts" : ".js"}`, import.meta.url));
/** Run from source, the program needs our loader, and no other flag of ours. */
const FLAGS = IS_SOURCE ? process.execArgv.filter((flag) => !/^--(inspect|test)/.test(flag)) : [];

export class LoadClients {
  readonly #child: Child;
  #onReport: (report: LoadReport) => void = () => {};

  constructor(log: Log) {
    this.#child = startChild({
      command: process.execPath,
      args: [...FLAGS, PROGRAM],
      env: inheritedEnvironment([]),
      stdio: ["pipe", "lines", "lines"],
      onLine: (line, descriptor) => {
        if (descriptor === 1) this.#onReport(JSON.parse(line) as LoadReport);
        else log.warn(`clients of the race: ${line}`);
      },
    });
  }

  /** Resolves with the last report; `onReport` gets those before it. Rejects with SPAWN_FAILED when the process has ended. */
  run(load: RaceLoad, onReport: (report: LoadReport) => void): Promise<LoadReport> {
    return new Promise((resolve, reject) => {
      this.#onReport = (report) => (report.over ? resolve(report) : onReport(report));
      this.#child.streams[0]?.write(`${JSON.stringify(load)}\n`);
      void this.#child.exited.then((exit) =>
        reject(new SallyportError("SPAWN_FAILED", `the process of the clients ${describeExit(exit)}`)),
      );
    });
  }

  /** Whatever is under way. Never rejects. */
  async close(): Promise<void> {
    await this.#child.stop(0);
  }
}
