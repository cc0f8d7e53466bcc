// How far the bytes of a socket have come, as Node's handles know it: its own counts are of bytes that were given to it.
// Tested by test/sockets/send-watch.test.ts.
import type { Socket } from "node:net";

/** Internals of node:net that its types do not have; tests watch over the names. */
interface Handle {
  readonly bytesWritten?: number;
  /** Bytes of `bytesWritten` that the system has not taken. */
  readonly writeQueueSize?: number;
  /** The handle of TLS counts bytes that are only encrypted; its parent's is the socket's own. */
  readonly _parent?: Handle;
}

function handleOf(socket: Socket): Handle {
  const handle = (socket as unknown as { readonly _handle?: Handle | null })._handle;
  return handle?._parent ?? handle ?? {};
}

/** Bytes that the system has taken, also of a write that is not done. */
export function bytesLeft(socket: Socket): number {
  const { bytesWritten = socket.bytesWritten, writeQueueSize = 0 } = handleOf(socket);
  return bytesWritten - writeQueueSize;
}

/** Bytes that wait because the system takes no more. */
export const bytesHeld = (socket: Socket): number => handleOf(socket).writeQueueSize ?? 0;
