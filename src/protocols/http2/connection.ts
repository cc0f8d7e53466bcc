// One connection: a session of nghttp2, its streams, and an end to whatever a client may do at no cost to itself
// (RFC 9113, 10.5). nghttp2 and node:http2 bound header blocks, CONTINUATION frames and what waits to be sent.
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
import type { ManagedConnection, ManagedConnections } from "../../sockets/connections.ts";
import { correctGoAwayCodes, reasonOf } from "./goaway.ts";
import type { Http2Limits } from "./limits.ts";
import type { Http2ListenerContext } from "./site.ts";
import { Http2Stream, type StreamOwner } from "./stream.ts";
import { TokenBucket } from "./token-bucket.ts";

const { NGHTTP2_ENHANCE_YOUR_CALM, NGHTTP2_FLAG_END_STREAM } = constants;
/** How many windows of a stream a connection has. */
const WINDOWS = 4;
/** What RFC 9113, 6.5.2, adds to each field when it counts a header list. */
const FIELD_OVERHEAD = 32;
/** How far beyond our own bounds a header list is still taken in, so that it can be answered 431 and not only reset. */
const HEADER_SLACK = 2;
const PSEUDO_FIELDS = 8;
/** Bytes. With a larger one, node:http2 would end the whole connection. */
const LARGEST_RESPONSE_HEAD = 2 ** 24;

/** The listener, as its connections see it. */
export interface Keeper extends Http2ListenerContext {
  readonly connections: ManagedConnections<Http2Connection>;
}

export class Http2Connection implements ManagedConnection, StreamOwner {
  place = -1;
  readonly context: Keeper;
  readonly facts: ConnectionFacts;
  readonly #socket: Socket;
  readonly #session: ServerHttp2Session;
  readonly #streams = new Members<Http2Stream>();
  readonly #resets: TokenBucket;
  readonly #nghttp2Resets: TokenBucket;
  readonly #controls: TokenBucket;
  /** When the connection has been without a stream for too long, on the context's clock. */
  #deadline: number;
  #ending = false;
  /** It has had a stream. */
  #used = false;
  /** The client went too far: nothing more is taken from it. */
  #flooded = false;

  constructor(socket: Socket, facts: ConnectionFacts, context: Keeper) {
    const { limits, now } = context;
    this.context = context;
    this.facts = facts;
    this.#socket = socket;
    this.#resets = new TokenBucket(limits.resets, now);
    this.#nghttp2Resets = new TokenBucket(NGHTTP2_RESETS.most, now, NGHTTP2_RESETS.regrowth);
    this.#controls = new TokenBucket(limits.controls, now);
    this.#deadline = now + limits.headTimeout;
    this.#session = performServerHandshake(socket, sessionOptions(limits));
    this.#listen();
  }

