// One connection to a FastCGI application, from the web server's side: kept for one request after another, and shared by
// several at once where the application said that it can (specification, 3.3, 3.5, 5).
// Tested by test/protocols/fastcgi/server/gateway.test.ts.
import type { Socket } from "node:net";
import { SallyportError } from "../../../exchange/index.ts";
import { readLastBytes } from "../../../sockets/last-bytes.ts";
import { ById } from "../by-id.ts";
import { abortRequest, type RecordPiece, RecordReader, readEnd, STATUS, TYPE } from "../codec.ts";
import { SHARING } from "../values.ts";
import { Attempt } from "./attempt.ts";
import type { Backend } from "./backend.ts";
import type { OutgoingRequest } from "./request.ts";

export interface ApplicationConnectionOptions {
  /** Whether the application is asked to keep the connection after a request (FCGI_KEEP_CONN). */
  readonly keep: boolean;
  /** Requests that may be on it at once. */
  readonly capacity: number;
  /** Milliseconds that the application may stop for in the middle of a record; 0 for no limit. */
  readonly timeout: number;
}

interface Aborted {
  /** Milliseconds that the application may go on for before it counts as one that hangs. */
  readonly patience: number;
  /** It did not end within `ABORT_GRACE`. */
  givenUp: boolean;
}

/** How long an application may take to end a request that was aborted, before its connection is closed. */
const ABORT_GRACE = 1_000;
const VIOLATION = "UPSTREAM_BROKEN";

export class ApplicationConnection {
  readonly #socket: Socket;
  readonly #backend: Backend;
  readonly #options: ApplicationConnectionOptions;
  readonly #reader = new RecordReader(VIOLATION);
  readonly #attempts = new ById<Attempt>();
  /** Requests that were aborted and whose END_REQUEST is still to come, by id. */
  readonly #aborted = new Map<number, Aborted>();
  /** Ids of requests that have a body, until they end. */
  readonly #withBody = new Set<number>();
  /** Ids of requests for which nothing is read. */
  readonly #holding = new Set<number>();
  readonly #settle = (): void => this.#settled();
  /** When it was made (milliseconds, `performance.now`). */
  readonly since: number = performance.now();
  /** The application has sent something: it has accepted the connection. */
  heard = false;
  /** A request was on it before. */
  used = false;
  /** Since when requests may have it; undefined while it is not idle. For the backend alone. */
  idleSince: number | undefined;
  /** When another connection should get its turn, and whether that time has come. For the backend alone. */
  turnEnds: number | undefined;
  hadTurn = false;
  /** Those who wait for the socket to drain. */
  #waiting: (() => void)[] = [];
  /** No more requests: it closes when those on it have ended. */
  #retired = false;
  #gone = false;

  constructor(socket: Socket, backend: Backend, options: ApplicationConnectionOptions) {
    this.#socket = socket;
    this.#backend = backend;
    this.#options = options;
    this.#listen();
    // An application that may end the connection to cut a response should know that other requests would be lost with it.
    if (this.shared) this.send(SHARING);
  }

