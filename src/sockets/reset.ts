// Breaking a connection off so that the other side cannot take it for a good end.
import type { Socket } from "node:net";

/**
 * Resets a TCP connection; a Unix socket, which knows no reset, is only closed (and TLS has a sign of its own, the
 * missing close_notify). So is a connection whose end is already
 * on its way: the system refuses to reset it, and Node would lose the descriptor over that.
 */
export function breakOff(socket: Socket): void {
  if (isTcp(socket) && !socket.destroyed && !socket.writableEnded) socket.resetAndDestroy();
  else socket.destroy();
}

export const isTcp = (socket: Socket): boolean => socket.remoteFamily !== undefined;
