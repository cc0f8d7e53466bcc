// Breaking a connection off so that the other side cannot take it for a good end.
import type { Socket } from "node:net";
import { transportOf } from "./transport.ts";

/**
 * Resets a TCP connection; a Unix socket, which knows no reset, is only closed, and under TLS that shows: the
 * close_notify is missing. So is a connection whose end is already on its way: the system refuses to reset it, and Node
 * would lose the descriptor over that.
 */
export function resetSocket(socket: Socket): void {
  const carrier = transportOf(socket) ?? socket;
  const ended = socket.writableEnded || carrier.writableEnded;
  // A TLS socket goes with its carrier, a moment later. To destroy it now would free what OpenSSL is still working on
  // where we were called from one of its callbacks.
  if (isTcp(carrier) && !carrier.destroyed && !ended) carrier.resetAndDestroy();
  else socket.destroy();
}

export const isTcp = (socket: Socket): boolean => socket.remoteFamily !== undefined;
