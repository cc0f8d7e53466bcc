// The front's end of the link: frames on one stream socket between the front and a worker (docs/link.md). Pure: bytes
// in, frames out. The same names, numbers and limits stand in python/sallyport/link.py; test/vectors/link.json pins them.
import { SallyportError } from "../exchange/index.ts";
import { textOf, uint32 } from "./marshal.ts";

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
  /** The part of the environ or the scope that requests of one connection have in common; the stream is its number. */
  COMMON: 13,
  /** A request that has such a part, and the rest of its environ or scope. */
  REPEAT: 14,
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
  /** So many requests may be sent ahead of the one that is being answered. */
  PREFETCH: 83,
} as const;

/** Bytes before the payload: its length (u32), the stream (u32), the kind (u8); little endian. */
export const HEADER_SIZE = 9;
/** Bytes of one direction of one stream that may be under way unasked. */
export const WINDOW = 262_144;
/** Bytes of body in one frame at the most. */
export const PIECE = 65_536;
/** What a WebSocket message costs of a window besides its bytes, so that empty ones cannot pile up. */
export const MESSAGE_COST = HEADER_SIZE;
/** No frame that a worker may send is larger: a head, or a small response in one frame. */
export const MAX_FRAME = 4_194_304;

/** From so many bytes on, a payload is not copied where it need not be: collecting what was allocated costs most. */
const LARGE = 16_384;

/** Gets a frame's kind, its stream, and the reader, which has the payload for as long as the call lasts. */
export type FrameHandler = (kind: number, stream: number, payload: Payload) => void;

/** The payload of the frame that is being read: made into what is asked for, and only then. */
export interface Payload {
  /** Bytes of it. */
  readonly length: number;
  /** All of it: the receiver's own. */
  readonly bytes: Buffer;
  /** From its byte `from` on, up to before `to`, as text of latin-1 characters. */
  text(from: number, to: number): string;
  /** Throws a SallyportError (LINK_BROKEN) where it is shorter. */
  uint32(at: number): number;
}

/**
 * Cuts what arrives into frames. What is pushed may be used again afterwards: nothing refers to it. A large CHUNK, whose
 * bytes mean the same however they are cut, is passed on as it arrives, as several.
 */
export class FrameReader implements Payload {
  readonly #onFrame: FrameHandler;
  /** Bytes to come of a CHUNK that is being passed on, and its stream. */
  #open = 0;
  #stream = 0;
  /** An incomplete frame. */
  #rest: Buffer[] = [];
  #restSize = 0;
  #needed = HEADER_SIZE;
  /** What is being cut, as bytes and, once somebody asked, as text; and where in it the payload lies. */
  #data: Buffer = NOTHING;
  #text: string | undefined;
  #start = 0;
  #end = 0;

  constructor(onFrame: FrameHandler) {
    this.#onFrame = onFrame;
  }

  /** Bytes of a frame that is not complete yet. */
  get pending(): number {
    return this.#restSize;
  }

