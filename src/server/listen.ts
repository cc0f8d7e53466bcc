// Binds the addresses that a server listens at and hands each accepted socket on. The listener decides which protocol
// to speak.
import { existsSync } from "node:fs";
import { createServer, type ListenOptions, type Server, type Socket } from "node:net";
import { dirname } from "node:path";
import { addressText, type ListenAddress } from "../config/address.ts";
import { SallyportError } from "../exchange/index.ts";
import { shareReadBuffer } from "../sockets/accepted.ts";
import { holdPlace, type OwnPlace, ownUrlAt } from "../sockets/own-places.ts";
import { listenAtPath, listening } from "../sockets/unix-path.ts";

type UnixAddress = Extract<ListenAddress, { kind: "unix" }>;

/** An address at which we are listening. */
export interface Bound {
  /** `http://127.0.0.1:8000` with the port that the system gave, `unix:/path`, `fastcgi://unix:/path`. */
  readonly url: string;
  /** The same with the protocol, and TLS, of `address`, which a reload has brought to the same place. */
  urlAs(address: ListenAddress): string;
  /**
   * Accepts no more, and removes a Unix socket's file. Accepted connections live on. Never rejects. Waiting connections
   * are left to other processes that listen at the same socket; with `patience` (milliseconds) they are accepted first.
   */
  close(patience?: number): Promise<void>;
}

/** Connections that the system holds until we accept them, up to its own limit (net.core.somaxconn). */
const BACKLOG = 2048;
/** Turns of the event loop without a connection after which none waits: the first may have begun before we asked. */
const QUIET_TURNS = 3;

/** Listens at `address`. Rejects with ADDRESS_UNUSABLE and what to do about it; `option` is the one that names the address. */
export async function bind(
  address: ListenAddress,
  accept: (socket: Socket) => void,
  option = "--port",
): Promise<Bound> {
  // A client may half-close and still be answered (edge L1); small responses are sent at once.
  const options = { allowHalfOpen: true, noDelay: true };
  const server = createServer(options, (accepted) => {
    const socket = shareReadBuffer(accepted, options);
    if (knowsPeer(socket, server)) accept(socket);
    else socket.destroy();
  });
  if (address.kind === "unix") await bindUnix(server, address);
  else await listening(server, listenOptions(address)).catch((error) => unusable(address, error, option));
  server.on("error", () => {}); // accept(2) out of descriptors: Node tries again, nothing to do here
  const url = urlOf(server, address);
  const release = holdPlace(placeOf(server, address, url));
  return {
    url,
    urlAs: (other) => urlOf(server, other),
    close: (patience = 0) => closed(server, patience).finally(release),
  };
}

/** Where it is; a descriptor may be bound to anything. */
function placeOf(server: Server, address: ListenAddress, url: string): OwnPlace {
  const bound = server.address();
  if (bound && typeof bound === "object") return { kind: "tcp", host: bound.address, port: bound.port, url };
  return { kind: "unix", path: address.kind === "unix" ? address.path : (bound ?? ""), url };
}

/**
 * The system forgets the peer of a TCP connection that was reset, but still delivers what came before. Nobody would read an
 * answer, and a peer without an address would pass for one on a Unix socket. An address that was read once is kept.
 */
const knowsPeer = (socket: Socket, server: Server): boolean =>
  socket.remoteAddress !== undefined || !isTcpServer(server);

/** Node knows no address of a Unix socket that was passed as a descriptor. */
function isTcpServer(server: Server): boolean {
  const bound = server.address();
  return bound !== null && typeof bound === "object";
}

function listenOptions(address: Exclude<ListenAddress, UnixAddress>): ListenOptions {
  if (address.kind === "fd") return { fd: address.fd, backlog: BACKLOG } as ListenOptions;
  return { host: address.host, port: address.port, backlog: BACKLOG };
}

async function closed(server: Server, patience: number): Promise<void> {
  if (patience > 0 && server.listening) await acceptWaiting(server, patience);
  // Not the callback of close(): it waits for every connection, and the listener ends those.
  server.close();
  await nextTurn();
}

/**
 * Accepts the connections that wait in the system: closing the socket would reset them. No more than can have waited when
 * this began, for under load they never end.
 */
