// Who is at the two ends of a connection: the one place that tells it. The system says it, unless a proxy in front of us
// has said it first (PROXY protocol): its own connection to us is then only a stretch of the client's.
import type { Socket } from "node:net";
import type { Address } from "../exchange/index.ts";

export interface SocketAddresses {
  /** The client. */
  readonly remote: Address;
  /** What it connected to. */
  readonly local: Address;
  /** The client speaks TLS with the proxy that passed the connection on. */
  readonly encrypted: boolean;
}

const proxied = new WeakMap<Socket, SocketAddresses>();

/** The ends of a connection, whichever way it came; "" and 0 for what is not known any more. */
export const socketAddressesOf = (socket: Socket): SocketAddresses =>
  proxied.get(socket) ?? ownAddresses(socket);

/** What the system says, whatever a proxy did. */
export const ownAddresses = (socket: Socket): SocketAddresses => ({
  remote: { address: socket.remoteAddress ?? "", port: socket.remotePort ?? 0 },
  local: { address: socket.localAddress ?? "", port: socket.localPort ?? 0 },
  encrypted: false,
});

/** From now on `socket` has these ends. */
export function setAddresses(socket: Socket, ends: SocketAddresses): void {
  proxied.set(socket, ends);
}

/** `outer` carries what `inner` does, decrypted: what a proxy said of the one is true of the other. */
export function copyAddresses(inner: Socket, outer: Socket): void {
  const ends = proxied.get(inner);
  if (ends) proxied.set(outer, ends);
}
