// Writes the responses of one connection: few and large writes, and a timeout for clients that do not read.
// Tested by test/protocols/http1/deadlines.test.ts.
import type { Socket } from "node:net";
import { givePiece, writePiece } from "../../exchange/blocks.ts";
import { resetSocket } from "../../sockets/reset.ts";
import { SendWatch } from "../../sockets/send-watch.ts";

/** Up to this size, copying bytes behind their head costs less than a gathered write. */
const COPIED = 16_384;

export class ResponseWriter {
  readonly #socket: Socket;
  /** Bytes that may wait for the client before `false` is returned. */
  readonly #highWater: number;
  readonly #sendTimeout: number;
  readonly #clock: { readonly now: number };
  readonly #uncork = (): void => this.#socket.uncork();
  /** The second half of a text of which only the first was sent; it leaves before anything else. */
  #otherHalf = "";
  /** Made when a response has to wait for the first time: most connections never need one. */
  #sendWatch: SendWatch | undefined;

  constructor(socket: Socket, highWater: number, sendTimeout: number, clock: { readonly now: number }) {
    this.#socket = socket;
    this.#highWater = highWater;
    this.#sendTimeout = sendTimeout;
    this.#clock = clock;
  }

  /** Whether bytes wait for the client to read them. */
  get busy(): boolean {
    return this.#socket.writableLength > 0;
  }

  /** Sends latin-1 text. */
  text(text: string): boolean {
    const whole = this.#otherHalf === "" ? text : this.#afterOtherHalf(text);
    return this.#socket.write(whole, "latin1") || this.#hasRoom();
  }

  /** Sends bytes between two latin-1 texts. A piece is given back once it was sent. */
  bytes(before: string, bytes: Uint8Array, after: string): boolean {
    if (bytes.length <= COPIED && before !== "") return this.#joined(before, bytes, after);
    const socket = this.#socket;
    this.corkThisTurn();
    if (before !== "" || this.#otherHalf !== "") socket.write(this.#afterOtherHalf(before), "latin1");
    let more = writePiece(socket, bytes);
    if (after !== "") more = socket.write(after, "latin1");
    if (!more) socket.uncork();
    return more || this.#hasRoom();
  }

  /** What is sent in this turn of the loop leaves together, if it is not too much. */
  corkThisTurn(): void {
    if (this.#socket.writableCorked > 0) return;
    this.#socket.cork();
    process.nextTick(this.#uncork);
  }

  /** Sends `text` now, and `rest` before anything else. */
  half(text: string, rest: string): void {
    this.text(text);
    this.#otherHalf = rest;
  }

  /** Sends the other half, if there is one. */
  complete(): void {
    if (this.#otherHalf !== "") this.text("");
  }

  /** From now on the client must take a byte every `sendTimeout`, until `unwatch`. */
  watch(): void {
    this.#sendWatch ??= new SendWatch(this.#socket, this.#sendTimeout);
    this.#sendWatch.start(this.#clock.now);
  }

  unwatch(): void {
    this.#sendWatch?.stop();
  }

  /** Whether bytes wait and the client has taken none for `sendTimeout`. */
  stalled(now: number): boolean {
    return this.#sendWatch?.stalled(now) === true;
  }

  /** Resets the connection: an orderly end could be taken for the end of the response. */
  reset(): void {
    resetSocket(this.#socket);
  }

  #joined(before: string, bytes: Uint8Array, after: string): boolean {
    const text = before + latin1(bytes) + after;
    givePiece(bytes);
    return this.text(text);
  }

  #afterOtherHalf(text: string): string {
    const whole = this.#otherHalf + text;
    this.#otherHalf = "";
    return whole;
  }

  /** Asked when a write had to wait. */
  #hasRoom(): boolean {
    // A socket that has failed buffers nothing and reports that only later: `false` stops the writing until then.
    if (!this.#socket.writable) return false;
    if (this.#socket.writableLength === 0) return true;
    this.watch();
    return this.#socket.writableLength <= this.#highWater;
  }
}

const latin1 = (bytes: Uint8Array): string =>
  Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("latin1");