  #listen(): void {
    const socket = this.#socket;
    readLastBytes(socket, (bytes) => this.received(bytes));
    socket.on("timeout", () => this.#stalled());
    socket.on("drain", () => this.#drained());
    socket.on("end", () => this.#lose("the application closed the connection"));
    socket.on("error", (error) => this.#lose(error.message));
    socket.on("close", () => this.#lose("the application closed the connection"));
  }

  get keep(): boolean {
    return this.#options.keep;
  }

  /** Whether other requests are, or may be, on it. */
  get shared(): boolean {
    return this.#options.capacity > 1;
  }

  /** How many more requests it takes. */
  get room(): number {
    if (this.#retired || this.#gone) return 0;
    return this.#options.capacity - this.#attempts.size - this.#aborted.size;
  }

  /** Some applications (Go's) read the next request of a connection only when this one's body was read, or its request has ended. */
  get carriesBody(): boolean {
    return this.#withBody.size > 0;
  }

  /** No request is on it. */
  get idle(): boolean {
    return this.#attempts.size === 0 && this.#aborted.size === 0;
  }

  /** Its last request has just ended: it is free in a moment, or closed by the application. */
  get settling(): boolean {
    return this.idle && this.room > 0 && this.idleSince === undefined;
  }

  /** The application is in the middle of a record. */
  get midRecord(): boolean {
    return !this.#reader.between;
  }

  begin(request: OutgoingRequest): void {
    let id = 1;
    while (this.#attempts.has(id) || this.#aborted.has(id)) id++;
    const attempt = new Attempt(request, this, id);
    this.#attempts.add(id, attempt);
    if (request.hasBody) this.#withBody.add(id);
    this.#socket.ref();
    attempt.begin(this);
    this.used = true;
  }

  /** Takes no more requests, and closes when it has none. */
  retire(): void {
    this.#retired = true;
    if (this.idle) this.#socket.destroySoon();
  }

  destroy(error: SallyportError): void {
    for (const attempt of this.#attempts.all()) attempt.fail(error);
    this.#socket.destroy();
  }

  // Calls of the attempts.

  /** Bytes, or latin-1 text. False: wait for `drained`. */
  send(bytes: Buffer | string): boolean {
    if (this.#gone) return true;
    this.#socket.write(bytes, "latin1");
    return !this.#socket.writableNeedDrain;
  }

  /** The kernel refused all of what was sent last: the connection was closed already. */
  get refusing(): boolean {
    return this.#gone || this.#socket.errored !== null;
  }

  /** Resolves when more can be sent, or when the connection has ended. */
  drained(): Promise<void> {
    if (this.#gone || !this.#socket.writableNeedDrain) return Promise.resolve();
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  /** Nothing is read, for some request on it. */
  get held(): boolean {
    return this.#holding.size > 0;
  }

  /** Stops reading for the request `id`, or goes on, unless another one wants it stopped. */
  hold(id: number, hold: boolean): void {
    if (hold) this.#holding.add(id);
    else if (!this.#holding.delete(id)) return;
    if (this.#gone) return;
    if (this.#holding.size > 0) this.#socket.pause();
    else this.#socket.resume();
  }

  /** Tells the application that the response is not needed any more (5.4). It may go on for `patience` ms. */
  abort(id: number, patience: number): void {
    const attempt = this.#attempts.get(id);
    if (!attempt || this.#gone) return;
    this.#attempts.delete(id);
    const aborted = { patience, givenUp: false };
    this.#aborted.set(id, aborted);
    // Some applications (Go's) end a request that is aborted within its body at once, and answer it, under its id, all the same.
    if (!attempt.uploaded) this.#retired = true;
    this.send(abortRequest(id));
    this.#backend.ended(attempt.request, STATUS.REQUEST_COMPLETE);
    setTimeout(() => this.#giveUp(id, aborted), ABORT_GRACE).unref();
  }

  #giveUp(id: number, aborted: Aborted): void {
    if (this.#gone || this.#aborted.get(id) !== aborted) return;
    aborted.givenUp = true;
    // An id that is never free again must not be used, and neither may a connection that has no other.
    this.#retired = true;
    this.#backend.doubt(aborted.patience);
    this.#closeIfGivenUp();
  }

  /** Nothing is waited for but requests that do not end. */
  #closeIfGivenUp(): void {
    if (this.#attempts.size > 0) return;
    for (const { givenUp } of this.#aborted.values()) if (!givenUp) return;
    this.#socket.destroy();
  }

  // From the application.

  /** `bytes` are in memory that is used again: they are copied, because some of them may have to wait. */
  received(bytes: Buffer): void {
    if (this.#gone) return;
    this.heard = true;
    this.#backend.spoke();
    this.#reader.feed(Buffer.from(bytes));
    try {
      for (let piece = this.#reader.next(); piece; piece = this.#reader.next()) this.#take(piece);
    } catch (error) {
      return this.#lose(SallyportError.from(error).message);
    }
    this.#watchRecord();
    for (const attempt of this.#attempts.all()) attempt.flush();
  }

  /** Records of unknown types and for ids that are not in use are ignored (3.3, 4.2). */
  #take({ type, id, content }: RecordPiece): void {
    const attempt = this.#attempts.get(id);
    if (attempt) attempt.heard = true;
    if (type === TYPE.END_REQUEST) this.#end(id, attempt, content);
    else if (type === TYPE.STDOUT) attempt?.stdout(content);
    else if (type === TYPE.STDERR && content.length > 0) attempt?.stderr(content);
  }

  #end(id: number, attempt: Attempt | undefined, content: Buffer): void {
    const end = readEnd(content);
    if (!end) throw new SallyportError(VIOLATION, "a FastCGI request ended without a status");
    const aborted = this.#aborted.delete(id);
    if (!aborted && !this.#attempts.delete(id)) return;
    this.#withBody.delete(id);
    // PHP reads an abort that came too late as its next request, and closes the connection whatever was sent behind it.
    if (aborted && !this.shared) this.#retired = true;
    // Some applications would take the rest of an upload for garbage.
    if (attempt && !attempt.uploaded) this.#retired = true;
    const followed = end.protocolStatus === 0 && this.#follow();
    if (end.protocolStatus === 0) attempt?.end(end);
    else attempt?.cancel();
    if (attempt) this.#backend.ended(attempt.request, end.protocolStatus);
    if (followed) return;
    if (this.idle) this.#becomeIdle();
    else this.#closeIfGivenUp();
  }

  /**
   * The next request leaves before this response does, so that the application need not wait. Not while bytes are left:
   * bytes after an END_REQUEST are no part of the next response.
   */
  #follow(): boolean {
    if (!this.keep || this.#retired || this.refusing || this.midRecord || !this.idle) return false;
    const next = this.#backend.next(this);
    if (next) this.begin(next);
    return next !== undefined;
  }

  #becomeIdle(): void {
    if (!this.keep || this.#retired) return this.retire();
    this.#holding.clear();
    this.#socket.resume();
    // Idle connections keep no process alive.
    this.#socket.unref();
    // Two turns of the event loop, in which an application that closes the connection now is noticed.
    setImmediate(setImmediate, this.#settle);
  }

  #settled(): void {
    if (this.idle && !this.#gone) this.#backend.idle(this);
  }

  // The end.

  /** In the middle of a record the application must go on; between records, it may take as long as it likes. */
  #watchRecord(): void {
    const limit = this.midRecord ? this.#options.timeout : 0;
    if (this.#socket.timeout !== limit) this.#socket.setTimeout(limit);
  }

  #stalled(): void {
    // A socket that we have paused brings nothing, whatever the application does.
    if (this.#socket.isPaused()) return;
    this.#backend.doubt(0);
    this.#lose(`the application stopped in the middle of a record for ${this.#options.timeout} ms`);
  }

  #lose(reason: string): void {
    if (this.#gone) return;
    this.#gone = true;
    this.#socket.destroy();
    this.#drained();
    this.#backend.gone(this);
    const attempts = this.#attempts.all();
    this.#attempts.clear();
    const error = new SallyportError(VIOLATION, `${this.#backend.name}: ${reason}`);
    for (const attempt of attempts) {
      // A record that was cut is an answer that had begun.
      attempt.heard ||= this.midRecord;
      this.#backend.lost(attempt, error);
    }
  }

  #drained(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const resolve of waiting) resolve();
  }
}
