// The parts of the library `ws` that we use: its reader and writer of frames (RFC 6455, 5), and its parsers of the handshake's
// lists (9.1, 11.3.4). Loaded at the first handshake: servers without WebSockets do not pay for it.
// Tested by test/websocket/handshake.test.ts.
import { createRequire } from "node:module";
import type { Duplex, Writable } from "node:stream";

/** The parameters of one extension in an offer; `true` is a parameter without a value. */
export type Parameters = Record<string, (string | true)[]>;

/** The parameters of permessage-deflate that were agreed on (RFC 7692, 7.1). */
export type DeflateTerms = Readonly<Record<string, string | number | true>>;

type Done = (error: Error | null, data: Buffer) => void;

export interface PerMessageDeflate {
  /** Throws when none of the offers can be accepted. */
  accept(offers: Parameters[]): DeflateTerms;
  compress(data: Uint8Array, last: boolean, done: Done): void;
  decompress(data: Uint8Array, last: boolean, done: Done): void;
  /** Frees the compressors. */
  cleanup(): void;
}

interface DeflateOptions {
  readonly isServer: boolean;
  readonly maxPayload: number;
  readonly threshold: number;
  readonly serverNoContextTakeover: boolean;
  readonly clientNoContextTakeover: boolean;
}

interface ReceiverOptions {
  readonly isServer: boolean;
  readonly extensions: Readonly<Record<string, Pick<PerMessageDeflate, "decompress">>>;
  readonly maxPayload: number;
  readonly maxFragments: number;
  readonly maxBufferedChunks: number;
}

/** Bytes are written in; "message", "ping", "conclude" (a close frame) and "error" come out. */
export type Receiver = Writable;

export interface Sender {
  send(
    data: Uint8Array,
    options: { readonly binary: boolean; readonly compress: boolean; readonly fin: boolean },
    sent: () => void,
  ): void;
  /** Waits for the messages before it. Throws a TypeError or a RangeError for an invalid code or reason. */
  close(code: number | undefined, reason: string, mask: boolean): void;
}

export interface FrameOptions {
  readonly fin: boolean;
  readonly opcode: number;
  readonly mask: boolean;
  readonly readOnly: boolean;
  readonly rsv1: boolean;
  /** Fills the four bytes of the mask; otherwise they are random. */
  readonly generateMask?: (mask: Buffer) => void;
}

interface Library {
  readonly Receiver: new (options: ReceiverOptions) => Receiver;
  readonly Sender: {
    new (socket: Duplex, extensions: Readonly<Record<string, PerMessageDeflate>>): Sender;
    frame(data: Uint8Array, options: FrameOptions): Buffer[];
  };
  readonly PerMessageDeflate: new (options: DeflateOptions) => PerMessageDeflate;
  readonly extension: { parse(value: string): Record<string, Parameters[]> };
  readonly subprotocol: { parse(value: string): Set<string> };
}

let loaded: Library | undefined;

export function library(): Library {
  loaded ??= createRequire(import.meta.url)("ws") as Library;
  return loaded;
}
