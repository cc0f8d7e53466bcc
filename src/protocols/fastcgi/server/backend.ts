// One place where a FastCGI application is reached: what it can do, and the connections to it that are kept.
import type { Socket } from "node:net";
import { setTimeout as delay } from "node:timers/promises";
import { type Log, SallyportError } from "../../../exchange/index.ts";
import type { ConnectionReader, Upstream } from "../../../upstreams/index.ts";
import { STATUS } from "../codec.ts";
import { askValues, type Values } from "../values.ts";
import { ApplicationConnection, type ApplicationConnectionOwner } from "./connection.ts";
import { type OutgoingRequest, refusalOf } from "./request.ts";

export interface BackendOptions {
  readonly log: Log;
  /** Whether connections are kept for more than one request. */
  readonly keep: boolean;
  /** Connections at once; undefined: as many as the application says, or `USUAL_CONNECTIONS`. */
  readonly connections: number | undefined;
  /** Milliseconds for which a kept connection may be idle. */
  readonly idleTimeout: number;
  /** Milliseconds that the application may stop for in the middle of a record; 0 for no limit. */
  readonly timeout: number;
  /** Milliseconds for the answer to what the application can do. */
  readonly valuesTimeout: number;
}

/** Who has the places. */
export interface BackendOwner {
  /** There is room for another request. */
  onRoom(): void;
  /** Takes the request that waits longest, if `backend` may have it and it may be lost once. */
  next(backend: Backend): OutgoingRequest | undefined;
  /** `outbound` must be tried again, elsewhere if `backend` is given, or fail with `failure`. */
  again(outbound: OutgoingRequest, failure: SallyportError, backend: Backend | undefined): void;
}

const USUAL_CONNECTIONS = 16;
/** Milliseconds after which a connection that says nothing is suspected of not being accepted. */
const PATIENCE = 50;
/** Requests at once on one connection, where the application takes several. */
const MOST_SHARED = 32;
/** Pauses between attempts while the application's queue of connections is full. */
const QUEUE_PAUSES = [5, 10, 20, 50, 100, 200, 400];

export class Backend implements ApplicationConnectionOwner {
  readonly #upstream: Upstream;
  readonly #options: BackendOptions;
  readonly #owner: BackendOwner;
  readonly #connections = new Set<ApplicationConnection>();
  /** Idle ones with the time when they became so; the last one is used first. */
  #idle: { channel: ApplicationConnection; since: number }[] = [];
  #values: Values | undefined;
  #asking: Promise<Values> | undefined;
  /** Requests that wait for a connection of their own. */
  #opening = 0;
  /** Connections on their way. */
  #connecting = 0;
  /** Requests inside, also those that are opening. */
  #busy = 0;
  #retired = false;
  /** A request has come to its end here. */
  servedOnce = false;
  #emptied: (() => void) | undefined;

  constructor(upstream: Upstream, options: BackendOptions, owner: BackendOwner) {
    this.#upstream = upstream;
    this.#options = options;
    this.#owner = owner;
  }

  get name(): string {
    return this.#upstream.name;
  }

  get busy(): number {
    return this.#busy;
  }

  get backingOff(): boolean {
    return this.#upstream.backingOff;
  }

