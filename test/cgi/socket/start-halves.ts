// Both halves of SCGI and uwsgi on a real socket, and raw peers that say exactly what a test wants said.
import { once } from "node:events";
import { type AddressInfo, createServer, type Server, type Socket } from "node:net";
import { join } from "node:path";
import type { TestContext } from "node:test";
import type { SocketGatewayOptions } from "../../../src/cgi/socket/gateway.ts";
import type { SocketLimits } from "../../../src/cgi/socket/limits.ts";
import type { Gateway, Handler, Listener } from "../../../src/exchange/index.ts";
import { LintedExchange, lint } from "../../../src/exchange/lint.ts";
import { encodeScgiRequest as encodeScgi } from "../../../src/protocols/scgi/codec.ts";
import { scgi, scgiListener } from "../../../src/protocols/scgi/index.ts";
import { encodeUwsgiRequest as encodeUwsgi } from "../../../src/protocols/uwsgi/codec.ts";
import { uwsgi, uwsgiListener } from "../../../src/protocols/uwsgi/index.ts";
import { type Recorded, RecordedExchange, type RecordedRequest } from "../../../src/testing/recorded.ts";
import { bodyBytes, head } from "../../kit/handlers.ts";
import { keepLog, type Line } from "../../kit/keep-log.ts";
import { makeFolder } from "../../kit/make-folder.ts";
import { TextConnection } from "../../kit/raw-connection.ts";

/** The two protocols, by name. */
export const PROTOCOLS = [
  { name: "SCGI", gateway: scgi, listener: scgiListener, encode: encodeScgi, ok: "Status: 200 OK" },
  { name: "uwsgi", gateway: uwsgi, listener: uwsgiListener, encode: encodeUwsgi, ok: "HTTP/1.1 200 OK" },
] as const;

export type Protocol = (typeof PROTOCOLS)[number];
export type Transport = "tcp" | "unix";
export const TRANSPORTS: readonly Transport[] = ["tcp", "unix"];

/** Listens until the test ends; gives the address as gateways write it. */
export async function listening(
  t: TestContext,
  transport: Transport,
  accept: (socket: Socket) => void,
): Promise<{ address: string; server: Server }> {
  const server = createServer({ allowHalfOpen: true }, accept);
  t.after(() => void server.close());
  if (transport === "unix") server.listen(join(makeFolder(t), "app.sock"));
  else server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const bound = server.address() as AddressInfo | string;
  return { address: typeof bound === "string" ? `unix:${bound}` : `127.0.0.1:${bound.port}`, server };
}

export interface StartedApplication {
  readonly address: string;
  /** Connections that were made. */
  readonly accepted: readonly Socket[];
  readonly listener: Listener;
  readonly lines: Line[];
}

/** Our application's half, in front of `handler`. */
export async function startApplication(
  t: TestContext,
  protocol: Protocol,
  handler: Handler,
  { transport = "tcp", limits = {} }: { transport?: Transport; limits?: Partial<SocketLimits> } = {},
): Promise<StartedApplication> {
  const { log, lines } = keepLog();
  const linted: Handler = (exchange) => handler(new LintedExchange(exchange));
  const listener = protocol.listener({ handler: linted, log, limits });
  t.after(() => listener.close(0));
  const accepted: Socket[] = [];
  const { address } = await listening(t, transport, (socket) => {
    accepted.push(socket);
    listener.accept(socket);
  });
  return { address, accepted, listener, lines };
}

export interface StartedGateway {
  readonly gateway: Gateway;
  readonly lines: Line[];
  exchange(request: RecordedRequest): RecordedExchange;
  ask(target: string, request?: RecordedRequest): Promise<Recorded>;
}

/** Our server's half, asked without a listener of its own. */
export function startGateway(
  t: TestContext,
  protocol: Protocol,
  options: SocketGatewayOptions,
): StartedGateway {
  const { log, lines } = keepLog();
  const gateway = lint(protocol.gateway({ log, ...options }));
  t.after(() => gateway.close?.(0));
  const exchange = (request: RecordedRequest): RecordedExchange => {
    const asked = new RecordedExchange({ log, ...request });
    gateway.handle(asked);
    return asked;
  };
  return { gateway, lines, exchange, ask: (target, request) => exchange({ ...request, target }).done };
}

/** Everything that arrives is kept as latin-1. */
export class Raw extends TextConnection {
  /** Connects to an address as gateways write it. */
  static async to(t: TestContext, address: string): Promise<Raw> {
    const [host, port] = address.split(":") as [string, string];
    const where = host === "unix" ? { path: port } : { host, port: Number(port) };
    const raw = await Raw.open({ ...where, allowHalfOpen: true });
    t.after(() => void raw.socket.destroy());
    return raw;
  }
}

/** The variables of a request, as a web server would send them. */
export const variables = (...pairs: [string, string][]): Map<string, string> =>
  new Map([
    ["REQUEST_METHOD", "GET"],
    ["SCRIPT_NAME", ""],
    ["PATH_INFO", "/"],
    ["SERVER_PROTOCOL", "HTTP/1.1"],
    ...pairs,
  ]);

/** Reads the whole body, then answers with it. */
export const echo: Handler = (exchange) => {
  bodyBytes(exchange).then(
    (bytes) => exchange.respond(head(200, "Content-Type", "application/octet-stream"), bytes),
    (error) => exchange.fail(error),
  );
};
