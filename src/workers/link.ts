// The server's end of the link: frames on one stream socket between the server and a worker (docs/link.md). Pure: bytes
// in, frames out. python/sallyport/link.py has the same names, numbers and limits; test/vectors/link.json pins them.
import { pieceOf } from "../exchange/blocks.ts";
import { SallyportError } from "../exchange/index.ts";
import { textOf, uint32 } from "./marshal.ts";

/** Server to worker. */
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
  /** The request may be another worker's, unless it has begun here; then it goes on. */
  RECALL: 15,
  /** Other processes may run the application, too, from now on. */
  MULTIPROCESS: 16,
  /** REQUEST, to a WSGI worker with threads, of a client that asks for a WebSocket: the application may take its socket. */
  UPGRADE: 17,
} as const;

/** Worker to server. */
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
  /** How many requests the worker may have at once, all but one of them waiting. */
  PREFETCH: 83,
  /** The answer to RECALL: the request was not begun, and will not be. */
  RETURNED: 84,
  /** The answer to UPGRADE: the application has taken the socket. CHUNK and BODY are the bytes on it from now on. */
  SWITCHED: 85,
} as const;

/** Bytes before the payload: its length (u32), the stream (u32), the kind (u8); little endian. */
export const HEADER_SIZE = 9;
/** Bytes that may be sent in one direction of one stream before the receiver has granted more. */
export const WINDOW = 262_144;
/** The most bytes of body in one frame. */
export const PIECE = 65_536;
/** What a WebSocket message costs of a window besides its bytes, so that empty ones cannot pile up. */
export const MESSAGE_COST = HEADER_SIZE;
/** No frame that a worker may send is larger: a head, or a small response in one frame. */
export const MAX_FRAME = 4_194_304;

/** Bytes from this number on are not copied where they need not be: garbage collection of the copies costs most. */
export const LARGE = 16_384;

/** Gets a frame's kind and stream, and its payload, which is valid only until the call returns. */
export type FrameHandler = (kind: number, stream: number, payload: Payload) => void;

/** The payload of the frame that is being read, converted only to the type that the receiver asks for. */
export interface Payload {
  readonly length: number;
  /** A copy of all of it, which the receiver may keep. */
  readonly bytes: Buffer;
  /** The same for `exchange.write`: it may be given back once it was sent. */
  readonly piece: Buffer;
  /** The bytes from `from` up to before `to`, as text of latin-1 characters. */
  text(from: number, to: number): string;
  /** Throws a SallyportError (LINK_BROKEN) if the payload is shorter. */
  uint32(at: number): number;
}

/** From this size on, a CHUNK that has arrived in part is passed on as it is. */
const PASSED_ON = 4_096;

