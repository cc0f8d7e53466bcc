// The addresses of the two ends of a connection. The system knows them, unless a proxy in front has sent them (PROXY protocol):
// its own connection to us is then only the last stretch of the client's.
// Tested by test/sockets/proxy-protocol/acceptor.test.ts.
import type { Socket } from "node:net";
import type { Address } from "../exchange/index.ts";
import { transportOf } from "./transport.ts";

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
  remote: remoteOf(socket) ?? remoteOf(transportOf(socket)) ?? missingRemote(socket),
  local: { address: socket.localAddress ?? "", port: socket.localPort ?? 0 },
  encrypted: false,
});

/** A TLS socket may ask only after a reset, when the system has forgotten the address: the socket below it has kept it. */
function remoteOf(socket: Socket | undefined): Address | undefined {
  const address = socket?.remoteAddress;
  return address === undefined ? undefined : { address, port: socket?.remotePort ?? 0 };
}

/** A TCP connection that was reset still has a local address; a Unix socket has none. */
const missingRemote = ({ localAddress }: Socket): Address =>
  localAddress === undefined ? { address: "", port: 0 } : UNKNOWN;

const UNKNOWN: Address = { address: "", port: 0, unknown: true };

export function setAddresses(socket: Socket, addresses: SocketAddresses): void {
  (socket as Proxied)[PROXIED] = addresses;
}

/** `outer` carries the decrypted bytes of `inner`: the addresses that a proxy sent for `inner` are its own. */
export function copyAddresses(inner: Socket, outer: Socket): void {
  const addresses = (inner as Proxied)[PROXIED];
  if (addresses) setAddresses(outer, addresses);
}
