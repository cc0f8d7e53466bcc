// The life-cycle of a connection, driven by its protocol's table of states: how long each may last, and what to do when it
// has lasted too long, when the peer ends its side, and when the listener closes.

/** A row of the table. The names of moves are those of the connection's methods; protocols add columns of their own. */
export interface Rule<Limit extends string = string, Move extends string = string> {
  /** The limit that says how long the state may last; undefined where something else ends it. */
  readonly limit: Limit | undefined;
  /** It has lasted that long. */
  readonly expired: Move | CommonMove;
  /** The peer has ended its side, and all that it sent has been read. */
  readonly ended: Move | CommonMove;
}

/** A row of a connection that its listener manages. */
export interface ManagedRule<Limit extends string = string, Move extends string = string>
  extends Rule<Limit, Move> {
  /** The listener closes. */
  readonly stopped: Move | CommonMove;
}

/** leave: close as soon as what was written has left. drop: close at once. stay: go on. */
export type CommonMove = "leave" | "drop" | "stay";

type MoveOf<R extends Rule> = R extends ManagedRule
  ? R["expired" | "ended" | "stopped"]
  : R["expired" | "ended"];
type OwnMove<R extends Rule> = Exclude<MoveOf<R>, CommonMove>;

/** What a table leaves to the connection. */
export type Moves<R extends Rule> = Readonly<Record<OwnMove<R>, () => void>> & {
  /** Whether bytes are on their way out: then the state may last as long again, and `sendTimeout` counts instead. */
  sending(): boolean;
};

/** A socket, or another stream for protocols that do not leave. */
interface Transport {
  resume(): unknown;
  destroySoon?(): void;
  destroy(): unknown;
}

export class Lifecycle<State extends string, R extends Rule> {
  state: State | "linger";
  rule: R;
  /** When the state has lasted too long, on the clock's time. */
  deadline = Number.POSITIVE_INFINITY;
  readonly #rules: Readonly<Record<State | "linger", R>>;
  readonly #limits: Readonly<Record<NonNullable<R["limit"]>, number>>;
  readonly #clock: { readonly now: number };
  readonly #transport: Transport;
  readonly #moves: Moves<R>;

  constructor(
    rules: Readonly<Record<State | "linger", R>>,
    first: NoInfer<State> | "linger",
    limits: Readonly<Record<NonNullable<R["limit"]>, number>>,
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
    const limit = rule.limit as NonNullable<R["limit"]> | undefined;
    this.state = state;
    this.rule = rule;
    this.deadline = limit === undefined ? Number.POSITIVE_INFINITY : this.#clock.now + this.#limits[limit];
  }

  /** As `enter`, but within the time of the present state. */
  advance(state: State): void {
    const { deadline } = this;
    this.enter(state);
    this.deadline = deadline;
  }

  /** The state may last as long again. */
  renew(): void {
    this.enter(this.state);
  }

  /** The state may last for ever: it is for us, not for the peer, to end it. */
  suspend(): void {
    this.deadline = Number.POSITIVE_INFINITY;
  }

  /** Ends what has lasted too long. */
  check(now: number): void {
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
