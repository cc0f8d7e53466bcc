// One connection: a session of nghttp2, its streams, and limits to everything that costs a client nothing (RFC 9113, 10.5). nghttp2 and node:http2 bound header blocks, CONTINUATION frames and what waits to be sent.
// Tested by test/protocols/http2/floods.test.ts.
import {
  constants,
  performServerHandshake,
  type ServerHttp2Session,
  type ServerHttp2Stream,
} from "node:http2";
import type { Socket } from "node:net";
import { SallyportError } from "../../exchange/index.ts";
import { Members } from "../../exchange/members.ts";
import { logRefusal } from "../../http/refusals.ts";
import type { ConnectionFacts } from "../../sockets/connection.ts";
import type { ManagedConnection } from "../../sockets/connections.ts";
import { ConnectionFlow } from "./connection-flow.ts";
import { correctGoAwayCodes, reasonOf } from "./goaway.ts";
import type { Http2Limits } from "./limits.ts";
import type { Http2ListenerContext } from "./listener.ts";
import { Http2Stream } from "./stream.ts";
import { TokenBucket } from "./token-bucket.ts";

const { NGHTTP2_ENHANCE_YOUR_CALM } = constants;
/** How many windows of a stream a connection has. */
const WINDOWS = 4;
/** What RFC 9113, 6.5.2, adds to each field when it counts a header list. */
const FIELD_OVERHEAD = 32;
/** A header list up to this many times our own bounds is still read, so that it can be answered 431 and not only reset. */
const HEADER_SLACK = 2;
const PSEUDO_FIELDS = 8;
/** Bytes. A larger one makes node:http2 end the whole connection. */
const LARGEST_RESPONSE_HEAD = 2 ** 24;

export class Http2Connection implements ManagedConnection {
  place = -1;
  readonly context: Http2ListenerContext;
  readonly facts: ConnectionFacts;
  readonly flow: ConnectionFlow;
  readonly #socket: Socket;
  readonly #session: ServerHttp2Session;
  readonly #streams = new Members<Http2Stream>();
  readonly #resets: TokenBucket;
  readonly #nghttp2Resets: TokenBucket;
  readonly #controls: TokenBucket;
  /** When the connection has been without a stream for too long, on the listener's clock. */
  #deadline: number;
  #ending = false;
  /** Several streams were open at once since the last look. */
  #shared = false;
  /** It has had a stream. */
  #used = false;
  /** The client has exceeded a limit: nothing more is taken from it. */
  #flooded = false;
  /** The socket is. */
  #closed = false;

