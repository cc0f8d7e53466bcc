// One address of a FastCGI application: what the application there can do, and the connections to it that are kept.
import type { Socket } from "node:net";
import { setTimeout as delay } from "node:timers/promises";
import { SallyportError } from "../../../exchange/index.ts";
import { timerDelay } from "../../../exchange/wait.ts";
import { graceOver } from "../../../sockets/connections.ts";
import type { ConnectionReader, Upstream } from "../../../upstreams/index.ts";
import { STATUS } from "../codec.ts";
import { askValues, NO_REPLY, type Values } from "../values.ts";
import type { Attempt } from "./attempt.ts";
import type { Backends } from "./backends.ts";
import { ApplicationConnection } from "./connection.ts";
import { addConnection, connectionsTo, deleteConnection } from "./neighbours.ts";
import { type OutgoingRequest, refusalOf } from "./request.ts";

export interface BackendOptions {
  /** Whether connections are kept for more than one request; undefined: where the application answers questions (`#keeps`). */
  readonly keep: boolean | undefined;
  /** Connections at once; undefined: as many as the application says, or `USUAL_CONNECTIONS`. */
  readonly connections: number | undefined;
  /** Milliseconds for which a kept connection may be idle; undefined: `TURN` where it takes turns, or `USUAL_IDLE_TIMEOUT`. */
  readonly idleTimeout: number | undefined;
  /** The process there was started for us alone: no other server or app needs a connection to it. */
  readonly exclusive: boolean;
  /** Milliseconds that the application may stop for in the middle of a record; 0 for no limit. */
  readonly timeout: number;
  /** Milliseconds for the answer to FCGI_GET_VALUES. */
  readonly valuesTimeout: number;
  /** Milliseconds for which a process that we have started may say nothing at all, and yet does not hang. */
  readonly startTimeout: number;
}

const USUAL_CONNECTIONS = 16;
const USUAL_IDLE_TIMEOUT = 30_000;
/**
 * Milliseconds for which a connection is kept where others may wait for it: each process of PHP-FPM accepts another connection only
 * when its present one has ended. Those of other server processes and programs wait without a sign that we could see.
 */
const TURN = 1_000;
/** Milliseconds of silence after which a connection may be waiting in the application's queue (`#isStarving`). */
const PATIENCE = 50;
/** Milliseconds for which others are preferred to one that has left a request unanswered. */
const AVOIDED = 30_000;
const ABSENT: ReadonlySet<string> = new Set(["ENOENT", "ECONNREFUSED"]);
/** Milliseconds for the answer of an application that has just spoken: one that never answers may serve nobody else meanwhile. */
const PROMPT = 100;
/** Requests at once on one connection, where the application takes several. */
const MOST_SHARED = 32;

export class Backend {
  readonly #upstream: Upstream;
  readonly #options: BackendOptions;
  readonly #backends: Backends;
  readonly #connections = new Set<ApplicationConnection>();
  /** Of these the idle ones, the latest last. */
  #idle: ApplicationConnection[] = [];
  #values: Values | undefined;
  #asking: Promise<Values> | undefined;
  /** Requests that wait for a connection of their own. */
  #opening = 0;
  /** Connections that are being established. */
  #connecting = 0;
  /** Requests inside, with those that are opening. */
  #busy = 0;
  #retired = false;
  /** Milliseconds, `performance.now`. */
  readonly #since = performance.now();
  /** Something has come from the application. */
  #hasSpoken = false;
  /** A request has come to its end here. */
  servedOnce = false;
  /** Requests that it has been given. */
  requests = 0;
  /** Why we ended the process there: what was inside is not tried again. */
  endedFor: SallyportError | undefined;
  /** Nothing has come from the application since it began to be doubted. */
  #isQuiet = false;
  /** It is being found out whether it hangs. */
  #isDoubted = false;
  #doubtedAt = Number.NEGATIVE_INFINITY;
  /** Called when a process of ours hangs. */
  onHang: (() => void) | undefined;
  /** Called when nothing listens there. */
  onUnreachable: ((error: SallyportError) => void) | undefined;
  /** Called when no request is inside. */
  readonly #emptied = new Set<() => void>();

  constructor(upstream: Upstream, options: BackendOptions, backends: Backends) {
    this.#upstream = upstream;
    this.#options = options;
    this.#backends = backends;
  }

  /** Its address, for logs. */
  get name(): string {
    return this.#upstream.name;
  }

  get busy(): number {
    return this.#busy;
  }

