// Notes between the application and the runner: the application reports progress, the runner lets it go on. A note is a
// file, since processes of any language can make one; its size counts how often something happened.
// Tested by test/testing/defects.test.ts.
import { appendFile, stat } from "node:fs/promises";

const PAUSE = 5;

export class SideChannel {
  readonly #prefix: string;
  readonly #end: AbortSignal | undefined;

  /** `prefix` comes before each name. After `end` no call waits any more. */
  constructor(prefix: string, end?: AbortSignal) {
    this.#prefix = prefix;
    this.#end = end;
  }

  async add(name: string): Promise<void> {
    await appendFile(this.#prefix + name, ".");
  }

  /** How often the note `name` was added. */
  async count(name: string): Promise<number> {
    return stat(this.#prefix + name).then(
      ({ size }) => size,
      () => 0,
    );
  }

  /** Resolves once the note `name` exists; with false when `givenUp` is true first. */
  async see(name: string, givenUp: () => boolean = () => false): Promise<boolean> {
    while (!givenUp() && !this.#end?.aborted) {
      if ((await this.count(name)) > 0) return true;
      await pause(PAUSE);
    }
    return false;
  }

  /** Resolves with the count of `name`, once it has not changed for `rest` milliseconds, or reached `most`. */
  async settle(name: string, rest: number, most: number): Promise<number> {
    let before = -1;
    let count = await this.count(name);
    while (!this.#end?.aborted && count < most && (count === 0 || count !== before)) {
      await pause(rest);
      before = count;
      count = await this.count(name);
    }
    return count;
  }
}

const pause = (milliseconds: number): Promise<void> =>
  new Promise((resolve) => setTimeout(resolve, milliseconds));
