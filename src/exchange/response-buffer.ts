// What a client has not taken yet, so that no worker ever waits for a slow one: in memory up to a bound, then in a
// temporary file up to another, and only then is the sender made to wait.
import { tmpdir } from "node:os";
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

/** Stands between an answering side that is fast and an exchange whose client is not. */
export class ResponseBuffer {
  readonly #exchange: Exchange;
  readonly #accepted: (bytes: number) => void;
  readonly #limits: ResponseBufferLimits;
  #memory: Uint8Array[] = [];
  #memorySize = 0;
  /** Pieces on their way into the file, in order; their sender has not been told yet. */
  #spilling: Uint8Array[] = [];
  #file: TemporaryFile | undefined;
  #written = 0;
  #read = 0;
  #working = false;
  #called = false;
  #stalled = false;
  #ended = false;
  #trailers: Headers | undefined;

  /** `accepted` is told how many bytes have found a place, and so may be followed by as many. */
  constructor(
    exchange: Exchange,
    accepted: (bytes: number) => void,
    limits: ResponseBufferLimits = RESPONSE_BUFFER_LIMITS,
  ) {
    this.#exchange = exchange;
    this.#accepted = accepted;
    this.#limits = limits;
    exchange.whenClosed(() => this.#dispose());
  }

  push(chunk: Uint8Array): void {
    if (this.#empty && !this.#stalled) {
      this.#write(chunk);
      this.#accepted(chunk.length);
    } else if (this.#spills || this.#memorySize + chunk.length > this.#limits.memory) {
      this.#spilling.push(chunk);
      this.#work();
    } else {
      this.#memory.push(chunk);
      this.#memorySize += chunk.length;
      this.#accepted(chunk.length);
    }
  }

  end(trailers?: Headers): void {
    this.#ended = true;
    this.#trailers = trailers;
    this.#work();
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
      this.#work();
    });
  }

  /** Does what can be done now, one thing after the other; at most one of these loops runs. */
  #work(): void {
    if (this.#working) {
      this.#called = true;
      return;
    }
    this.#working = true;
    this.#steps()
      .catch((error: unknown) => this.#exchange.fail(SallyportError.from(error)))
      .finally(() => this.#rest());
  }

  #rest(): void {
    this.#working = false;
    if (this.#exchange.closed) return this.#dispose();
    const called = this.#called;
    this.#called = false;
    if (called) this.#work();
  }

  async #steps(): Promise<void> {
    while (!this.#exchange.closed) {
      if (!this.#stalled && this.#memory.length > 0) this.#fromMemory();
      else if (!this.#stalled && this.#written > this.#read) await this.#fromFile();
      else if (this.#spilling.length > 0 && this.#hasRoom) await this.#toFile();
      else break;
    }
    if (this.#ended && !this.#stalled && this.#empty) this.#exchange.end(this.#trailers);
  }

  /** Whether the next piece has a place; beyond the limits of the file it goes past it, once all before it has left. */
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
    const piece = await file.read(this.#read, Math.min(PIECE, this.#written - this.#read));
    this.#read += piece.length;
    // Before anything is waited for: once the file is used up, what is pushed goes past it.
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
  }

  /** What the file held is no longer needed. */
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
