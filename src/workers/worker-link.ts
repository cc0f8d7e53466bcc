// The link to one worker. Frames come by the socket or, while that is silent, out of the worker's outbox: every byte is
// read once, whichever way it came. Frames leave together, those of one turn of the event loop in one write.
// Tested by test/workers/outbox.test.ts.
import type { Socket } from "node:net";
import { setTimeout as delay, setImmediate as turn } from "node:timers/promises";
import { SocketReader } from "../sockets/accepted.ts";
import { readLastBytes } from "../sockets/last-bytes.ts";
import { type FrameHandler, FrameReader, FrameWriter } from "./link.ts";
import type { Outbox, OutboxState } from "./outbox.ts";

/** Milliseconds between two looks into the outbox of a worker whose link is silent. */
const PEEK_INTERVAL = 5;

/** Milliseconds without a byte, and the most of such times, after which a dead worker's link has been read, if it does not end. */
const QUIET = 100;
const MOST_QUIET = 20;

/** Bytes that a worker has not read yet; above this it gets no new streams. */
const LINK_FULL = 4_194_304;

export interface WorkerLinkEvents {
  readonly onFrame: FrameHandler;
  /** There is room for more bytes again. */
  readonly onDrain: () => void;
  /** The first error of the reader or of `onFrame`; nothing is read after it. */
  readonly onBroken: (error: unknown) => void;
  /** Whether answers are still expected, so that the outbox has to be watched. */
  readonly isBusy: () => boolean;
}

/** What the outbox of a dead worker says, and whether everything was read that it had sent. */
export interface LastState extends OutboxState {
  readonly isWhole: boolean;
}

export class WorkerLink {
  readonly writer: FrameWriter;
  /** The worker is slow to read. */
  isFull = false;
  /** Requests written since bytes last left. */
  unsent = 0;
  /** Whether finished answers may lie in the outbox while the worker runs its next request. */
  watchesOutbox = false;
  /** Resolves when the link has been read to its end. */
  readonly closed: Promise<void>;
  readonly #socket: Socket;
  readonly #outbox: Outbox | undefined;
  readonly #reader: FrameReader;
  readonly #events: WorkerLinkEvents;
  /** Bytes that have arrived by the socket, and bytes that were read: perhaps before they arrived. */
  #received = 0;
  #read = 0;
  /** How much had arrived at the last look into the outbox. */
  #receivedBefore = 0;
  #isBroken = false;
  #flushing = false;
  #peeking: NodeJS.Timeout | undefined;

  constructor(socket: Socket, outbox: Outbox | undefined, events: WorkerLinkEvents) {
    this.#socket = socket;
    this.#outbox = outbox;
    this.#events = events;
    this.writer = new FrameWriter(this.#flush);
    this.closed = new Promise((resolve) => socket.once("close", () => resolve()));
    this.#reader = new FrameReader(events.onFrame);
    new SocketReader(socket, this.#arrived, true);
    readLastBytes(socket, this.#arrived);
    socket.on("drain", () => {
      this.isFull = false;
      events.onDrain();
    });
    socket.on("error", () => {}); // it closes next, and the process's exit says why
  }

  /** Bytes of the memory for finished answers that the worker shares with us; undefined if there is none. */
  get outboxRoom(): number | undefined {
    return this.#outbox?.room;
  }

  /** Sends what was written, without waiting for the end of this turn. */
  send(): void {
    const socket = this.#socket;
    if (this.writer.length === 0 || !socket.writable) return;
    if (this.watchesOutbox && !this.#peeking) this.#watchOutbox();
    this.unsent = 0;
    const pieces = this.writer.take();
    if (pieces.length > 1) socket.cork();
    for (const piece of pieces) socket.write(piece, "latin1");
    if (pieces.length > 1) socket.uncork();
    this.isFull = socket.writableLength > LINK_FULL;
  }

  /**
   * The worker is dead: reads what it has sent. Its end of the link may live on in a process that it has started, and the link
   * then never ends; all that the worker has sent is here.
   */
  async readToEnd(): Promise<void> {
    const { closed } = this;
    const quiet = (): Promise<void> => delay(QUIET, undefined, { ref: false }).then(() => turn()); // a turn reads what is there
    for (let before = -1, looks = 0; before !== this.#received && looks < MOST_QUIET; looks++) {
      before = this.#received;
      await Promise.race([closed, quiet()]);
    }
    this.destroy();
    await closed;
  }

  /** The worker is dead, and the socket was read to its end: reads the answers that it had finished and not sent. */
  finish(): LastState | undefined {
    clearTimeout(this.#peeking);
    const outbox = this.#outbox;
    if (!outbox) return undefined;
    const rest = outbox.unsent(this.#read);
    if (rest) this.#push(rest);
    const { last } = outbox;
    outbox.close();
    // Where the descriptor of the socket is not to be had, a write that fails as the worker dies takes unread answers with it.
    return last && { ...last, isWhole: this.#read >= last.end };
  }

  destroy(): void {
    this.#socket.destroy();
  }

  readonly #flush = (): void => {
    if (this.#flushing) return;
    this.#flushing = true;
    setImmediate(this.#turnEnded);
  };

  readonly #turnEnded = (): void => {
    this.#flushing = false;
    this.send();
  };

  /** Finished answers must not wait for a request that takes long. */
  #watchOutbox(): void {
    if (!this.#outbox) return;
    this.#peeking = setTimeout(() => {
      this.#peeking = undefined;
      this.#peek();
      if (this.#events.isBusy()) this.#watchOutbox();
    }, PEEK_INTERVAL).unref();
  }

  #peek(): void {
    const isSilent = this.#received === this.#receivedBefore;
    this.#receivedBefore = this.#received;
    const found = isSilent ? this.#outbox?.peek(this.#read) : undefined;
    if (found) this.#push(found);
  }

  readonly #arrived = (chunk: Buffer): void => {
    this.#received += chunk.length;
    const unread = this.#received - this.#read;
    if (unread >= chunk.length) this.#push(chunk);
    else if (unread > 0) this.#push(chunk.subarray(chunk.length - unread));
  };

  #push(bytes: Buffer): void {
    if (this.#isBroken) return;
    this.#read += bytes.length;
    try {
      this.#reader.push(bytes);
    } catch (error) {
      this.#isBroken = true;
      this.#events.onBroken(error);
    }
  }
}