  constructor(socket: Socket, facts: ConnectionFacts, context: Http2ListenerContext) {
    const { limits } = context;
    const { now } = context.connections;
    this.context = context;
    this.facts = facts;
    this.#socket = socket;
    this.#resets = new TokenBucket(limits.resets, now);
    this.#nghttp2Resets = new TokenBucket(NGHTTP2_RESETS.most, now, NGHTTP2_RESETS.regrowth);
    this.#controls = new TokenBucket(limits.controls, now);
    this.#deadline = now + limits.headTimeout;
    this.#session = performServerHandshake(socket, sessionOptions(limits));
    this.flow = new ConnectionFlow(this.#session, socket, limits);
    this.#listen();
  }

  /** As of the listener's last tick. */
  get now(): number {
    return this.context.connections.now;
  }

  #listen(): void {
    const session = this.#session;
    correctGoAwayCodes(session);
    session.setLocalWindowSize(Math.min(this.context.limits.window * WINDOWS, LARGEST));
    session.on("stream", (stream, _, _flags, fields?: readonly string[]) => this.#open(stream, fields));
    session.on("ping", () => this.#control());
    session.on("remoteSettings", () => this.#control());
    // The socket's "close" always follows.
    session.on("error", (error) => this.#ended(error));
    // A client that has ended its side can open no windows and acknowledge nothing: it has left.
    this.#socket.on("end", () => this.#end());
    this.#socket.on("close", () => this.#socketClosed());
  }

  // The listener's calls.

  /** A client that has just connected has a request on its way, and it is answered. */
  leave(): void {
    if (this.#used) this.#goAway();
  }

  /** The listener closes: streams finish, and no new ones are opened (RFC 9113, 6.8). */
  get inFlight(): number {
    return this.#streams.size;
  }

  stop(): void {
    this.#goAway();
  }

  endEventStreams(): void {
    for (const stream of this.#streams) stream.endEvents();
  }

  /** The grace is over. */
  forceClose(): void {
    for (const stream of this.#streams) stream.forceClose();
  }

  /** Nothing may remain. */
  destroy(): void {
    this.#session.destroy();
    this.#socket.destroy();
    if (this.#closed) this.context.connections.gone(this);
  }

  checkDeadlines(now: number): void {
    if (this.#streams.size > 0) this.#look(now);
    for (const stream of this.#streams) stream.check(now);
    if (this.#deadline > now) return;
    if (this.#ending) this.destroy();
    else this.#goAway();
  }

  /** Where only one stream was open since the last look, any progress is its own. */
  #look(now: number): void {
    const shared = this.#streams.size > 1;
    const progress = this.flow.look(now, !shared && !this.#shared);
    this.#shared = shared;
    if (progress) for (const stream of this.#streams) stream.taken();
  }

  // The streams' calls.

  /** Whether a request may go on after its stream: together with the open ones they are no more than `streams`. */
  get hasRoom(): boolean {
    return !this.#socket.destroyed && this.#streams.size <= this.context.limits.streams;
  }

  /** The client has reset a stream before its response was complete. */
  cancelled(): void {
    if (!this.#resets.take(this.now)) this.#endFlood("cancelled requests");
    // A client that cancels often need not be an attacker: it gets its answers, and then a new connection.
    else if (this.#resets.isLow) this.#goAwayLater();
  }

  /** A stream has ended with RST_STREAM, before its response was complete or after. */
  rstStream(): void {
    this.#nghttp2Resets.take(this.now);
    if (this.#nghttp2Resets.isLow) this.#goAwayLater();
  }

  /** How many streams may be served before one that waits: where the connection has room, it waits for its own window. */
  get servedFirst(): number {
    return this.flow.isFull ? this.#streams.size - 1 : 0;
  }

  gone(stream: Http2Stream): void {
    this.#streams.delete(stream);
    if (this.#streams.size > 0) return;
    if (this.#closed) return this.context.connections.gone(this);
    const { limits } = this.context;
    this.#deadline = this.now + (this.#ending ? limits.lingerTimeout : limits.idleTimeout);
  }

  #open(stream: ServerHttp2Stream, fields: readonly string[] = []): void {
    if (this.#streams.size > 0) this.#shared = true;
    // Reset by the same bytes that opened it, or the connection is ending for a flood: no exchange is made.
    if (stream.destroyed || stream.closed || this.#flooded) return this.#ignore(stream);
    const opened = new Http2Stream(stream, this);
    this.#streams.add(opened);
    this.#deadline = Number.POSITIVE_INFINITY;
    this.#used = true;
    if (this.context.connections.leaving) this.#goAwayLater();
    opened.open(fields);
  }

  #ignore(stream: ServerHttp2Stream): void {
    stream.on("error", () => {});
    stream.destroy();
    this.rstStream();
    this.cancelled();
  }

  /** Requests that go on after their streams: when the listener leaves, they have the grace; otherwise their client has left. */
  #socketClosed(): void {
    this.#closed = true;
    const { connections } = this.context;
    if (!connections.leaving) for (const stream of this.#streams) stream.connectionClosed();
    if (!connections.leaving || this.#streams.size === 0) connections.gone(this);
  }

  #control(): void {
    this.flow.control();
    if (!this.#controls.take(this.now)) this.#endFlood("PING and SETTINGS frames");
  }

  /** The client has sent too much of something that costs it nothing: nothing more is taken from it. */
  #endFlood(what: string): void {
    if (this.#flooded) return;
    this.#flooded = true;
    const error = new SallyportError("BAD_REQUEST", `too many ${what} on one connection`);
    logRefusal(this.context.log, error, this.facts.remote.address);
    // Not at once: nghttp2 may be in the middle of a frame. Without an error, node:http2 would not send the code.
    setImmediate(() => this.#end(error, NGHTTP2_ENHANCE_YOUR_CALM));
  }

  /** Logs why the session failed, unless we ended it or the connection just broke. */
  #ended(error: unknown): void {
    const end = this.#flooded ? undefined : reasonOf(error);
    if (!end) return;
    const { message, code, fault } = end;
    const fields = { code, fault, remote: this.facts.remote.address, streams: this.#streams.size };
    if (fault === "client") this.context.log.info(message, fields);
    else this.context.log.error(message, fields);
  }

  /** Later, so that it is not in the middle of a frame, and that streams which came in the same bytes are still served. */
  #goAwayLater(): void {
    setImmediate(() => {
      if (!this.#flooded) this.#goAway();
    });
  }

  /** Sends GOAWAY, and closes when the last stream is over. */
  #goAway(): void {
    if (this.#ending) return;
    this.#ending = true;
    const idle = this.#streams.size === 0;
    this.#deadline = idle ? this.now + this.context.limits.lingerTimeout : Number.POSITIVE_INFINITY;
    this.#session.close();
  }

  #end(error?: SallyportError, code?: number): void {
    this.#ending = true;
    this.#session.destroy(error, code);
    this.#deadline = this.now + this.context.limits.lingerTimeout;
  }
}

/**
 * nghttp2 counts all RST_STREAM frames, also those after complete responses: beyond these, which grow back at 33 a second, it ends
 * the connection with INTERNAL_ERROR and no explanation. Only newer versions of Node have an option for that.
 */
const NGHTTP2_RESETS = { most: 1_000, regrowth: 30_000 };

/**
 * Bounds of node:http2 and nghttp2 that would end a connection with INTERNAL_ERROR, unexplained, before ours do: `resets`, `streams`,
 * `window` and `unsent` bound the same things. The memory of a session (megabytes) must be out of reach: Node does not give back
 * what a stream had queued when it was reset, and in the end refuses all new streams.
 */
const OUT_OF_REACH = { maxSessionMemory: 2 ** 31, streamResetBurst: 2 ** 31, streamResetRate: 2 ** 31 };

/** The largest window (RFC 9113, 6.9.1); no setting or option needs to be larger. Larger limits mean this. */
const LARGEST = 2 ** 31 - 1;

function sessionOptions({ streams, window, invalidFrames, target, headerBytes, headerCount }: Http2Limits) {
  return {
    maxHeaderListPairs: Math.min(HEADER_SLACK * headerCount + PSEUDO_FIELDS, LARGEST),
    ...OUT_OF_REACH,
    maxSessionInvalidFrames: Math.min(invalidFrames, LARGEST),
    maxSendHeaderBlockLength: LARGEST_RESPONSE_HEAD,
    settings: {
      maxConcurrentStreams: Math.min(streams, LARGEST),
      // WebSockets may be opened on streams (RFC 8441, 3).
      enableConnectProtocol: true,
      initialWindowSize: Math.min(window, LARGEST),
      maxHeaderListSize: Math.min(
        HEADER_SLACK * (headerBytes + target) + FIELD_OVERHEAD * headerCount,
        LARGEST,
      ),
    },
  };
}