  #listen(): void {
    const session = this.#session;
    correctGoAwayCodes(session);
    session.setLocalWindowSize(this.context.limits.window * WINDOWS);
    session.on("stream", (stream, _, flags, fields?: readonly string[]) => this.#open(stream, flags, fields));
    session.on("ping", () => this.#control());
    session.on("remoteSettings", () => this.#control());
    // The socket's "close" always follows.
    session.on("error", (error) => this.#ended(error));
    // A client that has ended its side can neither open windows nor acknowledge anything: it has left.
    this.#socket.on("end", () => this.#end());
    this.#socket.on("close", () => this.context.connections.gone(this));
  }

  // The listener's calls.

  /** Whoever has just connected has a request on its way. */
  leave(): void {
    if (this.#used) this.#leave();
  }

  /** The listener closes: streams finish, and no new ones are opened (RFC 9113, 6.8). */
  stop(): void {
    this.#leave();
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
  }

  check(now: number): void {
    for (const stream of this.#streams) stream.check(now);
    if (this.#deadline > now) return;
    if (this.#ending) this.destroy();
    else this.#leave();
  }

  // The streams' calls.

  cancelled(): void {
    if (!this.#resets.take(this.context.now)) this.#endFlood("requests broken off");
    // A client that often changes its mind is no attacker: it gets its answers, and goes on with a new connection.
    else if (this.#resets.isLow) this.#leaveLater();
  }

  /** A stream has ended with RST_STREAM. */
  rstStream(): void {
    this.#nghttp2Resets.take(this.context.now);
    if (this.#nghttp2Resets.isLow) this.#leaveLater();
  }

  gone(stream: Http2Stream): void {
    this.#streams.delete(stream);
    if (this.#streams.size > 0) return;
    const { limits, now } = this.context;
    this.#deadline = now + (this.#ending ? limits.lingerTimeout : limits.idleTimeout);
  }

  #open(stream: ServerHttp2Stream, flags: number, fields: readonly string[] = []): void {
    // Reset in the same breath, or by a client that went too far: nobody need hear of it.
    if (stream.destroyed || stream.closed || this.#flooded) return this.#ignore(stream);
    const opened = new Http2Stream(stream, this);
    this.#streams.add(opened);
    this.#deadline = Number.POSITIVE_INFINITY;
    this.#used = true;
    if (this.context.connections.leaving) this.#leaveLater();
    opened.open(fields, (flags & NGHTTP2_FLAG_END_STREAM) !== 0);
  }

  #ignore(stream: ServerHttp2Stream): void {
    stream.on("error", () => {});
    stream.destroy();
    this.rstStream();
    this.cancelled();
  }

  #control(): void {
    if (!this.#controls.take(this.context.now)) this.#endFlood("PING and SETTINGS frames");
  }

  /** Too much of something that costs the client nothing. */
  #endFlood(what: string): void {
    if (this.#flooded) return;
    this.#flooded = true;
    const error = new SallyportError("BAD_REQUEST", `too many ${what} on one connection`);
    logRefusal(this.context.log, error, this.facts.remote.address);
    // Not at once: this may be said in the middle of a frame. Without an error, node:http2 would not say the code.
    setImmediate(() => this.#end(error, NGHTTP2_ENHANCE_YOUR_CALM));
  }

  /** What ended the connection, unless it was we, or the client has just gone. */
  #ended(error: unknown): void {
    const end = this.#flooded ? undefined : reasonOf(error);
    if (!end) return;
    const { message, code, fault } = end;
    const fields = { code, fault, remote: this.facts.remote.address, streams: this.#streams.size };
    if (fault === "client") this.context.log.info(message, fields);
    else this.context.log.error(message, fields);
  }

  /** Not in the middle of a frame, and with the other streams that came in the same bytes. */
  #leaveLater(): void {
    setImmediate(() => {
      if (!this.#flooded) this.#leave();
    });
  }

  /** Says goodbye, and closes when the last stream is over. */
  #leave(): void {
    if (this.#ending) return;
    this.#ending = true;
    const idle = this.#streams.size === 0;
    this.#deadline = idle ? this.context.now + this.context.limits.lingerTimeout : Number.POSITIVE_INFINITY;
    this.#session.close();
  }

  #end(error?: SallyportError, code?: number): void {
    this.#ending = true;
    this.#session.destroy(error, code);
    this.#deadline = this.context.now + this.context.limits.lingerTimeout;
  }
}

/**
 * nghttp2 counts all RST_STREAM frames, after complete responses as well: beyond these, which grow back at 33 a second, it ends the
 * connection with INTERNAL_ERROR and without a word. Only newer versions of Node let one change that.
 */
const NGHTTP2_RESETS = { most: 1_000, regrowth: 30_000 };

/**
 * Bounds of node:http2 and nghttp2 that would end a connection with INTERNAL_ERROR, without a word, below ours: all that they are
 * for is bounded by `resets`, `streams`, `window` and `unsent`. The memory of a session (megabytes) has to be out of reach, for
 * Node forgets to give back what a stream had in its queue when it was broken off, and then refuses all new ones.
 */
const OUT_OF_REACH = { maxSessionMemory: 2 ** 31, streamResetBurst: 2 ** 31, streamResetRate: 2 ** 31 };

function sessionOptions({ streams, window, invalidFrames, target, headerBytes, headerCount }: Http2Limits) {
  return {
    maxHeaderListPairs: HEADER_SLACK * headerCount + PSEUDO_FIELDS,
    ...OUT_OF_REACH,
    maxSessionInvalidFrames: invalidFrames,
    maxSendHeaderBlockLength: LARGEST_RESPONSE_HEAD,
    settings: {
      maxConcurrentStreams: streams,
      // WebSockets may be opened on streams (RFC 8441, 3).
      enableConnectProtocol: true,
      initialWindowSize: window,
      maxHeaderListSize: HEADER_SLACK * (headerBytes + target) + FIELD_OVERHEAD * headerCount,
    },
  };
}
