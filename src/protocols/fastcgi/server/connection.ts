// One connection to a FastCGI application, seen from the web server: kept for one request after another, and for several
// at once where the application said that it can (specification, 3.3, 3.5, 5).
import type { Socket } from "node:net";
import { SallyportError } from "../../../exchange/index.ts";
import { abortRequest, type RecordPiece, RecordReader, readEnd, TYPE } from "../codec.ts";
import { SHARING } from "../values.ts";
import type { OutgoingRequest, RequestCarrier } from "./request.ts";

/** Who has the connection. */
export interface ApplicationConnectionOwner {
  /** What logs call the application. */
  readonly name: string;
  /** `outbound` has ended; `protocolStatus` is other than 0 when it was turned away. */
  ended(outbound: OutgoingRequest, channel: ApplicationConnection, protocolStatus: number): void;
  /** The connection broke with `outbound` on it. */
  lost(outbound: OutgoingRequest, error: SallyportError): void;
  /** What may follow at once on a connection that has just become free, and might be closed by the application now. */
  next(channel: ApplicationConnection): OutgoingRequest | undefined;
  /** Nothing is under way any more. */
  idle(channel: ApplicationConnection): void;
  gone(channel: ApplicationConnection): void;
}

export interface ApplicationConnectionOptions {
  /** Whether the application is asked to keep the connection after a request. */
  readonly keep: boolean;
  /** Requests that may be on it at once. */
  readonly capacity: number;
  /** Milliseconds that the application may stop for in the middle of a record; 0 for no limit. */
  readonly timeout: number;
}

/** How long an application may take to end a request that nobody waits for, before its connection is closed. */
const ABORT_GRACE = 1_000;
const VIOLATION = "UPSTREAM_BROKEN";

export class ApplicationConnection implements RequestCarrier {
  readonly keep: boolean;
  readonly shared: boolean;
  readonly #socket: Socket;
  readonly #owner: ApplicationConnectionOwner;
  readonly #capacity: number;
  readonly #timeout: number;
  readonly #reader = new RecordReader(VIOLATION);
  readonly #requests = new Map<number, OutgoingRequest>();
  readonly #settle = (): void => this.#settled();
  /** Ids that were given up and whose END_REQUEST is still to come. */
  readonly #aborted = new Set<number>();
  /** The application has said something: it has accepted the connection. */
  heard = false;
  /** When it was made (milliseconds, `performance.now`). */
  readonly since: number = performance.now();
  /** Its last request has just ended: it is free in a moment, or closed. */
  settling = false;
  used = false;
  #watched = false;
  #waiting: (() => void)[] = [];
  /** No more requests: it closes when those on it have ended. */
  #retired = false;
  #gone = false;

  constructor(
    socket: Socket,
    owner: ApplicationConnectionOwner,
    { keep, capacity, timeout }: ApplicationConnectionOptions,
  ) {
    this.#socket = socket;
    this.#owner = owner;
    this.#capacity = capacity;
    this.keep = keep;
    this.shared = capacity > 1;
    this.#timeout = timeout;
    this.#listen();
    // Before it breaks a response off by ending the connection, the application should know who else would be hit.
    if (this.shared) this.send(SHARING);
  }