  /** Whether others are better: it could not be reached lately, is starting, or has left a request unanswered and said nothing since. */
  get backingOff(): boolean {
    if (this.#isStarting) return true;
    return this.#upstream.backingOff || (this.#isQuiet && performance.now() - this.#doubtedAt < AVOIDED);
  }

  /** Whether another request may be begun. */
  get hasRoom(): boolean {
    if (this.#retired || this.#busy >= this.#mostRequests) return false;
    if (this.#isDoubted && this.#isQuiet) return false;
    if (this.#hasFreeConnection) return true;
    // Better to wait for a connection that is free in a moment than to open another one.
    return !this.settling && this.#connections.size + this.#opening < this.#mostConnections;
  }

  /** Asks a process that we have just started what it can do. Resolves with whether it answered within `limit` ms. Never rejects. */
  async introduce(limit: number): Promise<boolean> {
    if (!this.#mayAsk) return false;
    const values = await askValues(this.#upstream, limit).catch(() => undefined);
    this.#hasSpoken ||= values !== undefined && values.reply !== "none";
    // One that does not answer is not asked again before its first request, which would have to wait for that.
    if (values?.reply !== "closed") this.#values = values;
    return values?.reply === "values" || values?.reply === "prompted";
  }

  /** Where the options say all that the application could answer it is not asked: there are some that end of the question (Ruby's). */
  get #mayAsk(): boolean {
    return this.#options.keep !== false || this.#options.connections === undefined;
  }

  /** Asks what the application can do, once. Rejects with UPSTREAM_UNREACHABLE or UPSTREAM_BUSY. */
  async #learn(): Promise<void> {
    if (!this.#mayAsk) this.#values = NO_REPLY;
    if (!this.#values) await this.#ask();
  }

  async #ask(limit = this.#options.valuesTimeout): Promise<void> {
    this.#asking ??= askValues(this.#upstream, limit);
    try {
      this.#values = await this.#asking;
    } finally {
      this.#asking = undefined;
    }
  }

  /** Begins a request, now or when there is a connection. Only if there is room. */
  run(request: OutgoingRequest): void {
    this.#busy++;
    this.requests++;
    const connection = this.#takeConnection(request);
    if (connection) return connection.begin(request);
    this.#opening++;
    this.#open(request)
      .catch((error: unknown) => this.#unreachable(request, SallyportError.from(error)))
      .finally(() => {
        this.#opening--;
        this.#backends.pump();
      });
  }

  /** Closes connections that have been idle for too long, or that may keep others from being accepted. */
  tick(now: number): void {
    if (!this.#options.exclusive) this.#watchTurns(now);
    const oldest = this.#isStarving(now) ? now : now - this.#idleTimeout;
    const isLate = ({ idleSince = now }: ApplicationConnection): boolean => idleSince < oldest;
    const late = this.#idle.filter(isLate);
    if (late.length === 0) return;
    this.#idle = this.#idle.filter((connection) => !isLate(connection));
    for (const connection of late) connection.retire();
  }

  /**
   * An aborted request has not ended. A process of ours that is alive answers another question, or goes on with other
   * requests; one that does neither hangs, and is ended. Meanwhile that request keeps its place. After `patience` ms: a
   * request whose client has left may be finished, within the time that it would have had.
   */
  doubt(patience: number): void {
    if (this.#isDoubted) return;
    this.#isQuiet = true;
    this.#doubtedAt = performance.now();
    if (!this.#options.exclusive || this.#isStarting) return;
    this.#isDoubted = true;
    this.#busy++;
    void this.#hangs(patience).then((hangs) => {
      this.#isDoubted = false;
      this.#left();
      if (hangs) this.onHang?.();
    });
  }

  /** A process of ours counts as ready before it has said anything, as some never answer questions. */
  get #isStarting(): boolean {
    const { exclusive, startTimeout } = this.#options;
    return !this.#hasSpoken && exclusive && performance.now() - this.#since < startTimeout;
  }

  /** Never rejects. */
  async #hangs(patience: number): Promise<boolean> {
    // What answers no such questions may be waiting for something, which is its right until it is late.
    if (patience > 0 && this.#values?.reply !== "values") return false;
    const limit = Math.max(patience, this.#timeToAnswer);
    if (!this.#mayAsk) return this.#staysQuiet(limit);
    try {
      const { reply } = await askValues(this.#upstream, limit);
      return reply === "none" && this.#isQuiet;
    } catch (error) {
      // Its queue of connections is full, or it has ended.
      if (SallyportError.from(error).code !== "ERR_SALLYPORT_UPSTREAM_BUSY") return false;
      return this.#staysQuiet(limit);
    }
  }

  async #staysQuiet(limit: number): Promise<boolean> {
    await delay(limit, undefined, { ref: false });
    return this.#isQuiet && !this.#retired;
  }

  /**
   * For a question, while it is being found out whether it hangs. Where each request has a thread or a process of the application to
   * itself, nothing is answered while all of these are at work: on requests that are not late yet, which must not end with a late one.
   */
  get #timeToAnswer(): number {
    const { timeout, valuesTimeout } = this.#options;
    const hasOthers = this.#busy > 1; // the doubt itself counts as one
    return hasOthers && !this.#values?.multiplexes ? Math.max(valuesTimeout, timeout) : valuesTimeout;
  }

  /**
   * Takes no more requests. Resolves when those inside have ended; after `grace` milliseconds they fail with `reason`: by default, that the
   * server stops.
   */
  async drain(grace: number, reason = graceOver()): Promise<void> {
    this.#retired = true;
    for (const connection of this.#connections) connection.retire();
    if (this.#busy > 0) await this.#finished(grace);
    for (const connection of this.#connections) connection.destroy(reason);
  }

  // Calls of the connections.

  /** Something has come from the application. */
  spoke(): void {
    this.#isQuiet = false;
    if (this.#hasSpoken) return;
    this.#hasSpoken = true;
    // When it was started it was too slow to answer, or it never does.
    if (this.#values?.reply === "none" && this.#mayAsk) this.#ask(PROMPT).catch(() => {});
  }

  /** END_REQUEST came, or the request was aborted; `protocolStatus` is other than 0 when it was turned away. */
  ended(request: OutgoingRequest, protocolStatus: number): void {
    this.#left();
    this.servedOnce = true;
    const refusal = refusalOf(protocolStatus);
    if (!refusal || request.over) return;
    const mayRepeat = refusal.status === 503 && request.options.repeatable && !request.exchange.started;
    if (!mayRepeat) return request.fail(refusal);
    const values = this.#values;
    // It is asked again, with one request a connection.
    const cannotShare = protocolStatus === STATUS.CANT_MPX_CONN && values?.multiplexes;
    if (cannotShare) this.#values = { ...values, multiplexes: false };
    this.#backends.retry(request, refusal, cannotShare ? undefined : this);
  }

  /** The connection broke with `attempt` on it. */
  lost(attempt: Attempt, error: SallyportError): void {
    this.#left();
    if (this.endedFor) attempt.fail(this.endedFor);
    else if (attempt.mayRepeat) this.#backends.retry(attempt.request, error, undefined);
    else attempt.fail(error);
  }

  /** The request that may follow at once on a connection that has just become free, and might be closed by the application now. */
  next(connection: ApplicationConnection): OutgoingRequest | undefined {
    if (connection.shared || this.#isUnwanted(connection)) return undefined;
    const request = this.#backends.next(this);
    if (!request) return undefined;
    this.#busy++;
    this.requests++;
    return request;
  }

  /** The connection is free for any request. */
  idle(connection: ApplicationConnection): void {
    if (this.#isUnwanted(connection)) return connection.retire();
    if (connection.idleSince !== undefined) return;
    connection.idleSince = performance.now();
    this.#idle.push(connection);
    this.#backends.pump();
  }

  gone(connection: ApplicationConnection): void {
    this.#connections.delete(connection);
    deleteConnection(this.name, connection);
    this.#idle = this.#idle.filter((other) => other !== connection);
    this.#backends.pump();
  }

  /**
   * Some connection may wait to be accepted, of this app or of another one. A process that serves one connection at a time
   * (PHP, libfcgi) accepts another only when it has closed its present one, which would starve the others if it were kept.
   */
  #isStarving(now?: number): boolean {
    for (const connection of connectionsTo(this.name))
      if (!connection.heard && (now ?? performance.now()) - connection.since > PATIENCE) return true;
    return false;
  }

  /** A turn begins when the application has accepted the connection; it ends, under load too, with the next request that ends. */
  #watchTurns(now: number): void {
    for (const connection of this.#connections) {
      if (connection.shared || !connection.heard) continue;
      connection.turnEnds ??= now + TURN;
      connection.hadTurn = now >= connection.turnEnds;
    }
  }

  get #idleTimeout(): number {
    const { idleTimeout, exclusive } = this.#options;
    return idleTimeout ?? (exclusive || this.#values?.multiplexes ? USUAL_IDLE_TIMEOUT : TURN);
  }

  /** Whether a connection that has become free is one too many, or is to make room for others'. */
  #isUnwanted({ hadTurn }: ApplicationConnection): boolean {
    return hadTurn || this.#retired || this.#connections.size > this.#mostConnections || this.#isStarving();
  }

  /** A connection is free in a moment, or closed by the application. */
  get settling(): boolean {
    for (const connection of this.#connections) if (connection.settling) return true;
    return false;
  }

  get #mostConnections(): number {
    return this.#options.connections ?? this.#values?.connections ?? USUAL_CONNECTIONS;
  }

  get #mostRequests(): number {
    if (!this.#values?.multiplexes) return this.#mostConnections;
    return Math.min(this.#values.requests ?? Number.POSITIVE_INFINITY, this.#mostConnections * MOST_SHARED);
  }

  get #hasFreeConnection(): boolean {
    return this.#idle.length > 0 || this.#sharedWithRoom() !== undefined;
  }

  #sharedWithRoom(
    suits: (connection: ApplicationConnection) => boolean = () => true,
  ): ApplicationConnection | undefined {
    for (const connection of this.#connections)
      if (connection.shared && connection.room > 0 && suits(connection)) return connection;
    return undefined;
  }

  #takeConnection(request: OutgoingRequest): ApplicationConnection | undefined {
    // One that has been idle for longer is less likely to be closed just now, which matters for what is not sent twice.
    const idle = request.expendable ? this.#idle.pop() : this.#idle.shift();
    if (idle) idle.idleSince = undefined;
    if (idle && idle.room > 0) return idle;
    // Where one connection can carry several requests, another is made only when the others are full, or may be held up.
    const mayOpen = this.#connections.size + this.#connecting < this.#mostConnections;
    return (
      this.#sharedWithRoom((connection) => !connection.carriesBody) ??
      (mayOpen ? undefined : this.#sharedWithRoom())
    );
  }

  async #open(request: OutgoingRequest): Promise<void> {
    await this.#learn();
    // A request that nobody waits for any more would never be sent whole, nor aborted, and so never end.
    if (request.over) return this.#left();
    const free = this.#takeConnection(request);
    if (free) return free.begin(request);
    // The application may have said that it takes fewer than we thought.
    if (this.#connections.size + this.#connecting >= this.#mostConnections) return this.#later(request);
    let made: ApplicationConnection | undefined;
    const socket = await this.#connect((bytes) => made?.received(bytes));
    // One that became free meanwhile is better: the application may not accept the new one before it closes that one.
    const freed = this.#takeConnection(request);
    if (freed) socket.destroy();
    else made = this.#newConnection(socket);
    const connection = freed ?? (made as ApplicationConnection);
    if (!request.over) return connection.begin(request);
    this.#left();
    if (connection.idle) this.idle(connection);
  }

  /**
   * By default not where it leaves a question unanswered, nor libfcgi's: of its threads (threaded.c) one waits for the next connection,
   * and holds the lock that another one needs to read the next request of a kept one.
   */
  get #keeps(): boolean {
    return this.#options.keep ?? !(this.#values?.reply === "none" || this.#values?.reply === "prompted");
  }

  #newConnection(socket: Socket): ApplicationConnection {
    const capacity = this.#values?.multiplexes ? MOST_SHARED : 1;
    const { timeout } = this.#options;
    const connection = new ApplicationConnection(socket, this, { keep: this.#keeps, capacity, timeout });
    this.#connections.add(connection);
    addConnection(this.name, connection);
    return connection;
  }

  async #connect(reader: ConnectionReader): Promise<Socket> {
    this.#connecting++;
    try {
      return await this.#upstream.connect(reader);
    } finally {
      this.#connecting--;
    }
  }

  #later(request: OutgoingRequest): void {
    this.#left();
    this.#backends.retry(request, new SallyportError("UPSTREAM_BUSY", `${this.name} has no room`), undefined);
  }

  #unreachable(request: OutgoingRequest, error: SallyportError): void {
    this.#left();
    // It may come back as another program, or with other limits.
    this.#values = undefined;
    if (isAbsent(error)) this.onUnreachable?.(error);
    this.#backends.retry(request, error, this);
  }

  /** A request has left. */
  #left(): void {
    this.#busy--;
    if (this.#busy === 0) for (const emptied of this.#emptied) emptied();
    this.#backends.pump();
  }

  async #finished(grace: number): Promise<void> {
    await new Promise<void>((resolve) => {
      const over = (): void => {
        clearTimeout(timer);
        this.#emptied.delete(over);
        resolve();
      };
      const timer = setTimeout(over, timerDelay(grace));
      this.#emptied.add(over);
    });
  }
}

/** Nothing listens there, as the system says. */
const isAbsent = ({ cause }: SallyportError): boolean =>
  ABSENT.has((cause as NodeJS.ErrnoException | undefined)?.code ?? "");
