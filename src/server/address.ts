// Where to listen, as people write it: "127.0.0.1:8000", "[::1]:8000", "8000", "unix:/run/app.sock", "fd:3".

export type ListenAddress =
  | { readonly kind: "tcp"; readonly host: string; readonly port: number }
  | { readonly kind: "unix"; readonly path: string; readonly mode?: number; readonly owner?: string }
  | { readonly kind: "fd"; readonly fd: number };

const TCP = /^(?:(?:\[([0-9a-f:.%\w]+)\]|([^:[\]/\s]*)):)?(\d{1,5})$/i;

/** The address, or undefined when `text` is none. A port alone means this machine only. */
export function parseAddress(text: string): ListenAddress | undefined {
  if (text.startsWith("unix:")) return text.length > 5 ? { kind: "unix", path: text.slice(5) } : undefined;
  const fd = /^fd:(\d{1,6})$/.exec(text);
  if (fd) return { kind: "fd", fd: Number(fd[1]) };
  const [whole, six, name, port] = TCP.exec(text) ?? [];
  if (whole === undefined || Number(port) > 65_535) return undefined;
  return { kind: "tcp", host: six ?? (name || "127.0.0.1"), port: Number(port) };
}

/** The URL or name under which an address is told to people. */
export function addressText(address: ListenAddress): string {
  if (address.kind === "unix") return `unix:${address.path}`;
  if (address.kind === "fd") return `fd:${address.fd}`;
  return tcpUrl(address.host, address.port);
}

export const tcpUrl = (host: string, port: number): string =>
  `http://${host.includes(":") ? `[${host}]` : host}:${port}`;
