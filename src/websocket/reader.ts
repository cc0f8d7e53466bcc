// The way in of one WebSocket: bytes become whole messages, in order, and none is given out while the application is not
// ready for more.
import { type Deflate, NAME } from "./deflate.ts";
import { library, type PerMessageDeflate, type Receiver } from "./library.ts";
import type { WebSocketLimits } from "./limits.ts";

/** What the reader finds. */
export interface MessageHandler {
  message(data: Buffer, binary: boolean): void;
  ping(data: Buffer): void;
  /** The client's close frame; 1005 when it has no code. Nothing follows. */
  conclude(code: number, reason: Buffer): void;
  /** The client broke the rules: `code` is what to close with. Nothing follows. */
  fault(error: Error, code: number): void;
  /** `clogged` has changed. */
  flow(): void;
}

/** Pieces that a message in one frame may arrive in: each costs memory whatever its size. */
const MOST_PIECES = 65_536;
/** The close codes of what the library finds wrong (its manual, "Error codes"), as RFC 6455 wants them. */
const CLOSE_CODES: Readonly<Record<string, number>> = {
  WS_ERR_INVALID_UTF8: 1007,
  WS_ERR_TOO_MANY_BUFFERED_PARTS: 1008,
  WS_ERR_UNSUPPORTED_DATA_PAYLOAD_LENGTH: 1009,
  WS_ERR_UNSUPPORTED_MESSAGE_LENGTH: 1009,
};
const PROTOCOL_ERROR = 1002;
const INVALID_DATA = 1007;

type Inflation = Parameters<PerMessageDeflate["decompress"]>;

export class MessageReader {
  /** True while the library has enough to do. */
  isFull = false;
  readonly #receiver: Receiver;
  readonly #deflate: Deflate | undefined;
  /** From the first fragment of a compressed message to its last. */
  #inflater: PerMessageDeflate | undefined;
  #held = false;
  #stopped = false;
  #inflating = false;
  /** A compressed message that is not decompressed while nobody wants it. */
  #inflation: Inflation | undefined;

  constructor(finder: MessageHandler, limits: WebSocketLimits, deflate: Deflate | undefined) {
    this.#deflate = deflate;
    this.#receiver = new (library().Receiver)({
      isServer: true,
      extensions: deflate ? { [NAME]: { decompress: (...inflation) => this.#decompress(...inflation) } } : {},
      maxPayload: limits.message,
      maxFragments: limits.fragments,
      maxBufferedChunks: MOST_PIECES,
    });
    this.#receiver
      .on("message", (data, binary) => finder.message(data, binary))
      .on("ping", (data) => finder.ping(data))
      .on("conclude", (code, reason) => finder.conclude(code, reason))
      .on("error", (error) => finder.fault(error, closeCode(error)))
      .on("drain", () => {
        this.isFull = false;
        finder.flow();
      });
  }

  take(chunk: Buffer): void {
    if (!this.#receiver.write(chunk)) this.isFull = true;
  }

  /** Nothing is decompressed until `release`. */
  hold(): void {
    this.#held = true;
  }

  release(): void {
    this.#held = false;
    const inflation = this.#inflation;
    this.#inflation = undefined;
    if (inflation) this.#inflate(...inflation);
  }

  /** What follows is not read any more. */
  stop(): void {
    this.#stopped = true;
    this.#inflation = undefined;
    if (!this.#inflating) this.#drop();
  }

  /** The library's way to the decompressor leads through here. */
  #decompress(...inflation: Inflation): void {
    if (this.#held) this.#inflation = inflation;
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

  #drop(): void {
    this.#inflater?.cleanup();
    this.#inflater = undefined;
  }
}

function closeCode(error: Error & { code?: string }): number {
  if (error.code?.startsWith("WS_ERR_")) return CLOSE_CODES[error.code] ?? PROTOCOL_ERROR;
  // Only zlib has errors of its own: what was compressed is not what it claims to be.
  return INVALID_DATA;
}