/**
 * Cuts arriving bytes into frames. The caller may reuse a pushed buffer: nothing refers to it afterwards. The bytes of CHUNKs
 * mean the same however they are cut: a large one is passed on as it arrives, as several, and several that came together as one.
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
  /** The bytes being cut, the same as text once a receiver has asked for text, and where the payload lies in them. */
  #data: Buffer = NOTHING;
  #text: string | undefined;
  #start = 0;
  #end = 0;
  /** Whether the payload is all of `#data`, which nothing else refers to. */
  #isJoined = false;

  constructor(onFrame: FrameHandler) {
    this.#onFrame = onFrame;
  }

  /** Bytes of a frame that is not complete yet. */
  get pending(): number {
    return this.#restSize;
  }

  /** Throws a SallyportError (LINK_BROKEN) for a frame larger than MAX_FRAME. */
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
    return this.#isJoined ? this.#data : this.#copyTo(Buffer.allocUnsafe(this.length));
  }

  get piece(): Buffer {
    return this.#isJoined ? this.#data : this.#copyTo(pieceOf(this.length));
  }

  #copyTo(own: Buffer): Buffer {
    this.#data.copy(own, 0, this.#start, this.#end);
    return own;
  }

  /** Many small frames come in one chunk, which becomes text in one step. */
  text(from: number, to: number): string {
    this.#text ??= this.#data.toString("latin1");
    return this.#text.slice(this.#start + from, this.#start + to);
  }

  uint32(at: number): number {
    if (this.#start + at + 4 > this.#end)
      throw new SallyportError("LINK_BROKEN", "a frame is shorter than its kind requires");
    return readUint32(this.#data, this.#start + at);
  }

  /** Joins only what belongs together: the rest of `chunk` is cut where it is. */
  #complete(chunk: Buffer): void {
    const missing = this.#needed - this.#restSize;
    const data = Buffer.concat([...this.#rest, chunk.subarray(0, missing)]);
    this.#rest = [];
    this.#restSize = 0;
    this.#cut(data);
    if (missing < chunk.length) this.push(chunk.subarray(missing));
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
        if (kind === FROM_WORKER.CHUNK && length >= PASSED_ON) return this.#begin(stream, length);
        this.#needed = HEADER_SIZE + length;
        break;
      }
      this.#end = end;
      if (kind === FROM_WORKER.CHUNK) start = this.#chunks(stream, size);
      else {
        this.#onFrame(kind, stream, this);
        start = end;
      }
    }
    this.#data = NOTHING;
    this.#text = undefined;
    if (start < size) this.#keep(data.subarray(start));
  }

  /** Passes on a CHUNK, with those of its stream that follow, as far as they make one piece. Returns where they end. */
  #chunks(stream: number, size: number): number {
    const data = this.#data;
    const first = this.#end;
    let end = first;
    let total = this.length;
    while (size - end > HEADER_SIZE && continues(data, end, stream)) {
      const length = readUint32(data, end);
      if (total + length > PIECE || end + HEADER_SIZE + length > size) break;
      total += length;
      end += HEADER_SIZE + length;
    }
    if (end === first) this.#onFrame(FROM_WORKER.CHUNK, stream, this);
    else this.#passJoined(stream, end, total);
    return end;
  }

  #passJoined(stream: number, end: number, total: number): void {
    const data = this.#data;
    const text = this.#text;
    const joined = pieceOf(total);
    let at = data.copy(joined, 0, this.#start, this.#end);
    for (let next = this.#end; next < end; next += HEADER_SIZE + readUint32(data, next)) {
      const start = next + HEADER_SIZE;
      at += data.copy(joined, at, start, start + readUint32(data, next));
    }
    this.#data = joined;
    this.#text = undefined;
    this.#start = 0;
    this.#end = total;
    this.#isJoined = true;
    this.#onFrame(FROM_WORKER.CHUNK, stream, this);
    this.#isJoined = false;
    this.#data = data;
    this.#text = text;
  }

  /** Passes on the part of a large CHUNK that has arrived. */
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

const continues = (data: Buffer, at: number, stream: number): boolean =>
  data[at + 8] === FROM_WORKER.CHUNK && readUint32(data, at + 4) === stream;

const readUint32 = (data: Buffer, at: number): number =>
  ((data[at] as number) |
    ((data[at + 1] as number) << 8) |
    ((data[at + 2] as number) << 16) |
    ((data[at + 3] as number) << 24)) >>>
  0;

/** Collects frames, so that those of one turn of the loop leave in one write: as text, and large payloads as they are. */
export class FrameWriter {
  /** Has what was written leave: at the end of this turn, or at once where the link is a function call. */
  readonly flush: () => void;
  /** Bytes waiting to be taken, and all bytes ever written. */
  length = 0;
  total = 0;
  /** The frames before `#text`. */
  #pieces: (string | Uint8Array)[] = [];
  #text = "";

  constructor(flush: () => void = () => {}) {
    this.flush = flush;
  }

  /** A frame whose payload is text of latin-1 characters, and `large` bytes, which must not change until it has left. */
  text(kind: number, stream: number, payload: string, large?: Uint8Array): void {
    if (large) return this.#textAndBytes(kind, stream, payload, large);
    const { length } = payload;
    this.#text += `${uint32(length)}${uint32(stream)}${KINDS[kind]}${payload}`;
    this.length += HEADER_SIZE + length;
    this.total += HEADER_SIZE + length;
  }

  /** A frame with bytes as its payload, which must not change until the frame has left. */
  frame(kind: number, stream: number, payload: Uint8Array = NOTHING): void {
    if (payload.length < LARGE) this.text(kind, stream, textOf(payload));
    else this.text(kind, stream, "", payload);
  }

  #textAndBytes(kind: number, stream: number, text: string, bytes: Uint8Array): void {
    const length = text.length + bytes.length;
    this.#pieces.push(`${this.#text}${uint32(length)}${uint32(stream)}${KINDS[kind]}${text}`, bytes);
    this.#text = "";
    this.length += HEADER_SIZE + length;
    this.total += HEADER_SIZE + length;
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

/** A frame as bytes. */
export function frameOf(kind: number, stream: number, payload: Uint8Array): Buffer {
  const header = Buffer.alloc(HEADER_SIZE);
  header.writeUInt32LE(payload.length, 0);
  header.writeUInt32LE(stream, 4);
  header[8] = kind;
  return Buffer.concat([header, payload]);
}

const KINDS: readonly string[] = Array.from({ length: 256 }, (_, kind) => String.fromCharCode(kind));
