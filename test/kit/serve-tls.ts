// HTTP behind an entrance of TLS, on a real port, and clients of it.
import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import type { TestContext } from "node:test";
import { type ConnectionOptions, connect as connectTls, type TLSSocket } from "node:tls";
import type { Handler, LogFields } from "../../src/exchange/index.ts";
import { type HttpLimits, httpListener } from "../../src/protocols/http1/index.ts";
import {
  readSecureContexts,
  type SecureContexts,
  TlsAcceptor,
  type TlsSettings,
} from "../../src/sockets/tls/index.ts";
import { textOf } from "./certificate-authority.ts";

export const PATIENT = { minVersion: "1.2", handshakeTimeout: 60_000, handshakes: 100 } as const;

export interface Entered {
  readonly port: number;
  readonly entrance: TlsAcceptor;
  readonly lines: { readonly message: string; readonly fields: LogFields | undefined }[];
  /** Resolves when the log has such a line. */
  saw(pattern: RegExp): Promise<void>;
}

export interface EnteringOptions {
  readonly settings: Partial<TlsSettings> & Pick<TlsSettings, "cert" | "key">;
  readonly limits?: Partial<HttpLimits>;
  readonly protocols?: readonly string[];
  /** What else connections pass before they come to `accept`. */
  readonly before?: (accept: (socket: Socket) => void) => (socket: Socket) => void;
}

/** What requests say of their connection. */
export const tellConnection: Handler = (exchange) => {
  const { scheme, remote, tls } = exchange.request;
  const facts = tls && { ...tls, certificate: tls.certificate };
  exchange.respond({ status: 200, reason: "", headers: [] }, JSON.stringify({ scheme, remote, tls: facts }));
};

/** Serves `handler` until the test ends. */
export async function enter(t: TestContext, handler: Handler, options: EnteringOptions): Promise<Entered> {
  const { protocols = ["http/1.1"], limits = {}, before = (accept) => accept } = options;
  const settings: TlsSettings = { clientCertificates: "off", ...PATIENT, ...options.settings };
  const lines: Entered["lines"] = [];
  const waiting = new Set<() => void>();
  const info = (message: string, fields?: LogFields): void => {
    lines.push({ message, fields });
    for (const look of waiting) look();
  };
  const log = { debug: info, info, warn: info, error: info };
  const listener = httpListener({ handler, limits, log });
  const accept = (socket: Socket): void => listener.accept(socket);
  const entrance = new TlsAcceptor({ accept, keys: await keysFor(settings), settings, protocols, log });
  const arrive = before((socket) => entrance.accept(socket));
  const server = createServer({ allowHalfOpen: true, noDelay: true }, arrive).listen(0, "127.0.0.1");
  await once(server, "listening");
  t.after(async () => {
    server.close();
    entrance.close();
    await listener.close(0);
  });
  const saw = (pattern: RegExp): Promise<void> =>
    new Promise((resolve) => {
      const look = (): void => {
        if (lines.some(({ message }) => pattern.test(message)) && waiting.delete(look)) resolve();
      };
      waiting.add(look);
      look();
    });
  return { port: (server.address() as AddressInfo).port, entrance, lines, saw };
}

export async function keysFor(settings: TlsSettings): Promise<SecureContexts> {
  const read = await readSecureContexts(settings);
  if ("problems" in read) throw new Error(JSON.stringify(read.problems));
  return read.keys;
}

/** A connection without TLS. */
export async function plain(port: number): Promise<Socket> {
  const socket = connect({ port, host: "127.0.0.1" });
  socket.on("error", () => {});
  await once(socket, "connect");
  return socket;
}

/** Node knows `allowHalfOpen`; its types do not. */
type ClientOptions = ConnectionOptions & { allowHalfOpen?: boolean };

/** A connection whose handshake is over. */
export async function secure(port: number, options: ClientOptions): Promise<TLSSocket> {
  const socket = connectTls({ host: "127.0.0.1", port, servername: "example.org", ...options });
  await once(socket, "secureConnect");
  return socket;
}

export const trusting = (ca: string): ConnectionOptions => ({ ca: textOf(ca) });

export const GET = "GET / HTTP/1.1\r\nHost: example.org\r\nConnection: close\r\n\r\n";

/** All that comes until the connection ends, in whichever way. */
export async function allFrom(socket: Socket): Promise<string> {
  let text = "";
  socket.on("data", (chunk) => {
    text += chunk;
  });
  socket.on("error", () => {});
  if (!socket.closed) await new Promise((resolve) => socket.once("close", resolve));
  return text;
}

/** What `tellConnection` said over a new connection. */
export async function told(port: number, options: ConnectionOptions): Promise<Told> {
  const socket = await secure(port, options);
  socket.write(GET);
  const text = await allFrom(socket);
  return JSON.parse(text.slice(text.indexOf("\r\n\r\n") + 4)) as Told;
}

export interface Told {
  readonly scheme: string;
  readonly remote: { readonly address: string; readonly port: number };
  readonly tls: {
    readonly protocol: string;
    readonly cipher: string;
    readonly serverName: string;
    readonly certificate: string;
    readonly client?: Readonly<Record<string, unknown>>;
  };
}
