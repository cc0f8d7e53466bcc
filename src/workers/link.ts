// The front's end of the link: frames on one stream socket between the front and a worker (docs/link.md). Pure: bytes
// in, frames out. The same names, numbers and limits stand in python/sallyport/link.py; test/vectors/link.json pins them.
import { SallyportError } from "../exchange/index.ts";
import { MarshalWriter } from "./marshal.ts";

/** Front to worker. */
export const TO_WORKER = {
  INIT: 1,
  REQUEST: 2,
  BODY: 3,
  BODY_END: 4,
  CANCEL: 5,
  CREDIT: 6,
  STOP: 7,
  TEXT: 8,
  BINARY: 9,
  CLOSE: 10,
  PING: 11,
  LEAVE: 12,
} as const;

/** Worker to front. */
export const FROM_WORKER = {
  READY: 65,
  FAILED: 66,
  RESPONSE: 67,
  ANSWER: 68,
  HEAD: 69,
  CHUNK: 70,
  END: 71,
  DONE: 72,
  ABORT: 73,
  WANT: 74,
  INFORM: 75,
  FILE: 76,
  ACCEPT: 77,
  TEXT_OUT: 78,
  BINARY_OUT: 79,
  CLOSE_OUT: 80,
  PONG: 81,
  /** A line that an application in this process printed (embedded mode); the stream is the descriptor. */
  PRINTED: 82,
} as const;

/** Octets before the payload: its length (u32), the stream (u32), the kind (u8); little endian. */
export const HEADER_SIZE = 9;
/** Octets of one direction of one stream that may be under way unasked. */
export const WINDOW = 262_144;
/** Octets of body in one frame at the most. */
export const PIECE = 65_536;
/** What a WebSocket message costs of a window besides its octets, so that empty ones cannot pile up. */
export const MESSAGE_COST = HEADER_SIZE;
/** No frame that a worker may send is larger: a head, or a small response in one frame. */
export const MAX_FRAME = 4_194_304;

/** Octets of a writer's buffer that is used again. */
const KEPT = 262_144;
/** From so many octets on, a payload is not copied where it need not be: collecting what was allocated costs most. */
const LARGE = 16_384;

export type FrameHandler = (kind: number, stream: number, payload: Buffer) => void;

/**
 * Cuts what arrives into frames. Payloads are views of what was pushed, not copies; so a large CHUNK, whose octets mean the
 * same however they are cut, is passed on as it arrives, as several.
 */
export class FrameReader {
  readonly #onFrame: FrameHandler;
  /** Octets to come of a CHUNK that is being passed on, and its stream. */
  #open = 0;
  #stream = 0;
  #rest: Buffer[] = [];
  #restSize = 0;
  #needed = HEADER_SIZE;

  constructor(onFrame: FrameHandler) {
    this.#onFrame = onFrame;
  }

  /** Octets of a frame that is not complete yet. */
  get pending(): number {
    return this.#restSize;
  }

  /** Throws a SallyportError (LINK_BROKEN) when a frame is larger than any can be. */
  push(chunk: Buffer): void {
    if (this.#open > 0) return this.#passOn(chunk);
    if (this.#restSize + chunk.length < this.#needed) return this.#keep(chunk);
    const data = this.#restSize > 0 ? Buffer.concat([...this.#rest, chunk]) : chunk;
    this.#rest = [];
    this.#restSize = 0;
    this.#needed = HEADER_SIZE;
    this.#cut(data);
  }

  #cut(data: Buffer): void {
    let start = 0;
    while (data.length - start >= HEADER_SIZE) {
      const length = data.readUInt32LE(start);
      if (length > MAX_FRAME)
        throw new SallyportError("LINK_BROKEN", `a worker announced a frame of ${length} octets`);
      const end = start + HEADER_SIZE + length;
      const kind = data[start + 8] as number;
      const stream = data.readUInt32LE(start + 4);
      if (end > data.length) {
        if (kind === FROM_WORKER.CHUNK && length >= LARGE)
          return this.#begin(stream, data.subarray(start + HEADER_SIZE), length);
        this.#needed = HEADER_SIZE + length;
        break;
      }
      this.#onFrame(kind, stream, data.subarray(start + HEADER_SIZE, end));
      start = end;
    }
    if (start < data.length) this.#keep(data.subarray(start));
  }

  #begin(stream: number, part: Buffer, length: number): void {
    this.#stream = stream;
    this.#open = length;
    if (part.length > 0) this.#passOn(part);
  }

