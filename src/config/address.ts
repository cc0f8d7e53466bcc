// Where to listen, and for which protocol, as people write it: "127.0.0.1:8000", "[::1]:8000", "8000",
// "unix:/run/app.sock", "fd:3", each of them HTTP, or with the protocol in front: "fastcgi://127.0.0.1:9000",
// "scgi://unix:/run/app.sock". The text of an address can be parsed again.

import { socketPathIn } from "../sockets/socket-path.ts";
import type { TlsSettings } from "../sockets/tls/index.ts";
import { PROTOCOLS, type Protocol } from "./protocols.ts";

/** A place to listen at. */
export type ListenPlace =
  | { readonly kind: "tcp"; readonly host: string; readonly port: number }
  | { readonly kind: "unix"; readonly path: string; readonly mode?: number; readonly owner?: string }
  | { readonly kind: "fd"; readonly fd: number };

export type ListenAddress = ListenPlace & {
  readonly protocol: Protocol;
  /** Connections begin with a PROXY header. */
  readonly proxyProtocol?: boolean;
  /** The protocol is spoken within TLS. */
  readonly tls?: TlsSettings;
};

const TCP = /^(?:(?:\[([0-9a-f:.%\w]+)\]|([^:[\]/\s]*)):)?(\d{1,5})$/i;

/** The address, or undefined when `text` is none. */
export function parseAddress(text: string): ListenAddress | undefined {
  const mark = text.indexOf("://");
  const protocol = mark < 0 ? "http" : PROTOCOLS.find((name) => text.slice(0, mark) === name);
  const place = parsePlace(mark < 0 ? text : text.slice(mark + 3));
  return protocol && place && { protocol, ...place };
}

/** The place alone, or undefined when `text` is none. A port alone means this machine only. */
export function parsePlace(text: string): ListenPlace | undefined {
  if (text.startsWith("unix:")) return text.length > 5 ? { kind: "unix", path: text.slice(5) } : undefined;
  const fd = /^fd:(\d{1,6})$/.exec(text);
  if (fd) return { kind: "fd", fd: Number(fd[1]) };
  const [whole, six, name, port] = TCP.exec(text) ?? [];
  if (whole === undefined || Number(port) > 65_535) return undefined;
  return { kind: "tcp", host: six ?? (name || "127.0.0.1"), port: Number(port) };
}

/** The address as seen from anywhere: the path of a Unix socket starts in `directory`. */
export const addressIn = <A extends ListenPlace>(directory: string, address: A): A =>
  address.kind === "unix" ? { ...address, path: socketPathIn(directory, address.path) } : address;

/** An address for logs and messages. Only TCP gets `http://`: a terminal makes a link of such a line. */
export function addressText({ protocol, tls, ...place }: ListenAddress): string {
  const text = placeText(place);
  if (tls) return `https://${text}`;
  return protocol === "http" && place.kind !== "tcp" ? text : `${protocol}://${text}`;
}

function placeText(place: ListenPlace): string {
  if (place.kind === "unix") return `unix:${place.path}`;
  if (place.kind === "fd") return `fd:${place.fd}`;
  return `${place.host.includes(":") ? `[${place.host}]` : place.host}:${place.port}`;
}
