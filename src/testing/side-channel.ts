// Notes: how an application tells the runner what it does, and is told to go on, besides its exchange. A note is a file,
// since processes of any language can make one; how long it is may tell how often something happened.
import { appendFile, stat } from "node:fs/promises";

const PAUSE = 5;

export class SideChannel {
  readonly #prefix: string;
  readonly #end: AbortSignal | undefined;

  /** `place` comes before each name. After `end` nothing is waited for. */
  constructor(place: string, end?: AbortSignal) {
    this.#prefix = place;
    this.#end = end;
  }

  async add(name: string): Promise<void> {
    await appendFile(this.#prefix + name, ".");
  }

  /** How often `name` was noted. */
  async count(name: string): Promise<number> {
    return stat(this.#prefix + name).then(
      ({ size }) => size,
      () => 0,
    );
  }

  /** Resolves once `name` was noted; with false when it was `givenUp` before. */
  async see(name: string, givenUp: () => boolean = () => false): Promise<boolean> {
    while (!givenUp() && !this.#end?.aborted) {
      if ((await this.count(name)) > 0) return true;
      await pause(PAUSE);
    }
    return false;
  }

  /** Resolves with how often `name` was noted, once that has not changed for `rest` milliseconds, or reached `most`. */
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
