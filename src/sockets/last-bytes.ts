// What the other end said before it left. When a write fails, Node closes the socket at once, and with it whatever has arrived
// and was not read yet: answers of a worker that dies, or of an application that does not want the rest of an upload.
import { readSync } from "node:fs";
import { Socket } from "node:net";

const READ = 65_536;
/** Bytes at the most; a kernel keeps fewer for a connection whose other end has left. */
const MOST = 16_777_216;

/** An internal of node:net that its types do not have; a test watches over the name. */
interface Internals {
  readonly _handle: { readonly fd?: number } | null;
}

/**
 * A socket that can be read to its end. A class, and no function that is put into each socket: newer versions of Node keep closed
 * sockets for a while (closed.ts), and with them what they refer to.
 */
export class LastingSocket extends Socket {
  /** Gets what is left, until the socket is closed. */
  lastReader: ((bytes: Buffer) => void) | undefined = undefined;

  override _destroy(error: Error | null, callback: (error?: Error | null) => void): void {
    const { lastReader } = this;
    this.lastReader = undefined;
    if (lastReader && isFailedWrite(error)) drain(this, lastReader);
    super._destroy(error, callback);
  }
}

/**
 * Has `received` called with the bytes that are left when a failed write closes `socket`, before its "error". Of no effect on
 * sockets of other classes.
 */
export function readLastBytes(socket: Socket, received: (bytes: Buffer) => void): void {
  if (socket instanceof LastingSocket) socket.lastReader = received;
}

const isFailedWrite = (error: NodeJS.ErrnoException | null): boolean => error?.syscall === "write";

function drain(socket: Socket, received: (bytes: Buffer) => void): void {
  // What a paused stream holds came first.
  const held: Buffer | null = socket.read();
  if (held) received(held);
  const fd = (socket as unknown as Internals)._handle?.fd ?? -1;
  if (fd < 0) return;
  for (let total = 0; total < MOST; ) {
    const piece = readNow(fd);
    if (piece.length === 0) return;
    total += piece.length;
    received(piece);
  }
}

/** What is there; nothing at the end, or after a reset. The descriptor never blocks: it belongs to a socket of Node. */
function readNow(fd: number): Buffer {
  const piece = Buffer.allocUnsafe(READ);
  try {
    return piece.subarray(0, readSync(fd, piece));
  } catch {
    return piece.subarray(0, 0);
  }
}