async function acceptWaiting(server: Server, patience: number): Promise<void> {
  const latest = performance.now() + patience;
  let accepted = 0;
  server.on("connection", () => accepted++);
  for (let quiet = 0; quiet < QUIET_TURNS && accepted < BACKLOG && performance.now() < latest; quiet++) {
    const before = accepted;
    await nextTurn();
    if (accepted > before) quiet = 0;
  }
}

const nextTurn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** Node does not know the path of a Unix socket that was passed as a descriptor: its URL is `fd:N`. */
function urlOf(server: Server, address: ListenAddress): string {
  const { protocol, tls } = address;
  const scheme = { protocol, ...(tls ? { tls } : {}) };
  const bound = server.address();
  if (!bound) return addressText(address);
  if (typeof bound === "string") return addressText({ ...scheme, kind: "unix", path: bound });
  return addressText({ ...scheme, kind: "tcp", host: bound.address, port: bound.port });
}

/** Replaces the socket file of a dead server, never that of a running one. */
async function bindUnix(server: Server, address: UnixAddress): Promise<void> {
  try {
    if (ownUrlAt(address)) throw taken();
    await listenAtPath(server, address, addressText(address), BACKLOG);
  } catch (error) {
    server.close();
    unusable(address, error as NodeJS.ErrnoException);
  }
}

/** As the system says it. */
export const taken = (): NodeJS.ErrnoException =>
  Object.assign(new Error("EADDRINUSE"), { code: "EADDRINUSE" });

const ADVICE: Readonly<Record<string, string>> = {
  EADDRINUSE:
    "another program is listening there; stop it, or choose another port with {option} (0 takes a free one)",
  EACCES:
    "permission is missing; ports below 1024 and foreign directories need it: choose another, or grant it",
  EPERM: "permission is missing; choose another address, or run with the rights that it needs",
  EADDRNOTAVAIL: "this machine has no such address; see `ip address` for those it has",
  ENOTFOUND: "there is no host of this name",
  EAI_AGAIN: "the host name cannot be looked up now",
  ENOENT: "its directory does not exist; create it first",
  EBADF:
    "no such descriptor is open; pass it on from the parent process (systemd socket activation, for example)",
  EINVAL: "it is not a listening socket",
  ENOTSOCK: "it is not a listening socket; pass one on from the parent process",
  ERR_INVALID_FD_TYPE: "it is not a listening socket; pass one on from the parent process",
};

/** EADDRINUSE, where nothing may be stopped. */
const OWN_ADVICE =
  "this process itself listens there, at {url}; name the port once, or choose another port with {option} (a change of its host takes a restart)";
const OWN_PATH = "this process itself listens there; name the path once, or choose another one";
const FD_ADVICE =
  "another socket listens at the address that it is bound to; name each port once, or stop the other program";

/** `*:80`, as NGINX Unit, Apache and waitress write it. */
const EVERYWHERE = "all addresses of this machine are 0.0.0.0, and [::] for IPv6 as well";
/** EINVAL. */
const LINK_LOCAL = "a link-local address needs the interface that it is on, such as [fe80::1%eth0]";

function adviceFor(address: ListenAddress, { code = "", message }: NodeJS.ErrnoException): string {
  if (address.kind === "tcp" && address.host === "*") return EVERYWHERE;
  if (address.kind === "tcp" && code === "EINVAL" && /^fe[89ab]/i.test(address.host)) return LINK_LOCAL;
  if (code !== "EADDRINUSE") return ADVICE[lacksDirectory(address) ? "ENOENT" : code] ?? message;
  if (address.kind === "fd") return FD_ADVICE;
  const own = ownUrlAt(address);
  if (own === undefined) return ADVICE.EADDRINUSE as string;
  return address.kind === "unix" ? OWN_PATH : OWN_ADVICE.replace("{url}", own);
}

/** libuv reports this as EACCES, too. */
const lacksDirectory = (address: ListenAddress): boolean =>
  address.kind === "unix" && !existsSync(dirname(address.path));

/** Throws ADDRESS_UNUSABLE. */
export function unusable(address: ListenAddress, error: NodeJS.ErrnoException, option = "--port"): never {
  if (error instanceof SallyportError) throw error;
  const advice = adviceFor(address, error).replace("{option}", option);
  throw new SallyportError("ADDRESS_UNUSABLE", `cannot listen at ${addressText(address)}: ${advice}`, {
    cause: error,
  });
}
