// Buffers responses for slow clients, so that no worker waits for them: in memory up to one limit, then in a temporary file
// up to another, and only then the sender has to wait.
import { tmpdir } from "node:os";
import { givePiece, pieceOf } from "./blocks.ts";
import { disk } from "./disk.ts";
import { SallyportError } from "./errors.ts";
import type { Exchange } from "./exchange.ts";
import type { Headers } from "./headers.ts";
import { TemporaryFile } from "./temporary.ts";

export interface ResponseBufferLimits {
  /** Bytes kept in memory for one client. */
  readonly memory: number;
  /** Bytes kept in a temporary file for one client; 0 for none. */
  readonly file: number;
  /** Where temporary files are made. */
  readonly directory: string;
}

export const RESPONSE_BUFFER_LIMITS: ResponseBufferLimits = {
  memory: 262_144,
  file: 1_073_741_824,
  directory: tmpdir(),
};

const PIECE = 65_536;

/** Stands between a fast answering side and an exchange with a slow client. */
export class ResponseBuffer {
  readonly #exchange: Exchange;
  readonly #accepted: (bytes: number) => void;
  readonly #onFull: () => void;
  readonly #limits: ResponseBufferLimits;
  #memory: Uint8Array[] = [];
  #memorySize = 0;
  /** Pieces that wait for room in the file, in order; not yet accepted. */
  #spilling: Uint8Array[] = [];
  #file: TemporaryFile | undefined;
  #written = 0;
  #read = 0;
  #working = false;
  #stalled = false;
  #ended = false;
  #trailers: Headers | undefined;

  /**
   * `accepted` gets the number of bytes that have been buffered or sent: the sender may send as many more. `onFull` is called when
   * pieces wait that the client must make room for, and again with each further one.
   */
  constructor(
    exchange: Exchange,
    accepted: (bytes: number) => void,
    limits: ResponseBufferLimits = RESPONSE_BUFFER_LIMITS,
    onFull: () => void = () => {},
  ) {
    this.#exchange = exchange;
    this.#accepted = accepted;
    this.#onFull = onFull;
    this.#limits = limits;
    exchange.whenClosed(() => this.#dispose());
  }

  push(chunk: Uint8Array): void {
    if (this.#empty && !this.#stalled) {
      this.#write(chunk);
      this.#accepted(chunk.length);
    } else if (this.#spills || this.#memorySize + chunk.length > this.#limits.memory) {
      this.#spilling.push(chunk);
      void this.#work();
    } else {
      this.#memory.push(chunk);
      this.#memorySize += chunk.length;
      this.#accepted(chunk.length);
    }
  }

  end(trailers?: Headers): void {
    this.#ended = true;
    this.#trailers = trailers;
    void this.#work();
  }

  get #spills(): boolean {
    return this.#spilling.length > 0 || this.#written > this.#read;
  }

  get #empty(): boolean {
    return this.#memory.length === 0 && !this.#spills;
  }

  #write(chunk: Uint8Array): void {
    if (this.#exchange.write(chunk)) return;
    this.#stalled = true;
    this.#exchange.whenDrained(() => {
      this.#stalled = false;
      void this.#work();
    });
  }

  /** Moves pieces until none can move. One loop runs at a time; it sees all that changes while it waits for the file. */
  async #work(): Promise<void> {
    if (this.#working) return;
    this.#working = true;
    try {
      while (!this.#exchange.closed) {
        if (!this.#stalled && this.#memory.length > 0) this.#fromMemory();
        else if (!this.#stalled && this.#written > this.#read) await this.#fromFile();
        else if (this.#spilling.length > 0 && this.#hasRoom) await this.#toFile();
        else break;
      }
      if (this.#ended && !this.#stalled && this.#empty) this.#exchange.end(this.#trailers);
    } catch (error) {
      this.#exchange.fail(SallyportError.from(error));
    }
    this.#working = false;
    if (this.#exchange.closed) this.#dispose();
    else if (this.#spilling.length > 0) this.#onFull();
  }

  /** Whether nothing moves until the client has read something. Otherwise pieces that wait do so for the disk. */
  get isFull(): boolean {
    return this.#spilling.length > 0 && !this.#working;
  }

  /** Whether the next piece can go on: into the file, or past a full one once everything before it has been sent. */
  get #hasRoom(): boolean {
    return this.#mayGrow || (!this.#stalled && this.#memory.length === 0 && this.#written === this.#read);
  }

  get #mayGrow(): boolean {
    return this.#written < this.#limits.file && disk.has((this.#spilling[0] as Uint8Array).length);
  }

  #fromMemory(): void {
    const chunk = this.#memory.shift() as Uint8Array;
    this.#memorySize -= chunk.length;
    this.#write(chunk);
  }

  async #fromFile(): Promise<void> {
    const file = this.#file as TemporaryFile;
    const piece = await file.read(this.#read, pieceOf(Math.min(PIECE, this.#written - this.#read)));
    this.#read += piece.length;
    // Before any await: once the file is used up, the next piece pushed is written directly.
    this.#write(piece);
    if (this.#read === this.#written) await this.#startAnew(file);
  }

  async #startAnew(file: TemporaryFile): Promise<void> {
    this.#read = 0;
    this.#vacate();
    await file.empty();
  }

  async #toFile(): Promise<void> {
    const chunk = this.#spilling[0] as Uint8Array;
    if (this.#mayGrow) await this.#append(chunk);
    else this.#write(chunk);
    this.#spilling.shift();
    this.#accepted(chunk.length);
  }

  async #append(chunk: Uint8Array): Promise<void> {
    const at = this.#written;
    disk.take(chunk.length);
    this.#written += chunk.length;
    this.#file ??= await TemporaryFile.unnamed(this.#limits.directory);
    await this.#file.write(chunk, at);
    givePiece(chunk);
  }

  /** Gives back the file's share of the disk limit. */
  #vacate(): void {
    disk.give(this.#written);
    this.#written = 0;
  }

  #dispose(): void {
    this.#memory = [];
    this.#spilling = [];
    if (this.#working) return;
    this.#vacate();
    const file = this.#file;
    this.#file = undefined;
    void file?.close();
  }
}
