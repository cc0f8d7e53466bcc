// What systemd is told of this process (sd_notify(3)): that it serves, reloads, stops, and is alive. The socket that it hears
// with is one of datagrams, which Node has not; the C library is asked instead, or where koffi is missing, systemd-notify(1).
import { execFile } from "node:child_process";
import type { Log } from "../exchange/index.ts";
import { isTooLong } from "../sockets/socket-path.ts";

export interface Notifier {
  /** It serves, at these URLs. */
  ready(urls: readonly string[]): void;
  /** It reads its configuration again; `ready` follows. */
  reloading(): void;
  stopping(): void;
}

type Send = (message: string) => void;

const SILENT: Notifier = { ready() {}, reloading() {}, stopping() {} };

const AF_UNIX = 1;
const SOCK_DGRAM = 2;
const SOCK_CLOEXEC = 0o2000000;

/** Speaks to the service manager that `env` names. Its variables are taken out of `env`: they are not for applications. */
export async function notifierOf(env: NodeJS.ProcessEnv, log: Log): Promise<Notifier> {
  const { NOTIFY_SOCKET: socket, WATCHDOG_USEC: watchdog, WATCHDOG_PID: watched } = env;
  for (const name of ["NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"]) delete env[name];
  if (socket === undefined || socket === "") return SILENT;
  const send = (await byLibrary(socket, log)) ?? byProgram(socket, log);
  const interval = Number(watchdog) / 1000 / 2;
  if (interval >= 1 && (watched === undefined || watched === String(process.pid)))
    // From the event loop: when that stands still, systemd is to know.
    setInterval(() => send("WATCHDOG=1"), interval).unref();
  return {
    ready: (urls) => send(`READY=1\nSTATUS=serving ${urls.join(", ")}`),
    reloading: () => send(`RELOADING=1\nMONOTONIC_USEC=${process.hrtime.bigint() / 1000n}\nSTATUS=reloading`),
    stopping: () => send("STOPPING=1\nSTATUS=stopping"),
  };
}

async function byLibrary(socket: string, log: Log): Promise<Send | undefined> {
  try {
    const { default: koffi } = await import("koffi");
    const library = koffi.load(null as unknown as string);
    const open = library.func("int socket(int domain, int type, int protocol)");
    const sendTo = library.func(
      "intptr_t sendto(int fd, const void *data, size_t size, int flags, const void *address, uint32_t length)",
    );
    const address = addressOf(socket);
    const fd: number = open(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    return (message) => {
      const data = Buffer.from(message);
      if (sendTo(fd, data, data.length, 0, address, address.length) < 0)
        log.debug(`systemd does not hear ${message.split("\n")[0]} at ${socket}`);
    };
  } catch {
    return undefined;
  }
}

/** `struct sockaddr_un`; a name that begins with "@" is abstract. */
function addressOf(socket: string): Buffer {
  const path = Buffer.from(socket.replace(/^@/, "\0"));
  if (isTooLong(path)) throw new RangeError(`a path of ${path.length} bytes`);
  const address = Buffer.alloc(2 + path.length + (path[0] === 0 ? 0 : 1));
  if (new Uint8Array(Uint16Array.of(1).buffer)[0] === 1) address.writeUInt16LE(AF_UNIX);
  else address.writeUInt16BE(AF_UNIX);
  path.copy(address, 2);
  return address;
}

const byProgram =
  (socket: string, log: Log): Send =>
  (message) => {
    const env = { ...process.env, NOTIFY_SOCKET: socket };
    execFile("systemd-notify", [`--pid=${process.pid}`, ...message.split("\n")], { env }, (error) => {
      if (error) log.warn(`systemd is not told ${message.split("\n")[0]}: install koffi, or systemd-notify`);
    });
  };
