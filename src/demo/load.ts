// The clients of the race, as a program: in a process of its own, so that they do not slow the server's event loop. Each line of its
// standard input is a load; each line that it prints is how far that is. It ends with its input.
// Tested by test/demo/race.test.ts.
import { Agent, type ClientRequest, get } from "node:http";
import { createInterface } from "node:readline";
import { LOAD_HEADER, type LoadReport, type RaceLoad } from "./load-messages.ts";

/** Milliseconds between two reports. */
const REPORT_INTERVAL = 200;

/** A number of clients that ask one address, each as soon as it has its answer. */
class Clients {
  readonly #load: RaceLoad;
  readonly #agent: Agent;
  readonly #underWay = new Set<ClientRequest>();
  readonly #durations: number[] = [];
  readonly #begun = performance.now();
  #sent = 0;
  #failed = 0;
  #cut = false;

  constructor(load: RaceLoad) {
    this.#load = load;
    this.#agent = new Agent({ keepAlive: true, maxSockets: load.connections });
  }

  async run(): Promise<LoadReport> {
    const deadline = setTimeout(() => this.#stop(), this.#load.deadline);
    const reports = setInterval(() => print(this.#report(false)), REPORT_INTERVAL);
    await Promise.all(Array.from({ length: this.#load.connections }, () => this.#client()));
    clearTimeout(deadline);
    clearInterval(reports);
    this.#agent.destroy();
    return this.#report(true);
  }

  async #client(): Promise<void> {
    while (this.#sent < this.#load.requests && !this.#cut) {
      this.#sent++;
      const begun = performance.now();
      const isAnswered = await this.#ask();
      if (isAnswered) this.#durations.push(performance.now() - begun);
      else if (!this.#cut) this.#failed++;
    }
  }

  /** Whether the answer is complete and has the status 200. */
  #ask(): Promise<boolean> {
    return new Promise((resolve) => {
      const request = get(this.#load.url, { agent: this.#agent, headers: { [LOAD_HEADER]: "1" } });
      this.#underWay.add(request);
      const over = (isAnswered: boolean): void => {
        this.#underWay.delete(request);
        resolve(isAnswered);
      };
      request.once("error", () => over(false));
      request.once("response", (response) => {
        response.resume();
        response.once("error", () => over(false));
        response.once("close", () => over(response.complete && response.statusCode === 200));
      });
    });
  }

  /** The time is over: what is under way is given up. */
  #stop(): void {
    this.#cut = true;
    for (const request of this.#underWay) request.destroy();
  }

  #report(over: boolean): LoadReport {
    const sorted = this.#durations.toSorted((one, other) => one - other);
    const seconds = (performance.now() - this.#begun) / 1000;
    const done = sorted.length;
    const at = (share: number): number | undefined => sorted[Math.ceil(share * done) - 1];
    return { over, done, failed: this.#failed, cut: this.#cut, seconds, p50: at(0.5), p99: at(0.99) };
  }
}

const print = (report: LoadReport): void => void process.stdout.write(`${JSON.stringify(report)}\n`);

for await (const line of createInterface({ input: process.stdin }))
  print(await new Clients(JSON.parse(line) as RaceLoad).run());
