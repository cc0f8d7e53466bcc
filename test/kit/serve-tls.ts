// HTTP behind a TLS acceptor, on a real port, and clients of it.
import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import type { TestContext } from "node:test";
import { type ConnectionOptions, connect as connectTls, type TLSSocket } from "node:tls";
import type { Handler, Listener } from "../../src/exchange/index.ts";
import { type HttpLimits, httpListener } from "../../src/protocols/http1/index.ts";
import {
  readSecureContexts,
  type SecureContexts,
  TlsAcceptor,
  type TlsSettings,
} from "../../src/sockets/tls/index.ts";
import { textOf } from "./certificate-authority.ts";
import { keepLog, type Line } from "./keep-log.ts";

export const PATIENT = { minVersion: "1.2", handshakeTimeout: 60_000, handshakes: 100 } as const;

export interface ServedTls {
  readonly port: number;
  readonly acceptor: TlsAcceptor;
  /** Of the decrypted connections. */
  readonly listener: Listener;
  readonly lines: readonly Line[];
  /** Resolves with the first line of the log, past or future, that matches. */
  logged(pattern: RegExp): Promise<Line>;
}

export interface TlsOptions {
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
export async function serveTls(t: TestContext, handler: Handler, options: TlsOptions): Promise<ServedTls> {
  const { protocols = ["http/1.1"], limits = {}, before = (accept) => accept } = options;
  const settings: TlsSettings = { clientCertificates: "off", ...PATIENT, ...options.settings };
  const { log, lines, logged } = keepLog();
  const listener = httpListener({ handler, limits, log });
  const accept = (socket: Socket): void => listener.accept(socket);
  const acceptor = new TlsAcceptor({
    accept,
    contexts: await contextsFor(settings),
    settings,
    protocols,
    log,
  });
  const arrive = before((socket) => acceptor.accept(socket));
  const server = createServer({ allowHalfOpen: true, noDelay: true }, arrive).listen(0, "127.0.0.1");
  await once(server, "listening");
  t.after(async () => {
    server.close();
    await acceptor.close(0);
    await listener.close(0);
  });
  return { port: (server.address() as AddressInfo).port, acceptor, listener, lines, logged };
}

export async function contextsFor(settings: TlsSettings): Promise<SecureContexts> {
  const read = await readSecureContexts(settings);
  if ("problems" in read) throw new Error(JSON.stringify(read.problems));
  return read.contexts;
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
