// The addresses of the two ends of a connection. The system knows them, unless a proxy in front has sent them (PROXY protocol):
// its own connection to us is then only the last stretch of the client's.
// Tested by test/sockets/proxy-protocol/acceptor.test.ts.
import type { Socket } from "node:net";
import type { Address } from "../exchange/index.ts";

export interface SocketAddresses {
  /** The client. */
  readonly remote: Address;
  /** The address that it connected to. */
  readonly local: Address;
  /** The client speaks TLS with the proxy that passed the connection on. */
  readonly encrypted: boolean;
}

/** On the socket, like its TLS facts: set only where a proxy has sent the addresses. */
const PROXIED: unique symbol = Symbol("proxied addresses");
type Proxied = Socket & { [PROXIED]?: SocketAddresses };

/** The addresses of the client's connection; "" and 0 for those that are not known any more. */
export const socketAddressesOf = (socket: Socket): SocketAddresses =>
  (socket as Proxied)[PROXIED] ?? ownAddresses(socket);

/** The addresses that the system knows, whatever a proxy has sent. */
export const ownAddresses = (socket: Socket): SocketAddresses => ({
  remote: { address: socket.remoteAddress ?? "", port: socket.remotePort ?? 0 },
  local: { address: socket.localAddress ?? "", port: socket.localPort ?? 0 },
  encrypted: false,
});

export function setAddresses(socket: Socket, addresses: SocketAddresses): void {
  (socket as Proxied)[PROXIED] = addresses;
}

/** `outer` carries the decrypted bytes of `inner`: the addresses that a proxy sent for `inner` are its own. */
export function copyAddresses(inner: Socket, outer: Socket): void {
  const addresses = (inner as Proxied)[PROXIED];
  if (addresses) setAddresses(outer, addresses);
}
