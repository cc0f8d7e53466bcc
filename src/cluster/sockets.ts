// The sockets that server processes share: bound here, handed down as descriptors. Only the server processes listen at
// them. They live as long as the supervisor, so that a client which connects during a replacement waits for the next process.
// Tested by test/cluster/addresses.test.ts.
import { lookup } from "node:dns/promises";
import { fstatSync } from "node:fs";
import * as net from "node:net";
import { getSystemErrorName } from "node:util";
import { addressText, type ListenAddress, type ListenPlace } from "../config/address.ts";
import { bind, taken, unusable } from "../server/listen.ts";
import { holdPlace, ownUrlAt } from "../sockets/own-places.ts";
import { setModeAndOwner } from "../sockets/unix-path.ts";

/** A socket without an event loop behind it. */
interface Handle {
  readonly fd: number;
  getsockname?(name: Name): number;
  close(): void;
}

interface Name {
  address?: string;
  port?: number;
}

/** What `cluster` itself binds with; node:net has no public way to bind without accepting. */
type CreateHandle = (address: string, port: number, type: number, fd?: number) => Handle | number;
const createHandle = (net as unknown as { readonly _createServerHandle: CreateHandle })._createServerHandle;

export interface Reserved {
  /** Where it is, with the port that the system gave. */
  readonly place: ListenPlace;
  readonly fd: number;
  close(): void;
}

/** The same address, for a server process that has the socket as descriptor `fd`. */
export const passedAs = (address: ListenAddress, fd: number): ListenAddress => ({
  ...protocolAt(address),
  kind: "fd",
  fd,
});

/** Binds. Rejects with ADDRESS_UNUSABLE and what to do about it. */
export async function reserve(address: ListenAddress): Promise<Reserved> {
  if (address.kind === "fd") return givenSocket(address);
  const bound = address.kind === "unix" ? unixSocket(address) : tcpSocket(address);
  const { handle, place } = await bound.catch((error) => unusable(address, error));
  const release = holdPlace({ ...place, url: addressText({ ...protocolAt(address), ...place }) });
  const close = (): void => {
    release();
    handle.close();
  };
  return { place, fd: handle.fd, close };
}

/** One that was passed on to this process. */
function givenSocket(address: At<"fd">): Reserved {
  try {
    if (!fstatSync(address.fd).isSocket()) throw Object.assign(new Error(), { code: "ENOTSOCK" });
  } catch (error) {
    unusable(address, error as NodeJS.ErrnoException);
  }
  return { place: address, fd: address.fd, close: () => {} };
}

type At<K extends ListenAddress["kind"]> = Extract<ListenAddress, { kind: K }>;

interface Socket {
  readonly handle: Handle;
  readonly place: Exclude<ListenPlace, { kind: "fd" }>;
}

async function tcpSocket(place: At<"tcp">): Promise<Socket> {
  const { address, family } = await lookup(place.host);
  // Linux binds both; only the server processes would see it, when they listen.
  if (process.platform === "linux" && ownUrlAt({ ...place, host: address })) throw taken();
  const handle = made(createHandle(address, place.port, family));
  const name: Name = {};
  // A port that is taken shows only here, or when one listens.
  const refused = handle.getsockname?.(name);
  if (refused) handle.close();
  made(refused || handle);
  return {
    handle,
    place: { kind: "tcp", host: name.address ?? place.host, port: name.port ?? place.port },
  };
}

async function unixSocket(address: At<"unix">): Promise<Socket> {
  await clear(address);
  const umask = address.mode === undefined ? undefined : process.umask(0o777 & ~address.mode);
  const handle = made(createHandle(address.path, -1, -1));
  if (umask !== undefined) process.umask(umask);
  await setModeAndOwner(address, addressText(address));
  return { handle, place: address };
}

/** Removes a dead server's socket file; rejects as a single server would for a living one, and for all other faults. */
async function clear(address: At<"unix">): Promise<void> {
  const bound = await bind(address, (socket) => socket.destroy());
  await bound.close();
}

function made(handle: Handle | number): Handle {
  if (typeof handle !== "number") return handle;
  const code = getSystemErrorName(handle);
  throw Object.assign(new Error(code), { code });
}

/** The protocol and the options of an address, without the place. */
const protocolAt = ({ protocol, tls, proxyProtocol }: ListenAddress): Omit<ListenAddress, "kind"> => ({
  protocol,
  ...(tls ? { tls } : {}),
  ...(proxyProtocol ? { proxyProtocol } : {}),
});
