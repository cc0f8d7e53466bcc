// A connection to an application that runs elsewhere: one address, one socket, one deadline.
import type { NetConnectOpts, OnReadOpts, Socket } from "node:net";
import { SallyportError } from "../exchange/index.ts";
import { forgetWhenClosed } from "../sockets/closed.ts";
import { LastingSocket } from "../sockets/last-bytes.ts";
import { pathFault } from "../sockets/socket-path.ts";

export type UpstreamAddress =
  | { readonly kind: "unix"; readonly path: string }
  | { readonly kind: "tcp"; readonly host: string; readonly port: number };

const TCP = /^(?:\[([0-9A-Fa-f:.%\w]+)\]|([^:[\]/\s]+)):(\d{1,5})$/;

/** Reads "unix:/run/app.sock", "127.0.0.1:9000" or "[::1]:9000". Throws CONFIG_INVALID. */
export function parseUpstream(text: string): UpstreamAddress {
  if (text.startsWith("unix:") && text.length > 5) return { kind: "unix", path: checked(text.slice(5)) };
  const [whole, six, name, port] = TCP.exec(text) ?? [];
  if (whole === undefined || Number(port) < 1 || Number(port) > 65_535)
    throw new SallyportError("CONFIG_INVALID", `${text} is no address; write unix:PATH or HOST:PORT`);
  return { kind: "tcp", host: (six ?? name) as string, port: Number(port) };
}

function checked(path: string): string {
  const fault = pathFault(path);
  if (fault !== undefined) throw new SallyportError("CONFIG_INVALID", `unix:${path}: the path ${fault}`);
  return path;
}

/** Gets the bytes of a connection in memory that the next read overwrites: copy what you keep. */
export type ConnectionReader = (bytes: Buffer) => void;

/** Bytes per read. */
const READ = 65_536;

/**
 * An established connection; the caller must listen to its errors from then on. Rejects with UPSTREAM_UNREACHABLE and
 * the reason, also when the other side has not accepted within `timeout` milliseconds (0: when the system gives up). With a `reader` there are no
 * "data" events, each of which costs 64 KiB of new memory.
 */
export function connectTo(
  address: UpstreamAddress,
  timeout: number,
  reader?: ConnectionReader,
): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const options = { ...connectOptions(address), ...(reader ? { onread: into(reader) } : {}) };
    const socket = new LastingSocket(options).connect(options);
    const refuse = (reason: string, cause?: Error): void => {
      clearTimeout(deadline);
      socket.destroy();
      reject(new SallyportError("UPSTREAM_UNREACHABLE", reason, { cause }));
    };
    const late = (): void => refuse(`no connection within ${timeout} ms`);
    const deadline = timeout > 0 ? setTimeout(late, timeout) : undefined;
    const onError = (error: NodeJS.ErrnoException): void => refuse(reasonOf(error), error);
    socket.once("error", onError);
    socket.once("connect", () => {
      clearTimeout(deadline);
      socket.off("error", onError);
      forgetWhenClosed(socket);
      resolve(socket);
    });
  });
}

/** Half-open, because an application may end its side before it has read all of a request; we end ours. */
function connectOptions(address: UpstreamAddress): NetConnectOpts {
  if (address.kind === "unix") return { path: address.path, allowHalfOpen: true };
  return { host: address.host, port: address.port, allowHalfOpen: true, noDelay: true };
}

function into(reader: ConnectionReader): OnReadOpts {
  const buffer = Buffer.allocUnsafeSlow(READ);
  return {
    buffer,
    callback: (size) => {
      reader(buffer.subarray(0, size));
      return true;
    },
  };
}

const REASONS: Readonly<Record<string, string>> = {
  ENOENT: "there is no such socket; is the application running?",
  ECONNREFUSED: "nothing is listening there; is the application running?",
  EACCES: "permission is missing; look at the mode and owner of the socket",
  ENOTSOCK: "the path is not a socket",
  ENOTFOUND: "there is no host of this name",
};

function reasonOf({ code = "", message }: NodeJS.ErrnoException): string {
  return REASONS[code] ?? (message || code);
}
