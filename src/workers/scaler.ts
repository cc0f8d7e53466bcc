// Has the number of processes of an application follow its requests: measures from time to time, decides by the rules of
// scaling.ts, and says in the log why.
// Tested by test/workers/elastic.test.ts.
import type { Log, ProcessBounds } from "../exchange/index.ts";
import { CHECK_INTERVAL, decide, describeDecision, isElastic, type ScalingFacts } from "./scaling.ts";

/** The facts that the processes themselves tell. */
export interface Measurement extends Omit<ScalingFacts, "spare" | "pausing"> {
  /** The application could do without one of them. */
  readonly isSpare: boolean;
}

/** What is scaled. */
export interface Scaled {
  /** `late`: this process was held up, and so may be what it sees of others. */
  measure(now: number, late: boolean): Measurement;
  start(count: number): void;
  /** Ends so many that are not needed, each with the requests that it has. */
  retire(count: number): void;
}

export interface ScalerOptions {
  readonly bounds: ProcessBounds;
  readonly idleTimeout: number;
  /** For the log: "shop:app". */
  readonly name: string;
  readonly log: Log;
}

/** Milliseconds since the last check, after which one is late. */
const LATE = CHECK_INTERVAL * 2;

export class Scaler {
  readonly #scaled: Scaled;
  readonly #options: ScalerOptions;
  #bounds: ProcessBounds;
  #timer: NodeJS.Timeout | undefined;
  #checkedAt = performance.now();
  #spareSince = performance.now();
  #pausedUntil = 0;

  constructor(scaled: Scaled, options: ScalerOptions) {
    this.#scaled = scaled;
    this.#options = options;
    this.#bounds = options.bounds;
  }

  get bounds(): ProcessBounds {
    return this.#bounds;
  }

  begin(): void {
    this.end();
    if (isElastic(this.#bounds)) this.#timer = setInterval(() => this.check(), CHECK_INTERVAL).unref();
  }

  end(): void {
    clearInterval(this.#timer);
  }

  /** Effective at once. */
  setBounds(bounds: ProcessBounds): void {
    this.#bounds = bounds;
    this.#pausedUntil = 0;
    this.begin();
    this.check();
  }

  /** No more are started for so many milliseconds, as the last one failed to. */
  pause(milliseconds: number): void {
    this.#pausedUntil = performance.now() + milliseconds;
  }

  check(): void {
    const facts = this.#facts(performance.now());
    const { idleTimeout, name, log } = this.#options;
    const decision = decide(facts, { ...this.#bounds, idleTimeout });
    if (!decision) return;
    // Another one ends only when those that are left have shown that they are too many.
    this.#spareSince = performance.now();
    log.info(`${name} ${describeDecision(facts, decision)}`);
    if (decision.count > 0) this.#scaled.start(decision.count);
    else this.#scaled.retire(-decision.count);
  }

  #facts(now: number): ScalingFacts {
    const { isSpare, ...measured } = this.#scaled.measure(now, now - this.#checkedAt > LATE);
    this.#checkedAt = now;
    if (!isSpare || measured.waiting > 0) this.#spareSince = now;
    return { ...measured, spare: now - this.#spareSince, pausing: now < this.#pausedUntil };
  }
}
