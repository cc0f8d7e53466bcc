// Accepted connections, read without new memory for each read. For every read of an accepted connection Node allocates
// 64 KiB, of which mostly a few hundred bytes are used, and collecting that garbage costs more than handling the request.
// For outgoing connections Node has `onread`, which reads into one buffer; this does the same for accepted ones.
import type { Socket, SocketConstructorOpts } from "node:net";
import { forget } from "./closed.ts";
import { LastingSocket } from "./last-bytes.ts";

/** Bytes per read. Node reads 64 KiB; with a little more, a body of that size comes with its head, in one read. */
const READ_SIZE = 81_920;

/** Shared by all connections: every read is handled or copied out before the next one can overwrite it. */
const SHARED = Buffer.allocUnsafeSlow(READ_SIZE);

/** What small reads have filled, by their size: most are of few sizes, and a new view costs as much as finding a request's end. */
const VIEWS: (Buffer | undefined)[] = new Array(2_049).fill(undefined);

/** Internals of node:net that its types do not have; a test watches over the names. */
interface Internals {
  /** Owns the descriptor. */
  _handle: { useUserBuffer?: unknown } | null;
  /** The server that counts the connection. */
  _server: unknown;
  server: unknown;
}

/** Gets the bytes of a socket. Answering `false` stops reading until the stream asks for more. */
type Sink = (this: SharedBufferSocket, bytes: Buffer) => unknown;

/**
 * The sink is a field of the socket, not in a WeakMap: the table of a WeakMap is in old space, and its values, which refer to
 * the socket here, outlive all young collections. No function is made for each socket: tens of thousands may be idle.
 */
class SharedBufferSocket extends LastingSocket {
  sink: Sink = toStream;
  /** Whether the sink gets the bytes uncopied, in memory that the next read overwrites. */
  lends = false;

  constructor(options: SocketConstructorOpts) {
    super(options);
    this.on("close", closed);
  }
}

function toStream(this: SharedBufferSocket, bytes: Buffer): boolean {
  return this.push(bytes);
}

function closed(this: SharedBufferSocket): void {
  this.sink = ignore;
  forget.call(this);
}

const ignore = (): void => {};

const sharedOf = (socket: Socket): SharedBufferSocket | undefined =>
  socket instanceof SharedBufferSocket ? socket : undefined;

/** Node calls it as a method of the socket; a test watches over that. */
function arrived(this: SharedBufferSocket, size: number): unknown {
  return this.sink(this.lends ? (VIEWS[size] ?? view(size)) : copied(size));
}

const ONREAD = { buffer: SHARED, callback: arrived };

/**
 * The same connection as a socket that reads into the shared buffer; call it at once, before anything can have been read. The
 * chunks of its "data" events are copies, small ones from Buffer's pool. `accepted` is an empty shell afterwards; where Node's
 * internals have other names, it is returned unchanged.
 */
export function shareReadBuffer(accepted: Socket, options: SocketConstructorOpts = {}): Socket {
  const before = accepted as unknown as Internals;
  const handle = before._handle;
  if (typeof handle?.useUserBuffer !== "function") return accepted;
  before._handle = null;
  const socket = new SharedBufferSocket({ ...options, handle, onread: ONREAD } as SocketConstructorOpts);
  const after = socket as unknown as Internals;
  after._server = before._server;
  after.server = before.server;
  before._server = null;
  return socket;
}

function view(size: number): Buffer {
  const fresh = SHARED.subarray(0, size);
  if (size < VIEWS.length) VIEWS[size] = fresh;
  return fresh;
}

function copied(size: number): Buffer {
  const bytes = Buffer.allocUnsafe(size);
  SHARED.copy(bytes, 0, 0, size);
  return bytes;
}

/**
 * Passes all bytes of `socket` to `received`, as "data" events would, at a lower cost where the socket shares the read buffer.
 * With `lends` the bytes are overwritten once `received` has returned: copy what you keep.
 */
export class SocketReader {
  readonly #socket: Socket;
  readonly #received: (bytes: Buffer) => void;
  readonly #shared: SharedBufferSocket | undefined;

  constructor(socket: Socket, received: (bytes: Buffer) => void, lends = false) {
    this.#socket = socket;
    this.#received = received;
    // Bytes put back into the stream come first, and only by its events.
    this.#shared = socket.readableLength === 0 ? sharedOf(socket) : undefined;
    if (this.#shared) {
      this.#shared.sink = received;
      this.#shared.lends = lends;
    } else socket.on("data", received);
    socket.resume();
  }

  /** From now on bytes go to the stream again, for another reader of the socket. */
  stop(): void {
    if (this.#shared) {
      this.#shared.sink = toStream;
      this.#shared.lends = false;
    } else this.#socket.off("data", this.#received);
  }
}
