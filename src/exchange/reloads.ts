// Reloads, one at a time. A reload requested while another is under way must not be dropped: the one under way may have read
// the old version of the application. It follows, once for all requests made meanwhile.
// Several that are to take effect together agree first: none takes over before all are ready, and none does when one has failed.

/** Called when what is new is ready. Resolves when it may take over; rejects when it must not. */
export type Agree = () => Promise<void>;

/** Of a reload that depends on no other. */
export const alone: Agree = async () => {};

/** Why a reload that was ready has not taken over. */
class Disagreed extends Error {}

/** Whether it was ready in vain, because another one failed. */
export const isDisagreed = (reason: unknown): boolean => reason instanceof Disagreed;

/**
 * Runs reloads that take effect together, and gives how they ended. One that never calls `agree` counts as ready when it has ended.
 * `agree`: of those, all together, with others.
 */
export function together<T>(
  reloads: readonly ((agree: Agree) => Promise<T>)[],
  agree: Agree = alone,
): Promise<PromiseSettledResult<T>[]> {
  const ready: Promise<unknown>[] = [];
  // In a later turn: all have begun by then.
  const agreed = Promise.resolve().then(async () => {
    const results = await Promise.allSettled(ready);
    if (results.some(({ status }) => status === "rejected"))
      throw new Disagreed("another app could not be reloaded: all stay as they were");
    await agree();
  });
  agreed.catch(() => {}); // nobody may wait for it
  const ends = reloads.map((reload) => {
    let end!: Promise<T>;
    ready.push(
      new Promise((resolve, reject) => {
        end = reload(() => {
          resolve(undefined);
          return agreed;
        });
        end.then(resolve, reject);
      }),
    );
    return end;
  });
  return Promise.allSettled(ends);
}

/** Throws why they failed. */
export function throwFirst(results: readonly PromiseSettledResult<unknown>[]): void {
  const reasons = results.flatMap((result) => (result.status === "rejected" ? [result.reason] : []));
  if (reasons.length > 0) throw reasons.find((reason) => !isDisagreed(reason)) ?? reasons[0];
}

export class Reloads {
  readonly #reload: (agree: Agree) => Promise<void>;
  #present: Promise<void> | undefined;
  #next: Promise<void> | undefined;
  /** Of all who have asked for the next. */
  #agreements: Agree[] = [];

  constructor(reload: (agree: Agree) => Promise<void>) {
    this.#reload = reload;
  }

  /**
   * Settles with a reload that begins after this call; calls in one turn, or during one reload, share the next. Who asks for several
   * that are to take effect together asks for all of them in one turn: two who do cannot wait for each other.
   */
  ask(agree: Agree = alone): Promise<void> {
    this.#agreements.push(agree);
    const follow = (): Promise<void> => {
      this.#next = undefined;
      return this.#begin();
    };
    this.#next ??= (this.#present ?? Promise.resolve()).then(follow, follow);
    return this.#next;
  }

  #begin(): Promise<void> {
    const over = (): void => {
      this.#present = undefined;
    };
    const agreements = this.#agreements;
    this.#agreements = [];
    const present = this.#reload(async () => {
      await Promise.all(agreements.map((agree) => agree()));
    });
    this.#present = present;
    // Registered first, so that the reload that follows finds the place free.
    present.then(over, over);
    return present;
  }
}
