// Which state a connection is in, and until when.
import type { HttpLimits } from "../../http/limits.ts";
import { CONNECTION_RULES, type ConnectionState, type Rule } from "./states.ts";

/** Milliseconds for the request of a connection that is new when the listener closes. */
const LAST_REQUEST = 500;

export class ConnectionPhase {
  state: ConnectionState = "fresh";
  /** When the state has lasted too long. */
  deadline = Number.POSITIVE_INFINITY;
  readonly #clock: { readonly now: number };
  readonly #limits: HttpLimits;

  constructor(clock: { readonly now: number }, limits: HttpLimits) {
    this.#clock = clock;
    this.#limits = limits;
    this.enter("fresh");
  }

  get rule(): Rule {
    return CONNECTION_RULES[this.state];
  }

  enter(state: ConnectionState): void {
    this.state = state;
    const { limit } = CONNECTION_RULES[state];
    this.deadline = limit === undefined ? Number.POSITIVE_INFINITY : this.#clock.now + this.#limits[limit];
  }

  /** It may last as long again; for ever while that is for us, not for the client, to end. */
  renew(ours: boolean): void {
    if (ours) this.deadline = Number.POSITIVE_INFINITY;
    else this.enter(this.state);
  }

  /** Whoever has just connected has a request on its way, and other server processes may be there to go on. */
  hear(): void {
    this.deadline = Math.min(this.deadline, this.#clock.now + LAST_REQUEST);
  }
}
