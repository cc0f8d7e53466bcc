// The life-cycle of a connection, driven by its protocol's table of states: how long each may last, and what to do when it
// has lasted too long, when the peer ends its side, and when the listener closes.

/** A row of the table. The names of moves are those of the connection's methods; protocols add columns of their own. */
export interface StateRule<Limit extends string = string, Move extends string = string> {
  /** The limit that says how long the state may last; undefined where something else ends it. */
  readonly limit: Limit | undefined;
  /** It has lasted that long. */
  readonly expired: Move | CommonMove;
  /** The peer has ended its side, and all that it sent has been read. */
  readonly ended: Move | CommonMove;
}

/** A row of a connection that its listener manages. */
export interface ManagedRule<Limit extends string = string, Move extends string = string>
  extends StateRule<Limit, Move> {
  /** The listener closes. */
  readonly stopped: Move | CommonMove;
}

/** leave: close as soon as what was written has left. drop: close at once. stay: go on. */
export type CommonMove = "leave" | "drop" | "stay";

type MoveOf<R extends StateRule> = R extends ManagedRule
  ? R["expired" | "ended" | "stopped"]
  : R["expired" | "ended"];
type Limits<R extends StateRule> = Readonly<Record<NonNullable<R["limit"]>, number>>;
type OwnMove<R extends StateRule> = Exclude<MoveOf<R>, CommonMove>;

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
    const limit: R["limit"] = rule.limit;
    this.state = state;
    this.rule = rule;
    this.deadline =
      limit === undefined
        ? Number.POSITIVE_INFINITY
        : this.#clock.now + this.#limits[limit as NonNullable<R["limit"]>];
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

  /** Does what the table says of a state that has lasted too long. */
  checkDeadline(now: number): void {
    if (this.deadline > now) return;
    if (this.#moves.sending()) this.renew();
    else this.move(this.rule.expired as MoveOf<R>);
  }

  move(move: MoveOf<R>): void {
    if (move === "leave") this.#transport.destroySoon?.();
    else if (move === "drop") this.#transport.destroy();
    else if (move !== "stay") this.#moves[move as OwnMove<R>]();
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
}
