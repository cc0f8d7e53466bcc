// Sends on one connection that several requests share: each has a queue of its own, and when the server in front is slow
// the queues take turns (round robin), so that no response waits for the end of another.
// Tested by test/protocols/fastcgi/application/interleaved.test.ts.
import type { Socket } from "node:net";
import { writePiece } from "../../../exchange/blocks.ts";

/** Records of one queue that leave before it is the next one's turn. */
const TURN = 8;

export class SendQueue {
  /** Bytes, or latin-1 text. */
  readonly waiting: (Buffer | string)[] = [];
  /** Bytes of `waiting`. */
  size = 0;
  /** Called when the queue was full and all of it has left. */
  readonly drained: () => void;
  full = false;

  constructor(drained: () => void) {
    this.drained = drained;
  }
}

export class SendQueues {
  /** Bytes that wait in all queues. */
  size = 0;
  readonly #socket: Socket;
  /** Bytes that may wait in one queue before it is full. */
  readonly #most: number;
  /** Those that are not empty, the next one first. */
  #turns: SendQueue[] = [];
  #emptied: (() => void) | undefined;

  constructor(socket: Socket, most: number) {
    this.#socket = socket;
    this.#most = most;
  }

  /** Sends one record, or has it wait. False when the queue is full. */
  send(queue: SendQueue, bytes: Buffer | string): boolean {
    if (this.#turns.length === 0 && !this.#socket.writableNeedDrain) {
      this.#write(bytes);
      return true;
    }
    if (queue.waiting.length === 0) this.#turns.push(queue);
    queue.waiting.push(bytes);
    queue.size += bytes.length;
    this.size += bytes.length;
    queue.full ||= queue.size > this.#most;
    return !queue.full;
  }

  /** The socket has room again. */
  pump(): void {
    while (this.#turns.length > 0 && !this.#socket.writableNeedDrain)
      this.#turn(this.#turns.shift() as SendQueue);
    if (this.#turns.length === 0) this.#emptied?.();
  }

  /** Calls back, once, when nothing waits in any queue. */
  whenEmpty(callback: () => void): void {
    if (this.#turns.length === 0) return callback();
    this.#emptied = () => {
      this.#emptied = undefined;
      callback();
    };
  }

  /** Drops all that waits. */
  clear(): void {
    for (const queue of this.#turns) {
      queue.waiting.length = 0;
      queue.size = 0;
    }
    this.#turns = [];
    this.size = 0;
  }

  #write(bytes: Buffer | string): void {
    if (typeof bytes === "string") this.#socket.write(bytes, "latin1");
    else writePiece(this.#socket, bytes);
  }

  #turn(queue: SendQueue): void {
    const bytes = queue.waiting.splice(0, TURN);
    for (const piece of bytes) {
      queue.size -= piece.length;
      this.size -= piece.length;
      this.#write(piece);
    }
    if (queue.waiting.length > 0) {
      this.#turns.push(queue);
    } else if (queue.full) {
      queue.full = false;
      queue.drained();
    }
  }
}
