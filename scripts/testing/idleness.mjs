// How much of the machine's processors is idle.
import { cpus } from "node:os";

export class Idleness {
  #processors;
  #before;

  constructor(processors = cpus) {
    this.#processors = processors;
    this.#before = this.#times();
  }

  /** How many processors have had nothing to do since the last call, on average: 1.5 of 2. */
  sinceLast() {
    const { idle, all, count } = this.#times();
    const [idled, passed] = [idle - this.#before.idle, all - this.#before.all];
    this.#before = { idle, all, count };
    return passed > 0 ? (idled / passed) * count : 0;
  }

  #times() {
    const processors = this.#processors();
    const sum = (list) => list.reduce((total, value) => total + value, 0);
    return {
      idle: sum(processors.map(({ times }) => times.idle)),
      all: sum(processors.flatMap(({ times }) => Object.values(times))),
      count: processors.length,
    };
  }
}
