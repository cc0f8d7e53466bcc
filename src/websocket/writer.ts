// The writing side of one WebSocket: frames in order, few writes, and a limit on the bytes that wait for the client.
// Tested by test/websocket/session.test.ts.
import type { Duplex } from "node:stream";
import { type Deflate, NAME, transient } from "./deflate.ts";
import { library, type Sender } from "./library.ts";
import type { WebSocketLimits } from "./limits.ts";

const TEXT = 0x1;
const BINARY = 0x2;
const PING = 0x9;
const PONG = 0xa;
/** A close frame without a code. */
const NO_STATUS = 1005;
const EMPTY = Buffer.alloc(0);
/** Up to this size, copying the data behind its header costs less than a gathered write. */
const COPIED = 16_384;

export class MessageWriter {
  readonly #duplex: Duplex;
  readonly #limits: WebSocketLimits;
  readonly #deflate: Deflate | undefined;
  #gathered = false;
  /** Made for frames that must wait behind messages that are being compressed. */
  #sender: Sender | undefined;
  /** Bytes still in compression. */
  #compressing = 0;
  /** The pong to the latest ping, while the client reads nothing. */
  #waitingPong: Buffer | undefined;
  #drainers: (() => void)[] | undefined;
  #ending = false;

  constructor(duplex: Duplex, limits: WebSocketLimits, deflate: Deflate | undefined) {
    this.#duplex = duplex;
    this.#limits = limits;
    this.#deflate = deflate;
  }

  /** Whether bytes wait for the client to read. */
  get busy(): boolean {
    return this.#duplex.writableLength > 0;
  }

  /** False when more than `unsent` bytes wait. */
  message(data: Uint8Array, binary: boolean): boolean {
    const compress = this.#deflate !== undefined && data.length >= this.#limits.compressFrom;
    if (compress || this.#compressing > 0) this.#queue(data, binary, compress);
    else this.#frame(binary ? BINARY : TEXT, data);
    return this.#hasRoom();
  }

  ping(): void {
    this.#frame(PING, EMPTY);
  }

  /** Answers the latest ping (RFC 6455, 5.5.3), once the client has read the bytes before. */
  pong(data: Buffer): void {
    if (this.#duplex.writableNeedDrain) this.#waitingPong = Buffer.from(data);
    else this.#frame(PONG, data);
  }

  /** Throws for a code that may not be sent, or a reason that is too long. */
  close(code: number | undefined, reason: string): void {
    this.#gather();
    this.#ensureSender().close(code, reason, false);
  }

  whenDrained(callback: () => void): void {
    if (this.#drainers) this.#drainers.push(callback);
    else this.#drainers = [callback];
  }

  /** The stream's buffer is empty. */
  drained(): void {
    const pong = this.#waitingPong;
    this.#waitingPong = undefined;
    if (pong) this.pong(pong);
    this.#callDrainers();
  }

  /** Ends our side after all messages, and after a close frame if there is a `code`. Calls back no more drain listeners. */
  end(code: number | undefined, reason = ""): void {
    this.#drainers = undefined;
    this.#waitingPong = undefined;
    if (code !== undefined) this.close(code === NO_STATUS ? undefined : code, reason);
    this.#ending = true;
    this.#endWhenIdle();
  }

  #endWhenIdle(): void {
    if (this.#ending && this.#compressing === 0) this.#duplex.end();
  }

  #hasRoom(): boolean {
    const { writableLength, writableNeedDrain, destroyed } = this.#duplex;
    if (destroyed) return false;
    if (!writableNeedDrain) return this.#compressing <= this.#limits.unsent;
    return writableLength + this.#compressing <= this.#limits.unsent;
  }

  #callDrainers(): void {
    const callbacks = this.#drainers;
    if (!callbacks || !this.#hasRoom()) return;
    this.#drainers = undefined;
    for (const callback of callbacks) callback();
  }

  #frame(opcode: number, data: Uint8Array): void {
    const options = { fin: true, opcode, mask: false, readOnly: true, rsv1: false };
    const pieces = library().Sender.frame(data, options);
    this.#gather();
    if (data.length <= COPIED) this.#duplex.write(Buffer.concat(pieces));
    else for (const piece of pieces) this.#duplex.write(piece);
  }

  /** Sends the frames of one turn together. */
  #gather(): void {
    if (this.#gathered) return;
    this.#gathered = true;
    this.#duplex.cork();
    process.nextTick(MessageWriter.#release, this);
  }

  /** With an argument: a closure would be kept with every idle WebSocket. */
  static #release(writer: MessageWriter): void {
    writer.#gathered = false;
    writer.#duplex.uncork();
  }

  #queue(data: Uint8Array, binary: boolean, compress: boolean): void {
    this.#compressing += data.length;
    this.#ensureSender().send(data, { binary, compress, fin: true }, () => {
      this.#compressing -= data.length;
      this.#endWhenIdle();
      this.#callDrainers();
    });
  }

  #ensureSender(): Sender {
    if (this.#sender) return this.#sender;
    const extensions = this.#deflate ? { [NAME]: transient(this.#deflate.make()) } : {};
    this.#sender = new (library().Sender)(this.#duplex, extensions);
    return this.#sender;
  }
}
