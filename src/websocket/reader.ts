// The reading side of one WebSocket: turns bytes into whole messages, in order, and decompresses none while the application
// is not ready for more.
// Tested by test/websocket/cases.test.ts.
import { StreamEvents } from "../sockets/stream-events.ts";
import { type Deflate, NAME } from "./deflate.ts";
import { library, type PerMessageDeflate, type Receiver } from "./library.ts";
import type { WebSocketLimits } from "./limits.ts";

/** Gets the messages and frames that the reader finds. */
export interface MessageHandler {
  message(data: Buffer, binary: boolean): void;
  ping(data: Buffer): void;
  /** The client's close frame; 1005 when it has no code. Nothing follows. */
  conclude(code: number, reason: Buffer): void;
  /** The client broke the rules: `code` is the close code. Nothing follows. */
  fault(error: Error, code: number): void;
  /** The library has room again. */
  flow(): void;
}

/** Chunks of a message in one frame: each takes memory whatever its size. */
const MOST_PIECES = 65_536;
/** The close codes of RFC 6455 for the library's errors (its manual, "Error codes"). */
const CLOSE_CODES: Readonly<Record<string, number>> = {
  WS_ERR_INVALID_UTF8: 1007,
  WS_ERR_TOO_MANY_BUFFERED_PARTS: 1008,
  WS_ERR_UNSUPPORTED_DATA_PAYLOAD_LENGTH: 1009,
  WS_ERR_UNSUPPORTED_MESSAGE_LENGTH: 1009,
};
const PROTOCOL_ERROR = 1002;
const INVALID_DATA = 1007;

type Inflation = Parameters<PerMessageDeflate["decompress"]>;

export class MessageReader implements Pick<PerMessageDeflate, "decompress"> {
  static readonly #EVENTS = new StreamEvents<MessageReader>({
    message: (reader, data: Buffer, binary: boolean) => reader.#handler.message(data, binary),
    ping: (reader, data: Buffer) => reader.#handler.ping(data),
    conclude: (reader, code: number, reason: Buffer) => reader.#handler.conclude(code, reason),
    error: (reader, error: Error) => reader.#handler.fault(error, closeCode(error)),
    drain: (reader) => reader.#relieved(),
  });

  /** True while the library's buffer is full. */
  isFull = false;
  readonly #handler: MessageHandler;
  readonly #receiver: Receiver;
  readonly #deflate: Deflate | undefined;
  /** Exists from the first fragment of a compressed message to its last. */
  #inflater: PerMessageDeflate | undefined;
  #holding = false;
  #stopped = false;
  #inflating = false;
  /** A compressed message that waits for `release`. */
  #inflation: Inflation | undefined;

  constructor(handler: MessageHandler, limits: WebSocketLimits, deflate: Deflate | undefined) {
    this.#handler = handler;
    this.#deflate = deflate;
    this.#receiver = new (library().Receiver)({
      isServer: true,
      extensions: deflate ? { [NAME]: this } : {},
      maxPayload: limits.message,
      maxFragments: limits.fragments,
      maxBufferedChunks: MOST_PIECES,
    });
    MessageReader.#EVENTS.attach(this.#receiver, this);
  }

  take(chunk: Buffer): void {
    if (!this.#receiver.write(chunk)) this.isFull = true;
  }

  /** Nothing is decompressed until `release`. */
  hold(): void {
    this.#holding = true;
  }

  release(): void {
    this.#holding = false;
    const inflation = this.#inflation;
    this.#inflation = undefined;
    if (inflation) this.#inflate(...inflation);
  }

  /** Ignores all bytes that follow. */
  stop(): void {
    this.#stopped = true;
    this.#inflation = undefined;
    if (!this.#inflating) this.#drop();
  }

  /** The library calls this as its decompressor. */
  decompress(...inflation: Inflation): void {
    if (this.#holding) this.#inflation = inflation;
    else this.#inflate(...inflation);
  }

  #inflate(data: Uint8Array, last: boolean, done: Inflation[2]): void {
    this.#inflating = true;
    this.#inflater ??= this.#deflate?.make();
    this.#inflater?.decompress(data, last, (error, result) => {
      this.#inflating = false;
      if (last || this.#stopped) this.#drop();
      if (!this.#stopped) done(error, result);
    });
  }

  #relieved(): void {
    this.isFull = false;
    this.#handler.flow();
  }

  #drop(): void {
    this.#inflater?.cleanup();
    this.#inflater = undefined;
  }
}

function closeCode(error: Error & { code?: string }): number {
  if (error.code?.startsWith("WS_ERR_")) return CLOSE_CODES[error.code] ?? PROTOCOL_ERROR;
  // Any other error is from zlib: the compressed data is invalid.
  return INVALID_DATA;
}
