// One connection from a web server: records in, requests to the handler, records out; and an end for every way in which
// either side can stop (specification, 3.3, 3.5, 4, 5).
// Tested by test/protocols/fastcgi/application/listener.test.ts.
import type { Socket } from "node:net";
import { cgiResponseHead } from "../../../cgi/head.ts";
import type { Peer } from "../../../cgi/metavariables/peers.ts";
import { errorHead, errorText, type Handler, type Log, SallyportError } from "../../../exchange/index.ts";
import { SocketReader } from "../../../sockets/accepted.ts";
import { socketAddressesOf } from "../../../sockets/addresses.ts";
import { graceOver, type ManagedConnection, type ManagedConnections } from "../../../sockets/connections.ts";
import { ConnectionLifecycle, type Moves, type StateRule } from "../../../sockets/lifecycle.ts";
import { SendWatch } from "../../../sockets/send-watch.ts";
import type { WriteCoalescer } from "../../../sockets/write-coalescing.ts";
import { ById } from "../by-id.ts";
import {
  endRequest,
  NO_VERSION,
  type RecordPiece,
  RecordReader,
  type Role,
  readBegin,
  roleOf,
  STATUS,
  streamEnd,
  TYPE,
} from "../codec.ts";
import type { FastcgiLimits } from "../limits.ts";
import { Management, VIOLATION } from "./management.ts";
import { FastcgiPeerProbe } from "./probe.ts";
import { IncomingRequest, type RequestTransport } from "./request.ts";
import { SendQueue, SendQueues } from "./send-queues.ts";

/** What the connections of one listener share. */
export interface FastcgiListenerContext {
  readonly handler: Handler;
  readonly log: Log;
  readonly limits: FastcgiLimits;
  readonly roles: ReadonlySet<Role>;
  readonly multiplex: boolean;
  readonly peer: Peer;
  readonly coalescer: WriteCoalescer;
  readonly connections: ManagedConnections<ServerConnection>;
}

type State = "idle" | "busy" | "closing" | "linger";
type Rule = StateRule<keyof FastcgiLimits, "shut" | "late" | "probe" | "finish">;

const RULES: Readonly<Record<State, Rule>> = {
  /** No request is under way. */
  idle: { limit: "idleTimeout", expired: "shut", ended: "shut", stopped: "shut" },
  /** Requests are under way; the limit is for each that is not complete. */
  busy: { limit: "receiveTimeout", expired: "late", ended: "probe", stopped: "finish" },
  /** The same, and the connection ends with the last of them. */
  closing: { limit: "receiveTimeout", expired: "late", ended: "probe", stopped: "stay" },
  /** Nothing more is read or answered; we wait for the server's end. */
  linger: { limit: "lingerTimeout", expired: "drop", ended: "stay", stopped: "stay" },
};

export class ServerConnection implements ManagedConnection, RequestTransport, Moves<Rule> {
  place = -1;
  readonly #socket: Socket;
  readonly #context: FastcgiListenerContext;
  readonly #life: ConnectionLifecycle<State, Rule>;
  readonly #reader = new RecordReader(VIOLATION);
  readonly #queues: SendQueues;
  /** For what belongs to no request. */
  readonly #queue = new SendQueue(() => {});
  readonly #management: Management;
  readonly #requests = new ById<IncomingRequest>();
  /** Their parameters are complete; they are dispatched when all bytes at hand have been read. */
  #ready: IncomingRequest[] = [];
  #paused = false;
  /** The server asked for more while more than `buffered` waited for it. */
  #asksTooMuch = false;
  readonly #sendWatch: SendWatch;
  #probe: FastcgiPeerProbe | undefined;

  constructor(socket: Socket, context: FastcgiListenerContext) {
    this.#socket = socket;
    this.#context = context;
    this.#life = new ConnectionLifecycle(RULES, "idle", context.limits, context.connections, socket, this);
    this.#queues = new SendQueues(socket, context.limits.unsent);
    this.#sendWatch = new SendWatch(socket, context.limits.sendTimeout);
    this.#management = new Management(context.limits, context.multiplex);
    this.#listen();
  }

