// Accepted connections, read without new memory for each read. For every read of an accepted connection Node takes
// 64 KiB, of which mostly a few hundred bytes are kept, and to collect that costs more than all that we do with them.
// For connections that it makes itself it has `onread`, which reads into one buffer; this is the same for the others.
import { Socket, type SocketConstructorOpts } from "node:net";
import { forgetWhenClosed } from "./closed.ts";

/** Bytes read at once, as many as Node reads. */
const READ_SIZE = 65_536;

/** One for all connections: what was read is out of it before anything else can be. */
const SHARED = Buffer.allocUnsafeSlow(READ_SIZE);

/** What node:net has, and its types do not tell; a test watches over the names. */
interface Internals {
  /** The descriptor's owner. */
  _handle: { useUserBuffer?: unknown } | null;
  /** The server that counts it. */
  _server: unknown;
  server: unknown;
}

/** Where bytes go. `false` has no more of them read until the stream asks. */
interface Sink {
  take(bytes: Buffer): unknown;
  /** Whether they go there as they are, in memory that the next read writes over. */
  lent: boolean;
}

/**
 * The way is the socket's own: a WeakMap is a table of old space, and what it holds by then, here the socket itself,
 * outlives all young collections.
 */
class SharedBufferSocket extends Socket {
  readonly sink: Sink;

  constructor(options: SocketConstructorOpts, way: Sink) {
    super(options);
    this.sink = way;
    forgetWhenClosed(this);
    this.on("close", () => {
      way.take = ignore;
    });
  }
}

const ignore = (): void => {};

const sinkOf = (socket: Socket): Sink | undefined =>
  socket instanceof SharedBufferSocket ? socket.sink : undefined;

/**
 * The same connection as a socket that reads sparingly; to be taken at once, before anything can have been read. What it
 * emits may be kept: small pieces are slices of Buffer's pool. `accepted` is an empty shell then, to be forgotten; where this
 * Node has other names inside, it is what is given back.
 */
export function shareReadBuffer(accepted: Socket, options: SocketConstructorOpts = {}): Socket {
  const before = accepted as unknown as Internals;
  const handle = before._handle;
  if (typeof handle?.useUserBuffer !== "function") return accepted;
  before._handle = null;
  const way: Sink = { take: (bytes) => socket.push(bytes), lent: false };
  const onread = {
    buffer: SHARED,
    callback: (size: number) => way.take(way.lent ? SHARED.subarray(0, size) : copied(size)),
  };
  const socket = new SharedBufferSocket({ ...options, handle, onread } as SocketConstructorOpts, way);
  const after = socket as unknown as Internals;
  after._server = before._server;
  after.server = before.server;
  before._server = null;
  return socket;
}

function copied(size: number): Buffer {
  const bytes = Buffer.allocUnsafe(size);
  SHARED.copy(bytes, 0, 0, size);
  return bytes;
}

/**
 * Gets all that arrives on `socket`: "data" events, where they can be had without what such an event costs. What `lends`
 * gives may be written over when `received` has returned, so whoever keeps a part of it keeps a copy.
 */
export class SocketReader {
  readonly #socket: Socket;
  readonly #received: (bytes: Buffer) => void;
  readonly #sink: Sink | undefined;
  readonly #toStream: Sink["take"] | undefined;

  constructor(socket: Socket, received: (bytes: Buffer) => void, lends = false) {
    this.#socket = socket;
    this.#received = received;
    // What was put back into the stream has to come first, and comes by its events.
    this.#sink = socket.readableLength === 0 ? sinkOf(socket) : undefined;
    this.#toStream = this.#sink?.take;
    if (this.#sink) {
      this.#sink.take = received;
      this.#sink.lent = lends;
    } else socket.on("data", received);
    socket.resume();
  }

  /** From now on it is for whoever else reads from the socket. */
  stop(): void {
    if (this.#sink && this.#toStream) {
      this.#sink.take = this.#toStream;
      this.#sink.lent = false;
    } else this.#socket.off("data", this.#received);
  }
}
