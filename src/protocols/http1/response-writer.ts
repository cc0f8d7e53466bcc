// The way out of one connection: few and large writes, and a watch over clients that do not read.
import type { Socket } from "node:net";
import { resetSocket } from "../../sockets/reset.ts";

/** Up to this size, copying bytes behind their head costs less than a gathered write. */
const COPIED = 16_384;

export class ResponseWriter {
  readonly #socket: Socket;
  /** Bytes that may wait before `false` is answered. */
  readonly #highWater: number;
  readonly #sendTimeout: number;
  readonly #uncork = (): void => this.#socket.uncork();
  /** What must leave before anything else: the end of a text that was sent by half. */
  #otherHalf = "";
  #watched = false;

  constructor(socket: Socket, highWater: number, sendTimeout: number) {
    this.#socket = socket;
    this.#highWater = highWater;
    this.#sendTimeout = sendTimeout;
  }

  /** Whether something waits for the client to read. */
  get busy(): boolean {
    return this.#socket.writableLength > 0;
  }

  /** Sends latin-1 text. */
  text(text: string): boolean {
    return this.#written(
      this.#socket.write(this.#otherHalf === "" ? text : this.#afterOtherHalf(text), "latin1"),
    );
  }

  /** Sends bytes between two latin-1 texts. */
  bytes(before: string, bytes: Uint8Array, after: string): boolean {
    if (bytes.length <= COPIED && before !== "") return this.text(before + latin1(bytes) + after);
    const socket = this.#socket;
    socket.cork();
    if (before !== "" || this.#otherHalf !== "") socket.write(this.#afterOtherHalf(before), "latin1");
    let more = socket.write(bytes);
    if (after !== "") more = socket.write(after, "latin1");
    socket.uncork();
    return this.#written(more);
  }

  /** What is sent in this turn leaves together. */
  corkThisTurn(): void {
    this.#socket.cork();
    process.nextTick(this.#uncork);
  }

  /** Sends `text` now and `rest` before whatever comes next. */
  half(text: string, rest: string): void {
    this.text(text);
    this.#otherHalf = rest;
  }

  /** Sends the other half, if there is one. */
  complete(): void {
    if (this.#otherHalf !== "") this.text("");
  }

  /** Starts the watch: "timeout" comes when not a byte leaves for `sendTimeout`. Node counts what the kernel takes. */
  watch(): void {
    if (this.#watched) return;
    this.#watched = true;
    this.#socket.setTimeout(this.#sendTimeout);
  }

  unwatch(): void {
    if (!this.#watched) return;
    this.#watched = false;
    this.#socket.setTimeout(0);
  }

  /** Tears the connection down, visibly: an orderly end could pass for the end of a response. */
  reset(): void {
    resetSocket(this.#socket);
  }

  #afterOtherHalf(text: string): string {
    const whole = this.#otherHalf + text;
    this.#otherHalf = "";
    return whole;
  }

  #written(more: boolean): boolean {
    if (more) return true;
    // A socket that has failed holds nothing and says so only later: until then nobody may write to it for ever.
    if (!this.#socket.writable) return false;
    this.watch();
    return this.#socket.writableLength <= this.#highWater;
  }
}

const latin1 = (bytes: Uint8Array): string =>
  Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("latin1");
