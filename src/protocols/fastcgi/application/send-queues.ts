// The way out of one connection that several requests share: each has a lane of its own, and when the server in front is
// slow the lanes take turns, so that no response waits for the end of another.
import type { Socket } from "node:net";

/** Records of one lane that leave before it is the next one's turn. */
const TURN = 8;

export class SendQueue {
  /** Bytes, or latin-1 text. */
  readonly waiting: (Buffer | string)[] = [];
  /** Bytes of `waiting`. */
  size = 0;
  /** Told when the lane was full and all of it has left. */
  readonly drained: () => void;
  full = false;

  constructor(drained: () => void) {
    this.drained = drained;
  }
}

export class SendQueues {
  readonly #socket: Socket;
  /** Bytes that may wait in one lane before it is full. */
  readonly #most: number;
  /** Lanes with something in them, the next one first. */
  #queue: SendQueue[] = [];
  #emptied: (() => void) | undefined;

  constructor(socket: Socket, most: number) {
    this.#socket = socket;
    this.#most = most;
  }

  /** Sends one record, or has it wait. False when the lane is full. */
  send(lane: SendQueue, bytes: Buffer | string): boolean {
    if (this.#queue.length === 0 && !this.#socket.writableNeedDrain) {
      this.#socket.write(bytes, "latin1");
      return true;
    }
    if (lane.waiting.length === 0) this.#queue.push(lane);
    lane.waiting.push(bytes);
    lane.size += bytes.length;
    lane.full ||= lane.size > this.#most;
    return !lane.full;
  }

  /** The socket has room again. */
  pump(): void {
    while (this.#queue.length > 0 && !this.#socket.writableNeedDrain)
      this.#turn(this.#queue.shift() as SendQueue);
    if (this.#queue.length === 0) this.#emptied?.();
  }

  /** Calls back, once, when nothing waits in any lane. */
  whenEmpty(callback: () => void): void {
    if (this.#queue.length === 0) return callback();
    this.#emptied = () => {
      this.#emptied = undefined;
      callback();
    };
  }

  /** Forgets what waits. */
  clear(): void {
    for (const lane of this.#queue) {
      lane.waiting.length = 0;
      lane.size = 0;
    }
    this.#queue = [];
  }

  #turn(lane: SendQueue): void {
    const bytes = lane.waiting.splice(0, TURN);
    for (const piece of bytes) {
      lane.size -= piece.length;
      this.#socket.write(piece, "latin1");
    }
    if (lane.waiting.length > 0) {
      this.#queue.push(lane);
    } else if (lane.full) {
      lane.full = false;
      lane.drained();
    }
  }
}
