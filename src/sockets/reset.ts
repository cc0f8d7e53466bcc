// Ends a connection so that the other side cannot take it for a clean end.
import type { Socket } from "node:net";
import { transportOf } from "./transport.ts";

/**
 * Resets a TCP connection. A Unix socket, which has no reset, is only closed; under TLS the missing close_notify shows that. So
 * is a connection whose end is already on its way: the system refuses to reset it, and Node would leak the descriptor.
 */
export function resetSocket(socket: Socket): void {
  const transport = transportOf(socket) ?? socket;
  const ended = socket.writableEnded || transport.writableEnded;
  // A TLS socket is destroyed with its transport, a moment later. Destroying it now, perhaps from a callback of OpenSSL, would
  // free memory that OpenSSL still uses.
  if (isTcp(transport) && !transport.destroyed && !ended) transport.resetAndDestroy();
  else socket.destroy();
}

export const isTcp = (socket: Socket): boolean => socket.remoteFamily !== undefined;
