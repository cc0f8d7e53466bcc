// The server's half of an open WebSocket (RFC 6455, 5 to 7) over any duplex stream.
import { Socket } from "node:net";
import type { Duplex } from "node:stream";
import { SallyportError, type WebSocketReceiver, type WebSocketSession } from "../exchange/index.ts";
import { ConnectionLifecycle, type Moves } from "../sockets/lifecycle.ts";
import { SendWatch, type StallWatching } from "../sockets/send-watch.ts";
import { StreamEvents } from "../sockets/stream-events.ts";
import type { Timed, WebSocketClock } from "./clock.ts";
import type { Deflate } from "./deflate.ts";
import { type MessageHandler, MessageReader } from "./reader.ts";
import { SESSION_RULES, type SessionRule, type SessionState } from "./states.ts";
import { MessageWriter } from "./writer.ts";

/** The exchange of a WebSocket. */
export interface SessionTransport {
  /**
   * The WebSocket is over; `error` is undefined after a closing handshake. `bytes` of messages were handed to us for the
   * client. Called once; the connection may still have to end then.
   */
  concluded(error: SallyportError | undefined, bytes: number): void;
}

/** Makes a watch over what waits for the client; `timeout` is in milliseconds. */
export type MakeWatch = (timeout: number) => StallWatching;

type Message = readonly [data: Buffer, binary: boolean];
type Closed = readonly [code: number, reason: string];

/** No close frame came (RFC 6455, 7.1.5). */
const ABNORMAL = 1006;

const left = (why: string): SallyportError => new SallyportError("CLIENT_LEFT", why);

