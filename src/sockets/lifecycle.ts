// The life-cycle of a connection, driven by its protocol's table of states: how long each may last, and what to do when it
// has lasted too long, when the peer ends its side, and when the listener closes.

/** A row of the table. Moves of its own are methods of the connection; a protocol may add columns. */
export interface StateRule<Limit extends string = string, Move extends string = string> {
  /** The limit that says how long the state may last; undefined where something else ends it. */
  readonly limit: Limit | undefined;
  /** It has lasted that long. */
  readonly expired: Move | CommonMove;
  /** The peer has ended its side, and all that it sent has been read. */
  readonly ended: Move | CommonMove;
  /** The listener closes. */
  readonly stopped: Move | CommonMove;
}

/** leave: close as soon as what was written has left. drop: close at once. stay: go on. */
type CommonMove = "leave" | "drop" | "stay";
type MoveOf<R extends StateRule> = R["expired" | "ended" | "stopped"];
type OwnMove<R extends StateRule> = Exclude<MoveOf<R>, CommonMove>;
type Limits<R extends StateRule> = Readonly<Record<NonNullable<R["limit"]>, number>>;

/** What a table leaves to the connection. */
export type Moves<R extends StateRule> = Readonly<Record<OwnMove<R>, () => void>> & {
  /** Whether bytes are on their way out: then the state may last as long again, and `sendTimeout` counts instead. */
  sending(): boolean;
};

/** A socket, or another stream for protocols that do not leave. */
interface Transport {
  resume(): unknown;
  destroySoon?(): void;
  destroy(): unknown;
}

export class ConnectionLifecycle<State extends string, R extends StateRule> {
  state: State | "linger";
  rule: R;
  /** When the state has lasted too long, on the clock's time. */
  deadline = Number.POSITIVE_INFINITY;
  readonly #rules: Readonly<Record<State | "linger", R>>;
  readonly #limits: Limits<R>;
  readonly #clock: { readonly now: number };
  readonly #transport: Transport;
  readonly #moves: Moves<R>;

  constructor(
    rules: Readonly<Record<State | "linger", R>>,
    first: NoInfer<State> | "linger",
    limits: Limits<R>,
    clock: { readonly now: number },
    transport: Transport,
    moves: Moves<R>,
  ) {
    this.#rules = rules;
    this.#limits = limits;
    this.#clock = clock;
    this.#transport = transport;
    this.#moves = moves;
    this.state = first;
    this.rule = rules[first];
    this.renew();
  }

  enter(state: State | "linger"): void {
    const rule = this.#rules[state];
    const limit = rule.limit as keyof Limits<R> | undefined;
    this.state = state;
    this.rule = rule;
    this.deadline = this.#clock.now + (limit === undefined ? Number.POSITIVE_INFINITY : this.#limits[limit]);
  }

  /** As `enter`, but within the time of the present state. */
  advance(state: State): void {
    const { deadline } = this;
    this.enter(state);
    this.deadline = deadline;
  }

  /** The state may last as long again, from now. */
  renew(): void {
    this.enter(this.state);
  }

  /** The state has no deadline until it is renewed: the peer waits for us. */
  suspend(): void {
    this.deadline = Number.POSITIVE_INFINITY;
  }

  // What may happen to every connection.

  checkDeadline(now: number): void {
    if (this.deadline > now) return;
    if (this.#moves.sending()) this.renew();
    else this.#move(this.rule.expired);
  }

  ended(): void {
    this.#move(this.rule.ended);
  }

  stop(): void {
    this.#move(this.rule.stopped);
  }

  /**
   * Our side ends. Until the peer has ended its own, what it sends is read for nothing: closing at once could take back what
   * it has not read yet. False when that was so already.
   */
  linger(): boolean {
    if (this.state === "linger") return false;
    this.enter("linger");
    this.#transport.resume();
    return true;
  }

  #move(move: MoveOf<R>): void {
    if (move === "leave") this.#transport.destroySoon?.();
    else if (move === "drop") this.#transport.destroy();
    else if (move !== "stay") this.#moves[move as OwnMove<R>]();
  }
}
