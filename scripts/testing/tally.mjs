// Counts the tests of one file from its events: leaves only, neither suites nor tests that merely hold others.

export class Tally {
  passed = 0;
  /** Each `{ name, text, cancelled }`; cancelled: it never began, since what holds it failed. */
  failures = [];
  /** Each `{ name, reason }`. */
  skips = [];
  /** True once the file has reported its end. */
  ended = false;
  /** What tests want to be seen, as texts. */
  results = [];
  /** The last progress that a long test has reported. */
  progress = "";
  #path = [];
  #running = new Map();
  /** Nesting of the event before: a parent is reported right after its children. */
  #before = 0;

  add(event) {
    if (event.type === "end") this.ended = true;
    else if (event.type === "progress") this.progress = event.text;
    else if (event.type === "result") this.results.push(event.text);
    else if (event.type === "test:dequeue") this.#begin(event);
    else this.#finish(event);
  }

  /** The tests that have begun and not ended. */
  get running() {
    return [...this.#running.values()].flat();
  }

  /** The file itself failed: it crashed, hung, or held no test. */
  broken(name, text) {
    this.failures.push({ name, text, cancelled: false });
  }

  #begin({ name, nesting }) {
    this.progress = "";
    this.#path.length = nesting;
    this.#path[nesting] = name;
    this.#running.set(nesting, [...(this.#running.get(nesting) ?? []), name]);
  }

  #finish({ type, name, nesting, suite, skip, failure }) {
    const full = [...this.#path.slice(0, nesting), name].join(" > ");
    const holder = suite || this.#before > nesting;
    this.#before = nesting;
    this.#running.set(
      nesting,
      (this.#running.get(nesting) ?? []).filter((other) => other !== name),
    );
    if (skip !== undefined) this.skips.push({ name: full, reason: skip });
    else if (type === "test:fail" && failure?.kind !== "subtestsFailed")
      this.failures.push({
        name: full,
        text: failure?.text ?? "",
        cancelled: failure?.kind === "cancelledByParent",
      });
    else if (type === "test:pass" && !holder) this.passed++;
  }
}
