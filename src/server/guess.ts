// Finds out how this process was started: by a web server as a CGI program (RFC 3875, 4.1), by a web server or a spawner
// with a listening socket as descriptor 0 (FastCGI 1.0, 2.2), by systemd with listening sockets from descriptor 3 on
// (sd_listen_fds(3)), or in a way that leaves no trace.
import { fstatSync, readFileSync, readlinkSync } from "node:fs";
import { basename } from "node:path";
import { type ListenAddress, parsePlace } from "../config/address.ts";
import { PROTOCOLS } from "../config/protocols.ts";
import { isOfCgi } from "../processes/index.ts";

export type Started =
  | { readonly by: "cgi"; readonly nph: boolean }
  | { readonly by: "fastcgi" | "systemd" | "arguments"; readonly listen: readonly ListenAddress[] }
  | { readonly by: "nobody" };

/** The facts about a process that show it. */
export interface ProcessFacts {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly pid: number;
  /** Whether descriptor 0 is a listening socket. */
  readonly listening: () => boolean;
}

const OWN: ProcessFacts = { env: process.env, pid: process.pid, listening: () => isListening(0) };

/** Systemd's first descriptor. */
const FIRST = 3;
const MOST = 1_000;

/** By default for this process. */
export function guess({ env, pid, listening }: ProcessFacts = OWN): Started {
  // Before CGI: a CGI program's input is never a listening socket, but its variables reach programs that it starts.
  if (listening()) return { by: "fastcgi", listen: [{ protocol: "fastcgi", kind: "fd", fd: 0 }] };
  if (isOfCgi(env)) return { by: "cgi", nph: isNph(env) };
  const count = env.LISTEN_PID === String(pid) ? wholeNumber(env.LISTEN_FDS) : 0;
  if (count === 0) return { by: "nobody" };
  const names = env.LISTEN_FDNAMES?.split(":") ?? [];
  return { by: "systemd", listen: Array.from({ length: count }, (_, i) => passed(FIRST + i, names[i])) };
}

/** By such a name a program asks the server to pass its output on unchanged (RFC 3875, 5). */
const isNph = ({ SCRIPT_FILENAME, SCRIPT_NAME = "" }: ProcessFacts["env"]): boolean =>
  basename(SCRIPT_FILENAME ?? SCRIPT_NAME).startsWith("nph-");

/** The unit's `FileDescriptorName=` may be the name of a protocol. */
const passed = (fd: number, name: string | undefined): ListenAddress => ({
  protocol: PROTOCOLS.find((protocol) => protocol === name) ?? "http",
  kind: "fd",
  fd,
});

/** Where to listen then. A `configured` address with the same descriptor decides on its protocol. */
export function placesOf(started: Started, configured: readonly ListenAddress[]): ListenAddress[] {
  if (!("listen" in started)) return [...configured];
  return started.listen.map((place) => configured.find((other) => isSameDescriptor(place, other)) ?? place);
}

const isSameDescriptor = (a: ListenAddress, b: ListenAddress): boolean =>
  a.kind === "fd" && b.kind === "fd" && a.fd === b.fd;

/** The platforms that set PORT send requests from outside. */
export const EVERYWHERE = "0.0.0.0";
export const LOOPBACK = "127.0.0.1";

/** The address of platforms that give every program a port: PORT, and HOST if it is set. */
export function portOf(
  { PORT, HOST }: ProcessFacts["env"],
  host: string = EVERYWHERE,
): ListenAddress | undefined {
  const place = /^\d+$/.test(PORT ?? "") ? parsePlace(PORT as string) : undefined;
  if (place?.kind !== "tcp") return undefined;
  return { protocol: "http", ...place, host: HOST || host };
}

const wholeNumber = (text = ""): number => (/^\d{1,4}$/.test(text) ? Math.min(Number(text), MOST) : 0);

/**
 * Whether a descriptor is a listening socket. Node cannot query SO_ACCEPTCONN, but Linux lists all sockets; on other
 * systems we recognise only a server that sets FCGI_WEB_SERVER_ADDRS.
 */
export function isListening(fd: number, env: ProcessFacts["env"] = process.env): boolean {
  if (!isSocket(fd)) return false;
  const inode = inodeOf(fd);
  if (inode === undefined) return env.FCGI_WEB_SERVER_ADDRS !== undefined;
  return TABLES.some(([file, listens]) => linesOf(file).some((columns) => listens(columns, inode)));
}

function isSocket(fd: number): boolean {
  try {
    return fstatSync(fd).isSocket();
  } catch {
    return false; // closed
  }
}

function inodeOf(fd: number): string | undefined {
  try {
    return /^socket:\[(\d+)\]$/.exec(readlinkSync(`/proc/self/fd/${fd}`))?.[1];
  } catch {
    return undefined;
  }
}

type Listens = (columns: readonly string[], inode: string) => boolean;

/** TCP_LISTEN of the kernel's tcp_states.h. */
const TCP_LISTEN = "0A";
/** __SO_ACCEPTCON of net.h. */
const ACCEPTS = 0x10000;

const tcpListens: Listens = (columns, inode) => columns[3] === TCP_LISTEN && columns[9] === inode;
const unixListens: Listens = (columns, inode) =>
  columns[6] === inode && (Number.parseInt(columns[3] ?? "", 16) & ACCEPTS) !== 0;

/** The kernel's lists of sockets (proc(5)). */
const TABLES: readonly (readonly [string, Listens])[] = [
  ["/proc/net/unix", unixListens],
  ["/proc/net/tcp", tcpListens],
  ["/proc/net/tcp6", tcpListens],
];

function linesOf(file: string): string[][] {
  try {
    return readFileSync(file, "latin1")
      .split("\n")
      .map((line) => line.trim().split(/\s+/));
  } catch {
    return [];
  }
}
