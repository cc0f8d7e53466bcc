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

export type FrameHandler = (kind: number, stream: number, payload: Buffer) => void;

/** Cuts what arrives into frames. Payloads are views of what was pushed, not copies. */
export class FrameReader {
  readonly #onFrame: FrameHandler;
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
      if (end > data.length) {
        this.#needed = HEADER_SIZE + length;
        break;
      }
      const stream = data.readUInt32LE(start + 4);
      this.#onFrame(data[start + 8] as number, stream, data.subarray(start + HEADER_SIZE, end));
      start = end;
    }
    if (start < data.length) this.#keep(data.subarray(start));
  }

  #keep(chunk: Buffer): void {
    this.#rest.push(chunk);
    this.#restSize += chunk.length;
  }
}

/** Collects frames so that those of one turn of the loop leave in one write. */
export class FrameWriter extends MarshalWriter {
  #frame = 0;

  /** Octets waiting to be taken. */
  get length(): number {
    return this.size;
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

  /** A whole frame with octets as its payload. */
  frame(kind: number, stream: number, payload?: Uint8Array): void {
    this.begin(kind, stream);
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
    const taken =
      this.buffer.length > KEPT ? this.#handOver() : Buffer.from(this.buffer.subarray(0, this.size));
    this.size = 0;
    return taken;
  }

  /** What had to grow for something large is not kept for what comes after it. */
  #handOver(): Buffer {
    const taken = this.buffer.subarray(0, this.size);
    this.renew();
    return taken;
  }
}