  #listen(): void {
    const socket = this.#socket;
    socket.on("timeout", () => this.#stalled());
    socket.on("drain", () => this.#go());
    socket.on("end", () => this.#lose("the application closed the connection"));
    socket.on("error", (error) => this.#lose(error.message));
    socket.on("close", () => this.#lose("the application closed the connection"));
  }

  /** How many more requests it takes. */
  get room(): number {
    if (this.#retired || this.#gone) return 0;
    return this.#capacity - this.#requests.size - this.#aborted.size;
  }

  get idle(): boolean {
    return this.#requests.size === 0 && this.#aborted.size === 0;
  }

  get midRecord(): boolean {
    return !this.#reader.between;
  }

  begin(outbound: OutgoingRequest): void {
    let id = 1;
    while (this.#requests.has(id) || this.#aborted.has(id)) id++;
    this.#requests.set(id, outbound);
    this.#socket.ref();
    outbound.begin(this, id);
    this.used = true;
  }

  /** Takes no more requests, and closes when it has none. */
  retire(): void {
    this.#retired = true;
    if (this.idle) this.#socket.destroySoon();
  }

  destroy(error: SallyportError): void {
    for (const outbound of this.#requests.values()) outbound.fail(error);
    this.#socket.destroy();
  }

  // What requests ask for.

  send(bytes: Buffer | string): boolean {
    if (this.#gone) return true;
    this.#socket.write(bytes, "latin1");
    return !this.#socket.writableNeedDrain;
  }

  get refusing(): boolean {
    return this.#gone || this.#socket.errored !== null;
  }

  drained(): Promise<void> {
    if (this.#gone || !this.#socket.writableNeedDrain) return Promise.resolve();
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  hold(hold: boolean): void {
    if (this.#gone) return;
    if (hold) this.#socket.pause();
    else if (this.#socket.isPaused()) this.#socket.resume();
  }

  abort(id: number): void {
    const outbound = this.#requests.get(id);
    if (!outbound || this.#gone) return;
    this.#requests.delete(id);
    this.#aborted.add(id);
    this.send(abortRequest(id));
    this.#owner.ended(outbound, this, 0);
    setTimeout(() => this.#giveUp(id), ABORT_GRACE).unref();
  }

  #giveUp(id: number): void {
    if (!this.#aborted.has(id)) return;
    // An id that is never free again must not be used, and neither may a connection that has no other.
    this.#retired = true;
    if (this.#requests.size === 0) this.#socket.destroy();
  }

  // What the application sends.

  /** `bytes` are in memory that is used again: they are copied, because some of them may have to wait. */
  received(bytes: Buffer): void {
    if (this.#gone) return;
    this.heard = true;
    this.#reader.feed(Buffer.from(bytes));
    try {
      for (let piece = this.#reader.next(); piece; piece = this.#reader.next()) this.#take(piece);
    } catch (error) {
      return this.#lose(SallyportError.from(error).message);
    }
    this.#watch();
    for (const outbound of this.#requests.values()) outbound.flush();
  }

  /** Records of unknown types and for ids that are not in use mean nothing (3.3, 4.2). */
  #take({ type, id, content }: RecordPiece): void {
    const outbound = this.#requests.get(id);
    if (outbound) outbound.heard = true;
    if (type === TYPE.END_REQUEST) this.#end(id, outbound, content);
    else if (type === TYPE.STDOUT) outbound?.stdout(content);
    else if (type === TYPE.STDERR && content.length > 0) outbound?.stderr(content);
  }

  #end(id: number, outbound: OutgoingRequest | undefined, content: Buffer): void {
    const end = readEnd(content);
    if (!end) throw new SallyportError(VIOLATION, "a FastCGI request ended without saying how");
    const aborted = this.#aborted.delete(id);
    if (!aborted && !this.#requests.delete(id)) return;
    // PHP reads an abort that came too late as its next request, and closes the connection whatever was sent behind it.
    if (aborted && !this.shared) this.#retired = true;
    // What was not sent yet would be taken for garbage by some.
    if (outbound && !outbound.uploaded) this.#retired = true;
    const followed = end.protocolStatus === 0 && this.#follow();
    if (outbound && end.protocolStatus === 0) outbound.end(end);
    if (outbound) this.#owner.ended(outbound, this, end.protocolStatus);
    if (!followed && this.idle) this.#becomeIdle();
  }

  /**
   * The next request leaves before this response does, so that the application need not wait. Not while bytes are left:
   * what is said after an end is no part of the next response.
   */
  #follow(): boolean {
    if (!this.keep || this.#retired || this.midRecord || !this.idle) return false;
    const successor = this.#owner.next(this);
    if (successor) this.begin(successor);
    return successor !== undefined;
  }

  #becomeIdle(): void {
    if (!this.keep || this.#retired) return void this.#socket.destroySoon();
    this.#socket.resume();
    // Idle connections keep no process alive.
    this.#socket.unref();
    // An application that closes it now should be found out, by one more look, before it gets what is not repeated.
    this.settling = true;
    setImmediate(setImmediate, this.#settle);
  }

  #settled(): void {
    this.settling = false;
    if (this.idle && !this.#gone) this.#owner.idle(this);
  }

  // Ends.

  /** In the middle of a record the application must go on; between records, how long it takes is not our affair. */
  #watch(): void {
    if (this.midRecord === this.#watched) return;
    this.#watched = this.midRecord;
    this.#socket.setTimeout(this.#watched ? this.#timeout : 0);
  }

  #stalled(): void {
    // While we do not read, the pause is ours.
    if (!this.#socket.isPaused())
      this.#lose(`the application stopped in the middle of a record for ${this.#timeout} ms`);
  }

  #lose(reason: string): void {
    if (this.#gone) return;
    this.#gone = true;
    this.#socket.destroy();
    this.#go();
    this.#owner.gone(this);
    const requests = [...this.#requests.values()];
    this.#requests.clear();
    const error = new SallyportError(VIOLATION, `${this.#owner.name}: ${reason}`);
    for (const outbound of requests) {
      // A record that was torn is an answer that had begun.
      outbound.heard ||= this.midRecord;
      this.#owner.lost(outbound, error);
    }
  }

  #go(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const resolve of waiting) resolve();
  }
}
