// The connection that carries an encrypted one.
import type { Socket } from "node:net";

/**
 * The socket below a TLS socket; undefined for one that carries bytes itself. Node has no public name for it, and no
 * other way to reset the connection, or to learn which connection a handshake belongs to; a test watches over the name.
 */
export const transportOf = (socket: Socket): Socket | undefined =>
  (socket as { _parent?: Socket | null })._parent ?? undefined;