  #passOn(chunk: Buffer): void {
    const size = Math.min(this.#open, chunk.length);
    this.#open -= size;
    this.#onFrame(FROM_WORKER.CHUNK, this.#stream, chunk.subarray(0, size));
    if (size < chunk.length) this.#cut(chunk.subarray(size));
  }

  #keep(chunk: Buffer): void {
    this.#rest.push(chunk);
    this.#restSize += chunk.length;
  }
}

/** A large payload, and where in the writer's own octets it belongs. */
interface Aside {
  readonly at: number;
  readonly octets: Uint8Array;
}

/** Collects frames so that those of one turn of the loop leave in one write. */
export class FrameWriter extends MarshalWriter {
  #frame = 0;
  #asides: Aside[] = [];
  #asideSize = 0;

  /** Octets waiting to be taken. */
  get length(): number {
    return this.size + this.#asideSize;
  }

  /** Begins a frame; what is written next is its payload. */
  begin(kind: number, stream: number): void {
    this.reserve(HEADER_SIZE);
    this.#frame = this.size;
    this.buffer.writeUInt32LE(stream, this.size + 4);
    this.buffer[this.size + 8] = kind;
    this.size += HEADER_SIZE;
  }

  /** Ends the frame that `begin` began. */
  finish(): void {
    this.buffer.writeUInt32LE(this.size - this.#frame - HEADER_SIZE, this.#frame);
  }

  /** Forgets the frame that `begin` began. */
  drop(): void {
    this.size = this.#frame;
  }

  /** A whole frame with octets as its payload, which must stay as they are until it has left. */
  frame(kind: number, stream: number, payload?: Uint8Array): void {
    this.begin(kind, stream);
    if (payload && payload.length >= LARGE) return this.#aside(payload);
    if (payload) this.raw(payload);
    this.finish();
  }

  /** A whole frame with a number as its payload. */
  count(kind: number, stream: number, value: number): void {
    this.begin(kind, stream);
    this.reserve(4);
    this.size = this.buffer.writeUInt32LE(value, this.size);
    this.finish();
  }

  /** A whole frame that closes a WebSocket: its code and reason. */
  close(kind: number, stream: number, code: number, reason: string): void {
    this.begin(kind, stream);
    this.reserve(2);
    this.size = this.buffer.writeUInt16LE(code, this.size);
    this.raw(Buffer.from(reason));
    this.finish();
  }

  raw(octets: Uint8Array): void {
    this.reserve(octets.length);
    this.buffer.set(octets, this.size);
    this.size += octets.length;
  }

  /** Everything collected, as a buffer of the taker's own; the writer is empty afterwards. */
  take(): Buffer {
    return this.#asides.length > 0 ? Buffer.concat(this.takePieces()) : this.#takeOwn();
  }

  /** The same in pieces for a gathered write: large payloads are not copied. */
  takePieces(): Uint8Array[] {
    const asides = this.#asides;
    const own = this.#takeOwn();
    if (asides.length === 0) return [own];
    this.#asides = [];
    this.#asideSize = 0;
    return interleaved(own, asides);
  }

  #takeOwn(): Buffer {
    const taken =
      this.buffer.length > KEPT ? this.#handOver() : Buffer.from(this.buffer.subarray(0, this.size));
    this.size = 0;
    return taken;
  }

  #aside(octets: Uint8Array): void {
    this.buffer.writeUInt32LE(octets.length, this.#frame);
    this.#asides.push({ at: this.size, octets });
    this.#asideSize += octets.length;
  }

  /** What had to grow for something large is not kept for what comes after it. */
  #handOver(): Buffer {
    const taken = this.buffer.subarray(0, this.size);
    this.renew();
    return taken;
  }
}

function interleaved(own: Buffer, asides: readonly Aside[]): Uint8Array[] {
  const pieces: Uint8Array[] = [];
  let start = 0;
  for (const { at, octets } of asides) {
    pieces.push(own.subarray(start, at), octets);
    start = at;
  }
  if (start < own.length) pieces.push(own.subarray(start));
  return pieces;
}