  #listen(): void {
    const socket = this.#socket;
    socket.setNoDelay(true);
    socket.allowHalfOpen = true;
    new SocketReader(socket, (bytes) => this.#received(bytes));
    socket.on("end", () => this.#life.ended());
    socket.on("drain", () => this.#relieved());
    // Which error it was does not matter: the server is gone. "close" always follows.
    socket.on("error", () => {});
    socket.on("close", () => {
      this.#loseAll(new SallyportError("CLIENT_LEFT", "the web server closed the FastCGI connection"));
      this.#context.connections.gone(this);
    });
  }

  // The listener's calls.

  checkDeadlines(now: number): void {
    if (this.#sendWatch.stalled(now)) this.#stalled();
    else this.#life.checkDeadline(now);
  }

  get inFlight(): number {
    return this.#requests.size;
  }

  stop(): void {
    this.#life.stop();
  }

  endEventStreams(): void {
    for (const { exchange } of this.#requests.all()) exchange?.leave();
  }

  forceClose(): void {
    const error = graceOver();
    for (const { exchange } of this.#requests.all()) exchange?.fail(error);
    this.#dropAll(error);
    this.shut();
  }

  destroy(): void {
    this.#socket.destroy();
  }

  // What the table asks for.

  /** Requests that do not arrive are late whatever is sent; but what was sent last must not be taken back. */
  sending(): boolean {
    if (this.#life.state !== "linger" || this.#socket.writableLength === 0) return false;
    this.#sendWatch.start(this.#context.connections.now);
    return true;
  }

  late(): void {
    const error = new SallyportError("REQUEST_TIMEOUT", "a FastCGI request did not arrive in time");
    for (const request of this.#requests.all())
      if (!request.complete && request.deadline <= this.#context.connections.now)
        this.#giveUp(request, error);
    this.#touch();
  }

  /** The server has ended its side: what is not complete will never be, and it may have left (probe.ts). */
  probe(): void {
    this.#life.advance("closing");
    const error = new SallyportError("CLIENT_LEFT", "the web server ended the FastCGI connection");
    for (const request of this.#requests.all()) if (!request.complete) this.#forget(request, error);
    if (this.#requests.size > 0) this.#probe = new FastcgiPeerProbe(() => this.#askPeer());
  }

  finish(): void {
    this.#life.advance("closing");
  }

  shut(): void {
    if (!this.#life.linger()) return;
    this.#probe?.stop();
    this.#queues.whenEmpty(() => this.#socket.end());
  }

  /** A request that will never be complete fails in its application, or is answered here. */
  #giveUp(request: IncomingRequest, error: SallyportError): void {
    if (request.exchange) request.starve(error);
    else this.#refuse(request, error);
  }

  // What requests ask for.

  send(queue: SendQueue, record: Buffer | string): boolean {
    this.#context.coalescer.hold(this.#socket);
    const room = this.#queues.send(queue, record);
    if (this.#socket.writableNeedDrain) this.#filled();
    return room;
  }

  /** Sends what was held back for this turn; from here on the server must keep reading. */
  #filled(): void {
    this.#socket.uncork();
    if (this.#socket.writableNeedDrain) this.#sendWatch.start(this.#context.connections.now);
  }

  done(request: IncomingRequest): void {
    this.#requests.delete(request.id);
    this.#ended(request);
  }

  #ended(request: IncomingRequest): void {
    if (!request.keep) this.stop();
    else if (this.#context.connections.leaving) this.#part(request);
    this.#touch();
    // A body that was here whole, and that nobody has read, must not stop what comes after it.
    if (this.#paused) this.flow();
  }

  /** The connection is not kept, though the server asked for it; this record tells some servers, others ignore it (3.3). */
  #part(request: IncomingRequest): void {
    this.stop();
    if (this.#requests.size === 0 && request.partsWithMore)
      this.#queues.send(request.queue, streamEnd(TYPE.STDERR, request.id));
  }

  /**
   * A cut response must not look complete. END_REQUEST would complete it for nginx and others, so the connection is
   * closed without one; unless others share it, or may do so at this moment, because the server asked whether they can.
   * Then a status other than 0 and a STDOUT without its end must do. The end of the connection completes it for nginx and
   * Caddy as well, but not within a record of a version that does not exist.
   */
  cut(request: IncomingRequest): void {
    this.#requests.delete(request.id);
    if (this.#requests.size > 0 || this.#management.sharing) {
      this.send(request.queue, endRequest(request.id, 1, STATUS.REQUEST_COMPLETE));
      return this.#ended(request);
    }
    this.#life.enter("linger");
    this.#queues.clear();
    this.#socket.write(NO_VERSION);
    this.#socket.destroySoon();
  }

  /** Pauses or resumes reading, as there is room. */
  flow(): void {
    const pause = this.#life.state !== "linger" && this.#mustPause();
    if (pause === this.#paused) return;
    this.#paused = pause;
    // Meanwhile nothing could arrive.
    if (!pause) for (const request of this.#requests.all()) request.deadline = this.#due;
    this.#touch();
    if (pause) this.#socket.pause();
    else this.#socket.resume();
  }

  #mustPause(): boolean {
    this.#asksTooMuch &&= this.#owesMuch;
    if (this.#asksTooMuch) return true;
    for (const request of this.#requests.all()) if (request.paused) return true;
    return false;
  }

  /** Whether a server reads no responses. It may do so while it sends the rest of one request, but not to ask for more. */
  get #owesMuch(): boolean {
    const { writableLength, writableNeedDrain } = this.#socket;
    return writableNeedDrain && writableLength + this.#queues.size > this.#context.limits.buffered;
  }

  // The socket's events.

  #received(chunk: Buffer): void {
    if (this.#life.state === "linger") return;
    this.#reader.feed(chunk);
    try {
      for (let piece = this.#reader.next(); piece; piece = this.#reader.next()) this.#take(piece);
    } catch (error) {
      return this.#broken(SallyportError.from(error));
    }
    const answers = this.#management.answers();
    if (answers) this.send(this.#queue, answers);
    this.#dispatch();
    this.#touch();
    this.flow();
  }

  #askPeer(): void {
    const [request] = this.#requests.all();
    if (request) this.send(request.queue, streamEnd(TYPE.STDERR, request.id));
  }

  #relieved(): void {
    this.#sendWatch.stop();
    this.#queues.pump();
    if (this.#socket.writableNeedDrain) this.#sendWatch.start(this.#context.connections.now);
    this.flow();
  }

  /** Not a byte has left for `sendTimeout`. */
  #stalled(): void {
    this.#sendWatch.stop();
    const error = new SallyportError("CLIENT_STALLED", "the web server stopped reading the response");
    this.#note(error);
    this.#loseAll(error);
    this.#socket.destroy();
  }

  // From records to requests.

  #take(piece: RecordPiece): void {
    if (this.#life.state === "linger") return;
    const { type, id } = piece;
    if (id === 0 || type === TYPE.BEGIN_REQUEST) this.#asksTooMuch ||= this.#owesMuch;
    if (id === 0) return this.#management.take(piece);
    if (type === TYPE.BEGIN_REQUEST) return this.#begin(piece);
    const request = this.#requests.get(id);
    const step = request?.step(type);
    // Records for an inactive id, of an unknown type, or out of their phase are ignored (3.3).
    if (!request || !step) return;
    if (step === "abort") this.#forget(request, new SallyportError("CLIENT_LEFT", "the client left"));
    else if (step === "params") this.#takeParams(request, piece.content);
    else this.#takeBody(request, step, piece.content);
  }

  #begin({ id, content }: RecordPiece): void {
    const begin = readBegin(content);
    if (!begin) throw new SallyportError(VIOLATION, "a FastCGI request begins without saying its role");
    if (this.#requests.has(id)) throw new SallyportError(VIOLATION, `a FastCGI request ${id} begins twice`);
    const role = roleOf(begin.role);
    const status = this.#refusal(role);
    if (status === undefined) {
      const request = new IncomingRequest(id, role as Role, begin, this);
      request.deadline = this.#due;
      this.#requests.add(id, request);
      if (this.#life.state === "idle") this.#life.enter("busy");
      return;
    }
    this.send(this.#queue, endRequest(id, 0, status));
    if (!begin.keep) this.stop();
  }

  /** The status that turns a request away at once; undefined to take it. */
  #refusal(role: Role | undefined): number | undefined {
    const { roles, multiplex, limits, connections } = this.#context;
    if (!role || !roles.has(role)) return STATUS.UNKNOWN_ROLE;
    if (!multiplex && this.#requests.size > 0) return STATUS.CANT_MPX_CONN;
    return connections.closing || this.#requests.size >= limits.requests ? STATUS.OVERLOADED : undefined;
  }

  #takeParams(request: IncomingRequest, content: Buffer): void {
    try {
      if (content.length > 0) return request.takeParams(content, this.#context.limits.params);
    } catch (error) {
      return this.#refuse(request, SallyportError.from(error));
    }
    request.readParams(VIOLATION);
    request.deadline = this.#due;
    try {
      // Where others share the connection, one that reads slowly should not soon hold them up.
      const shared = this.#requests.size > 1;
      const { body, buffered } = this.#context.limits;
      request.describe(this.#context.peer, body, shared ? buffered : undefined);
      this.#ready.push(request);
    } catch (error) {
      this.#refuse(request, SallyportError.from(error));
    }
  }

  #takeBody(request: IncomingRequest, stream: "stdin" | "data", content: Buffer): void {
    request.deadline = this.#due;
    try {
      request.take(stream, content);
    } catch (error) {
      this.#giveUp(request, SallyportError.from(error));
    }
  }

  #dispatch(): void {
    const ready = this.#ready;
    this.#ready = [];
    for (const request of ready) {
      // It may have been aborted by the very same bytes.
      if (this.#requests.get(request.id) === request)
        request.dispatch(this.#context.handler, this.#context.log);
    }
  }

  /** An answer to what never became an exchange. */
  #refuse(request: IncomingRequest, error: SallyportError): void {
    this.#note(error);
    const body = errorText(error);
    const head = cgiResponseHead(errorHead(error), { length: body.length });
    request.write(Buffer.from(head + body, "latin1"));
    request.answered();
  }

  /** The client of this request is gone, or its rest will never come; others go on (5.4). */
  #forget(request: IncomingRequest, error: SallyportError): void {
    request.lose(error);
    if (!this.#requests.has(request.id)) return;
    this.send(request.queue, endRequest(request.id, 1, STATUS.REQUEST_COMPLETE));
    this.done(request);
  }

  // Deadlines and ends.

  /** When the next part of a request must be here: all parameters, or the next byte of a body. */
  get #due(): number {
    return this.#context.connections.now + this.#context.limits.receiveTimeout;
  }

  /** The state and its deadline, after any change: that of the request which is due first, however busy others are. */
  #touch(): void {
    const { state } = this.#life;
    if (state === "linger") return;
    if (this.#requests.size > 0) this.#life.deadline = this.#firstDue();
    else if (state === "closing") this.shut();
    else this.#life.enter("idle");
  }

  #firstDue(): number {
    let first = Number.POSITIVE_INFINITY;
    if (this.#paused) return first;
    for (const request of this.#requests.all())
      if (!request.complete && request.deadline < first) first = request.deadline;
    return first;
  }

  /** The rest of what the server sends cannot be understood. */
  #broken(error: SallyportError): void {
    this.#note(error);
    this.#loseAll(error);
    this.#socket.destroy();
  }

  #loseAll(error: SallyportError): void {
    this.#life.enter("linger");
    this.#probe?.stop();
    this.#queues.clear();
    this.#dropAll(error);
  }

  #dropAll(error: SallyportError): void {
    const requests = this.#requests.all();
    this.#requests.clear();
    for (const request of requests) request.lose(error);
  }

  #note(error: SallyportError): void {
    const remote = socketAddressesOf(this.#socket).remote.address;
    this.#context.log.info(error.message, { code: error.code, fault: error.fault, remote });
  }
}
