// The connection below an encrypted one.
// Tested by test/sockets/reset.test.ts.
import type { Socket } from "node:net";

/**
 * The socket below a TLS socket; undefined for any other socket. Node has no public name for it, and no other way to reset the
 * connection, or to find the connection of a handshake; a test watches over the name.
 */
export const transportOf = (socket: Socket): Socket | undefined =>
  (socket as { _parent?: Socket | null })._parent ?? undefined;