  /** Whether another request may be begun. */
  get hasRoom(): boolean {
    if (this.#retired || this.#busy >= this.#mostRequests) return false;
    if (this.#hasFreeChannel) return true;
    // A connection that is free in a moment is not worth another one.
    return !this.#isSettling && this.#connections.size + this.#opening < this.#mostConnections;
  }

  /** Finds out what the application can do. Rejects with UPSTREAM_UNREACHABLE or UPSTREAM_BUSY. */
  async learn(): Promise<void> {
    if (this.#values) return;
    this.#asking ??= this.#patiently(() => askValues(this.#upstream, this.#options.valuesTimeout));
    try {
      this.#values = await this.#asking;
    } finally {
      this.#asking = undefined;
    }
  }

  /** Begins a request, now or when there is a connection. Only if there is room. */
  run(outbound: OutgoingRequest): void {
    this.#busy++;
    const channel = this.#takeChannel(outbound);
    if (channel) return channel.begin(outbound);
    this.#opening++;
    this.#open(outbound)
      .catch((error: unknown) => this.#unreachable(outbound, SallyportError.from(error)))
      .finally(() => {
        this.#opening--;
        this.#owner.onRoom();
      });
  }

  /** Closes connections that have been idle for too long, or that may keep others from being accepted. */
  tick(now: number): void {
    const oldest = this.#isStarving(now) ? now : now - this.#options.idleTimeout;
    const late = this.#idle.filter(({ since }) => since < oldest);
    this.#idle = this.#idle.filter(({ since }) => since >= oldest);
    for (const { channel } of late) channel.retire();
  }

  /** Takes no more requests. Resolves when those inside have ended, or after `grace` milliseconds. */
  async drain(grace: number): Promise<void> {
    this.#retired = true;
    for (const channel of this.#connections) channel.retire();
    if (this.#busy > 0) await this.#finished(grace);
    const stopping = new SallyportError("STOPPING", "the server stopped before the response was complete");
    for (const channel of this.#connections) channel.destroy(stopping);
  }

  // What channels tell.

  ended(outbound: OutgoingRequest, _channel: ApplicationConnection, protocolStatus: number): void {
    this.#left();
    this.servedOnce = true;
    const refusal = refusalOf(protocolStatus);
    if (!refusal || outbound.over) return;
    if (protocolStatus === STATUS.CANT_MPX_CONN && this.#values?.multiplexes) {
      this.#values = { ...this.#values, multiplexes: false };
      return this.#refused(outbound, refusal, undefined);
    }
    this.#refused(outbound, refusal, this);
  }

  lost(outbound: OutgoingRequest, error: SallyportError): void {
    this.#left();
    if (!outbound.mayRepeat) return outbound.fail(error);
    this.#owner.again(outbound, error, undefined);
  }

  next(channel: ApplicationConnection): OutgoingRequest | undefined {
    if (channel.shared || this.#isUnwanted()) return undefined;
    const outbound = this.#owner.next(this);
    if (outbound) this.#busy++;
    return outbound;
  }

  idle(channel: ApplicationConnection): void {
    if (this.#isUnwanted()) return channel.retire();
    if (this.#idle.some((entry) => entry.channel === channel)) return;
    this.#idle.push({ channel, since: performance.now() });
    this.#owner.onRoom();
  }

  gone(channel: ApplicationConnection): void {
    this.#connections.delete(channel);
    this.#idle = this.#idle.filter((entry) => entry.channel !== channel);
    this.#owner.onRoom();
  }

  /**
   * Some connection may wait to be accepted. A process that serves one connection at a time (PHP, libfcgi) accepts
   * another only when the one that it has is closed; kept, the first would starve the others.
   */
  #isStarving(now?: number): boolean {
    for (const channel of this.#connections)
      if (!channel.heard && (now ?? performance.now()) - channel.since > PATIENCE) return true;
    return false;
  }

  /** Whether a connection that has become free is one too many. */
  #isUnwanted(): boolean {
    return this.#retired || this.#connections.size > this.#mostConnections || this.#isStarving();
  }

  get #isSettling(): boolean {
    for (const channel of this.#connections) if (channel.settling) return true;
    return false;
  }

  get #mostConnections(): number {
    return this.#options.connections ?? this.#values?.connections ?? USUAL_CONNECTIONS;
  }

  get #mostRequests(): number {
    if (!this.#values?.multiplexes) return this.#mostConnections;
    return Math.min(this.#values.requests ?? Number.POSITIVE_INFINITY, this.#mostConnections * MOST_SHARED);
  }

  get #hasFreeChannel(): boolean {
    if (this.#idle.length > 0) return true;
    for (const channel of this.#connections) if (channel.shared && channel.room > 0) return true;
    return false;
  }

  #takeChannel(outbound: OutgoingRequest): ApplicationConnection | undefined {
    // One that has been idle for longer will hardly be closed just now, which matters where nothing is repeated.
    const idle = (outbound.expendable ? this.#idle.pop() : this.#idle.shift())?.channel;
    if (idle && idle.room > 0) return idle;
    // Where one connection can carry several requests, another is made only when the others are full.
    for (const channel of this.#connections) if (channel.shared && channel.room > 0) return channel;
    return undefined;
  }

  async #open(outbound: OutgoingRequest): Promise<void> {
    await this.learn();
    const free = this.#takeChannel(outbound);
    if (free) return free.begin(outbound);
    // The application may have said that it takes fewer than we thought.
    if (this.#connections.size + this.#connecting >= this.#mostConnections) return this.#later(outbound);
    let made: ApplicationConnection | undefined;
    const socket = await this.#connect((bytes) => made?.received(bytes));
    // One that became free meanwhile is better: who knows whether the new one is accepted while that one is kept.
    const freed = this.#takeChannel(outbound);
    if (freed) socket.destroy();
    else made = this.#newChannel(socket);
    const channel = freed ?? (made as ApplicationConnection);
    if (!outbound.over) return channel.begin(outbound);
    this.#left();
    if (channel.idle) this.idle(channel);
  }

  #newChannel(socket: Socket): ApplicationConnection {
    const capacity = this.#values?.multiplexes ? MOST_SHARED : 1;
    const { keep, timeout } = this.#options;
    const channel = new ApplicationConnection(socket, this, { keep, capacity, timeout });
    this.#connections.add(channel);
    return channel;
  }

  async #connect(reader: ConnectionReader): Promise<Socket> {
    this.#connecting++;
    try {
      return await this.#patiently(() => this.#upstream.connect(reader));
    } finally {
      this.#connecting--;
    }
  }

  /** A full queue of connections is soon shorter: it is no failure yet. Rejects with UPSTREAM_BUSY when it stays full. */
  async #patiently<T>(attempt: () => Promise<T>): Promise<T> {
    for (let attempts = 0; ; attempts++) {
      try {
        return await attempt();
      } catch (error) {
        if (!isFull(error)) throw error;
        await this.#pause(QUEUE_PAUSES[attempts]);
      }
    }
  }

  async #pause(pause: number | undefined): Promise<void> {
    if (pause === undefined)
      throw new SallyportError("UPSTREAM_BUSY", `the queue of connections to ${this.name} is full`);
    await delay(pause);
  }

  #later(outbound: OutgoingRequest): void {
    this.#left();
    this.#owner.again(outbound, new SallyportError("UPSTREAM_BUSY", `${this.name} has no room`), undefined);
  }

  #unreachable(outbound: OutgoingRequest, error: SallyportError): void {
    this.#left();
    // It may come back as another program, or with other limits.
    this.#values = undefined;
    this.#owner.again(outbound, error, this);
  }

  #refused(outbound: OutgoingRequest, refusal: SallyportError, backend: Backend | undefined): void {
    if (refusal.status === 503 && outbound.spec.repeatable) this.#owner.again(outbound, refusal, backend);
    else outbound.fail(refusal);
  }

  #left(): void {
    this.#busy--;
    if (this.#busy === 0) this.#emptied?.();
    this.#owner.onRoom();
  }

  async #finished(grace: number): Promise<void> {
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, grace);
      this.#emptied = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }
}

const isFull = (error: unknown): boolean =>
  ((error as SallyportError).cause as NodeJS.ErrnoException | undefined)?.code === "EAGAIN";
