// A request that somebody asks about: its bytes, read by our own HTTP/1.1 listener as if a client had sent them. No network
// is touched: the connection is a Unix socket in a directory of our own, and its addresses are those that were asked about.
import { rm } from "node:fs/promises";
import { connect, createServer, type Server, type Socket } from "node:net";
import { join } from "node:path";
import { type Address, type Handler, isToken, type Log, SallyportError } from "../exchange/index.ts";
import type { HttpLimits } from "../http/limits.ts";
import { httpListener } from "../protocols/http1/index.ts";
import { setAddresses } from "../sockets/addresses.ts";
import { makeSocketDirectory } from "../sockets/socket-path.ts";
import { answerAt } from "../wire/message.ts";

export interface AskedRequest {
  readonly method: string;
  readonly scheme: "http" | "https";
  /** Host and port as the client writes them. */
  readonly authority: string;
  /** Path and query as on the request line, nothing decoded or tidied up. */
  readonly target: string;
  /** `Name: value` lines. */
  readonly fields: readonly string[];
  readonly body: Uint8Array;
  /** The client. */
  readonly remote: Address;
  /** The address that it has connected to. */
  readonly local: Address;
}

const URL_PARTS = /^(https?):\/\/([^/?#]+)([^#]*)/i;

/** Scheme, authority and target of a URL, or of a path at `authority`. Throws USAGE. */
export function partsOfUrl(
  url: string,
  authority: string,
): Pick<AskedRequest, "scheme" | "authority" | "target"> {
  if (url.startsWith("/") || url === "*") return { scheme: "http", authority, target: url };
  const [, scheme, host, target] = URL_PARTS.exec(url) ?? [];
  if (!scheme || !host) throw new SallyportError("USAGE", `${url} is no URL and no path: write /path?query`);
  const path = target?.startsWith("/") ? target : `/${target ?? ""}`;
  return { scheme: scheme.toLowerCase() as "http" | "https", authority: host, target: path };
}

/** The method, or the usual one: POST with a body, otherwise GET. Throws USAGE. */
export function methodOf(word: string | undefined, hasBody: boolean): string {
  const method = word ?? (hasBody ? "POST" : "GET");
  if (!isToken(method)) throw new SallyportError("USAGE", `${JSON.stringify(method)} is no method`);
  return method;
}

/** The bytes on the wire, with the fields that any client adds: Host, and what says how long and what the body is. */
export function bytesOfRequest({ method, target, authority, fields, body }: AskedRequest): Buffer {
  const named = new Set(fields.map((line) => line.slice(0, line.indexOf(":")).trim().toLowerCase()));
  const added = [
    ["Host", authority],
    ...(body.length > 0
      ? [
          ["Content-Length", `${body.length}`],
          ["Content-Type", "application/x-www-form-urlencoded"],
        ]
      : []),
  ].filter(([name = ""]) => !named.has(name.toLowerCase()));
  const lines = [
    `${method} ${target} HTTP/1.1`,
    ...added.map(([name, value]) => `${name}: ${value}`),
    ...fields,
  ];
  return Buffer.concat([Buffer.from(`${lines.join("\r\n")}\r\n\r\n`, "utf8"), body]);
}

const SOCKET = "socket";

/**
 * Has the listener read the request and `handler` answer it. Resolves with the response, which the listener gives itself if it
 * refuses the request.
 */
export async function passThrough(
  asked: AskedRequest,
  limits: Partial<HttpLimits>,
  log: Log,
  handler: Handler,
): Promise<ReceivedResponse> {
  const listener = httpListener({ handler, limits, log, single: true, scheme: asked.scheme });
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    setAddresses(socket, { remote: asked.remote, local: asked.local, encrypted: asked.scheme === "https" });
    listener.accept(socket);
  });
  const directory = await makeSocketDirectory(SOCKET.length);
  try {
    return await answerOf(server, join(directory, SOCKET), bytesOfRequest(asked));
  } finally {
    server.close();
    await listener.close(0);
    await rm(directory, { recursive: true, force: true });
  }
}

async function answerOf(server: Server, path: string, request: Buffer): Promise<ReceivedResponse> {
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject).listen(path, resolve);
  });
  const client = connect({ path, allowHalfOpen: true });
  client.write(request);
  try {
    return await received(client);
  } finally {
    client.destroy();
  }
}

export interface ReceivedResponse {
  /** Informational responses among them. */
  readonly bytes: Buffer;
  /** Why no more was read of a response that had not ended; undefined when it had. */
  readonly cut: string | undefined;
}

/** Bytes of a response that are read. */
const MOST = 4 * 1024 * 1024;
/** Milliseconds from the head of the answer on, in which the rest is read: an event stream never ends. */
const LONGEST = 10_000;

/** Until the head has come the application's own timeout counts. */
function received(client: Socket): Promise<ReceivedResponse> {
  return new Promise((resolve, reject) => {
    const pieces: Buffer[] = [];
    let size = 0;
    let timer: NodeJS.Timeout | undefined;
    const finish = (cut?: string): void => {
      clearTimeout(timer);
      client.pause();
      resolve({ bytes: Buffer.concat(pieces, Math.min(size, MOST)), cut });
    };
    client.on("data", (piece: Buffer) => {
      pieces.push(piece);
      size += piece.length;
      if (size > MOST) return finish(`it is longer than ${MOST / 1024 ** 2} MiB`);
      timer ??= hasHead(Buffer.concat(pieces))
        ? setTimeout(finish, LONGEST, `it had not ended after ${LONGEST / 1000} s`)
        : undefined;
    });
    client.once("end", () => finish());
    client.once("error", (error) => (size > 0 ? finish("the connection was broken off") : reject(error)));
  });
}

const hasHead = (bytes: Buffer): boolean => bytes.includes("\r\n\r\n", answerAt(bytes));