  /** Throws a SallyportError (LINK_BROKEN) when a frame is larger than any can be. */
  push(chunk: Buffer): void {
    if (this.#open > 0) this.#passOn(chunk);
    else if (this.#restSize === 0) this.#cut(chunk);
    else if (this.#restSize + chunk.length < this.#needed) this.#keep(chunk);
    else this.#complete(chunk);
  }

  get length(): number {
    return this.#end - this.#start;
  }

  get bytes(): Buffer {
    const own = Buffer.allocUnsafe(this.length);
    this.#data.copy(own, 0, this.#start, this.#end);
    return own;
  }

  /** Many small frames come in one chunk, which becomes text in one step. */
  text(from: number, to: number): string {
    this.#text ??= this.#data.toString("latin1");
    return this.#text.slice(this.#start + from, this.#start + to);
  }

  uint32(at: number): number {
    if (at + 4 > this.length)
      throw new SallyportError("LINK_BROKEN", "a frame is shorter than what it should hold");
    return readUint32(this.#data, this.#start + at);
  }

  #complete(chunk: Buffer): void {
    const data = Buffer.concat([...this.#rest, chunk]);
    this.#rest = [];
    this.#restSize = 0;
    this.#cut(data);
  }

  #cut(data: Buffer): void {
    const size = data.length;
    let start = 0;
    this.#data = data;
    this.#text = undefined;
    this.#needed = HEADER_SIZE;
    while (size - start >= HEADER_SIZE) {
      const length = readUint32(data, start);
      if (length > MAX_FRAME)
        throw new SallyportError("LINK_BROKEN", `a worker announced a frame of ${length} bytes`);
      const kind = data[start + 8] as number;
      const stream = readUint32(data, start + 4);
      this.#start = start + HEADER_SIZE;
      const end = this.#start + length;
      if (end > size) {
        if (kind === FROM_WORKER.CHUNK && length >= LARGE) return this.#begin(stream, length);
        this.#needed = HEADER_SIZE + length;
        break;
      }
      this.#end = end;
      this.#onFrame(kind, stream, this);
      start = end;
    }
    this.#data = NOTHING;
    this.#text = undefined;
    if (start < size) this.#keep(data.subarray(start));
  }

  /** What is here of a large CHUNK. */
  #begin(stream: number, length: number): void {
    const part = this.#data.subarray(this.#start);
    this.#stream = stream;
    this.#open = length;
    if (part.length > 0) this.#passOn(part);
  }

  #passOn(chunk: Buffer): void {
    const size = Math.min(this.#open, chunk.length);
    this.#open -= size;
    this.#data = chunk;
    this.#text = undefined;
    this.#start = 0;
    this.#end = size;
    this.#onFrame(FROM_WORKER.CHUNK, this.#stream, this);
    if (size < chunk.length) this.#cut(chunk.subarray(size));
  }

  #keep(chunk: Buffer): void {
    this.#rest.push(Buffer.from(chunk));
    this.#restSize += chunk.length;
  }
}

const NOTHING: Buffer = Buffer.alloc(0);

const readUint32 = (data: Buffer, at: number): number =>
  ((data[at] as number) |
    ((data[at + 1] as number) << 8) |
    ((data[at + 2] as number) << 16) |
    ((data[at + 3] as number) << 24)) >>>
  0;

/** Collects frames, so that those of one turn of the loop leave in one write: as text, and large payloads as they are. */
export class FrameWriter {
  /** Bytes waiting to be taken, and all that were ever written. */
  length = 0;
  total = 0;
  /** What comes before `#text`. */
  #pieces: (string | Uint8Array)[] = [];
  #text = "";

  /** A frame whose payload is text of latin-1 characters. */
  text(kind: number, stream: number, payload: string): void {
    const { length } = payload;
    this.#text += `${uint32(length)}${uint32(stream)}${KINDS[kind]}${payload}`;
    this.length += HEADER_SIZE + length;
    this.total += HEADER_SIZE + length;
  }

  /** A frame with bytes as its payload, which must stay as they are until it has left. */
  frame(kind: number, stream: number, payload: Uint8Array = NOTHING): void {
    if (payload.length < LARGE) return this.text(kind, stream, textOf(payload));
    this.#pieces.push(`${this.#text}${uint32(payload.length)}${uint32(stream)}${KINDS[kind]}`, payload);
    this.#text = "";
    this.length += HEADER_SIZE + payload.length;
    this.total += HEADER_SIZE + payload.length;
  }

  /** A frame with a number as its payload. */
  count(kind: number, stream: number, value: number): void {
    this.text(kind, stream, uint32(value));
  }

  /** A frame that closes a WebSocket: its code and reason. */
  close(kind: number, stream: number, code: number, reason: string): void {
    this.text(kind, stream, uint32(code).slice(0, 2) + Buffer.from(reason).toString("latin1"));
  }

  /** Everything collected, in order: text of latin-1 characters, and bytes. The writer is empty afterwards. */
  take(): (string | Uint8Array)[] {
    const pieces = this.#pieces;
    if (this.#text !== "") pieces.push(this.#text);
    this.#pieces = [];
    this.#text = "";
    this.length = 0;
    return pieces;
  }
}

const KINDS: readonly string[] = Array.from({ length: 256 }, (_, kind) => String.fromCharCode(kind));