export class Session implements WebSocketSession, Timed, MessageHandler, Moves<SessionRule> {
  static readonly #EVENTS = new StreamEvents<Session>({
    // Which error it was does not matter: the client is gone. "close" always follows.
    error: () => {},
    close: (session) => session.#streamClosed(),
    drain: (session) => session.#relieved(),
    end: (session) => session.#life.ended(),
  });
  static readonly #ON_DATA = new StreamEvents<Session>({
    data: (session, chunk: Buffer) => session.#received(chunk),
  });

  place = -1;
  readonly #duplex: Duplex;
  readonly #clock: WebSocketClock;
  readonly #receiver: WebSocketReceiver;
  readonly #transport: SessionTransport;
  readonly #reader: MessageReader;
  readonly #writer: MessageWriter;
  readonly #life: ConnectionLifecycle<SessionState, SessionRule>;
  /** The application has paused reading. */
  #paused = false;
  #stopped = false;
  /** Messages that came in the same bytes as the last one before the pause. */
  #inbox: Message[] | undefined;
  /** How it was closed, for the application after all messages. */
  #closed: Closed | undefined;
  #delivering = false;
  /** Made when a message has to wait for the first time. */
  #sendWatch: StallWatching | undefined;
  readonly #makeWatch: MakeWatch | undefined;
  /** Messages were on their way out before our close frame when the wait for the client began. */
  #queued = false;
  #bytes = 0;

  constructor(
    duplex: Duplex,
    clock: WebSocketClock,
    deflate: Deflate | undefined,
    receiver: WebSocketReceiver,
    transport: SessionTransport,
    makeWatch?: MakeWatch,
  ) {
    this.#duplex = duplex;
    this.#makeWatch = makeWatch;
    this.#clock = clock;
    this.#receiver = receiver;
    this.#transport = transport;
    this.#reader = new MessageReader(this, clock.limits, deflate);
    this.#writer = new MessageWriter(duplex, clock.limits, deflate);
    clock.add(this);
    this.#life = new ConnectionLifecycle(SESSION_RULES, "open", clock.limits, clock, duplex, this);
    Session.#EVENTS.attach(duplex, this);
  }

  /** Starts reading: first `early`, which came before there was a session. */
  begin(early: Buffer): void {
    const duplex = this.#duplex;
    if (duplex.destroyed) return this.#gone();
    if (early.length > 0) this.#received(early);
    Session.#ON_DATA.attach(duplex, this);
    if (!this.#stopped) duplex.resume();
  }

  // The application's calls.

  send(data: Uint8Array, binary: boolean): boolean {
    if (this.#life.rule.step !== "messages") return true;
    this.#bytes += data.length;
    const room = this.#writer.message(data, binary);
    if (!room) this.#watch();
    return room;
  }

  whenDrained(callback: () => void): void {
    if (this.#life.rule.step === "messages") this.#writer.whenDrained(callback);
  }

  close(code: number | undefined, reason: string): void {
    if (this.#life.rule.step !== "messages") return;
    this.#heedQueue();
    try {
      this.#writer.close(code, reason);
    } catch (error) {
      const why = `a WebSocket cannot be closed with code ${code}: ${(error as Error).message}`;
      throw new SallyportError("APP_PROTOCOL", why);
    }
    this.#life.enter("closing");
    this.#inbox = undefined;
    this.resume();
  }

  pause(): void {
    if (this.#life.rule.step !== "messages" && !this.#inbox) return;
    this.#paused = true;
    this.#reader.hold();
    this.flow();
  }

  resume(): void {
    if (!this.#paused) return;
    this.#paused = false;
    // A pong that came meanwhile has not been read.
    this.#alive();
    this.#reader.release();
    if (this.#inbox || this.#closed) process.nextTick(() => this.#deliver());
    else this.flow();
  }

  // The listener's calls.

  /** Ends it without waiting for the client: a close frame with `code`, then the end of the connection. */
  cut(code: number, error: SallyportError): void {
    this.#finish(ABNORMAL, "", error, code);
  }

  checkDeadlines(now: number): void {
    if (this.#sendWatch?.stalled(now)) this.#stalled();
    else this.#life.checkDeadline(now);
  }

  // What the table asks for.

  /** A ping, and our close frame, would have to wait behind what is on its way out. */
  sending(): boolean {
    if (this.#life.state === "pinged") return false;
    if (!this.#writer.busy) return this.#hasJustLeft();
    this.#watch();
    this.#queued = this.#life.rule.step !== "messages";
    return true;
  }

  probe(): void {
    this.#writer.ping();
    this.#life.enter("pinged");
  }

  late(): void {
    if (this.#life.state === "closing") this.#fail("the client did not answer a close frame in time");
    else if (this.#stopped) this.#alive();
    else this.#fail("the client did not answer a ping in time");
  }

  /** When our side has ended, too, the stream closes by itself. */
  left(): void {
    this.#finish(ABNORMAL, "", left("the client ended the connection without a close frame"));
  }

  // What the stream does.

  #received(chunk: Buffer): void {
    const { state, rule } = this.#life;
    if (state === "pinged") this.#alive();
    if (rule.step === "discard") return;
    this.#reader.take(chunk);
    if (this.#reader.isFull) this.flow();
  }

  #relieved(): void {
    this.#unwatch();
    this.#writer.drained();
  }

  /** The client has taken nothing for `sendTimeout`. */
  #stalled(): void {
    this.#unwatch();
    if (!this.#writer.busy) return;
    this.#finish(ABNORMAL, "", new SallyportError("CLIENT_STALLED", "the client stopped reading messages"));
    this.#duplex.destroy();
  }

  #streamClosed(): void {
    this.#gone();
    Session.#EVENTS.release(this.#duplex);
  }

  /** There is no connection any more. */
  #gone(): void {
    this.#finish(ABNORMAL, "", left("the client closed the connection"));
    this.#clock.delete(this);
  }

  // What the reader finds.

  message(data: Buffer, binary: boolean): void {
    if (this.#life.rule.step !== "messages") return;
    if (this.#inbox) this.#inbox.push([data, binary]);
    else if (this.#paused) this.#inbox = [[data, binary]];
    else this.#receiver.message(data, binary);
  }

  ping(data: Buffer): void {
    if (this.#life.rule.step === "messages") this.#writer.pong(data);
  }

  conclude(code: number, reason: Buffer): void {
    this.#finish(code, reason.toString(), undefined, code);
  }

  fault(error: Error, code: number): void {
    this.#finish(ABNORMAL, "", new SallyportError("WEBSOCKET_VIOLATION", error.message), code);
  }

  /** Pauses or resumes reading, as there is room. */
  flow(): void {
    const stop =
      this.#life.rule.step !== "discard" &&
      (this.#paused || this.#inbox !== undefined || this.#reader.isFull);
    if (stop === this.#stopped) return;
    this.#stopped = stop;
    if (stop) this.#duplex.pause();
    else this.#duplex.resume();
  }

  // The end.

  #fail(why: string): void {
    this.#finish(ABNORMAL, "", left(why));
    this.#duplex.destroy();
  }

  /** `say`: the close code for a client that has had no close frame. */
  #finish(code: number, reason: string, error: SallyportError | undefined, say?: number): void {
    if (this.#life.rule.step === "discard") return;
    this.#heedQueue();
    this.#writer.end(this.#life.rule.step === "messages" ? say : undefined, reason);
    this.#life.enter("linger");
    this.#reader.stop();
    this.#closed = [code, reason];
    if (!this.#paused && !this.#inbox) this.#tellClosed();
    this.#transport.concluded(error, this.#bytes);
    this.flow();
  }

  #deliver(): void {
    if (this.#delivering) return;
    this.#delivering = true;
    while (!this.#paused && this.#inbox && this.#inbox.length > 0) {
      const [data, binary] = this.#inbox.shift() as Message;
      this.#receiver.message(data, binary);
    }
    this.#delivering = false;
    if (this.#paused) return;
    this.#inbox = undefined;
    this.#tellClosed();
    this.flow();
  }

  #tellClosed(): void {
    const closed = this.#closed;
    this.#closed = undefined;
    if (closed) this.#receiver.closed(...closed);
  }

  // Waits.

  /** A client that still reads what comes before our close frame has its time for it after that. */
  #heedQueue(): void {
    if (!this.#duplex.writableNeedDrain) return;
    this.#queued = true;
    this.#watch();
  }

  #hasJustLeft(): boolean {
    const left = this.#queued;
    this.#queued = false;
    return left;
  }

  /** The client is there, or we do not read for now: the next ping comes later. */
  #alive(): void {
    if (this.#life.rule.step === "messages") this.#life.enter("open");
  }

  /** From now on the client must take a byte every `sendTimeout`, until `#unwatch`. */
  #watch(): void {
    const { limits, now } = this.#clock;
    this.#sendWatch ??= this.#newWatch(limits.sendTimeout);
    this.#sendWatch?.start(now);
  }

  #newWatch(timeout: number): StallWatching | undefined {
    if (this.#makeWatch) return this.#makeWatch(timeout);
    return this.#duplex instanceof Socket ? new SendWatch(this.#duplex, timeout) : undefined;
  }

  #unwatch(): void {
    this.#sendWatch?.stop();
  }
}
