// The control socket: HTTP over a Unix socket that only its owner may use. One request a connection, a few connections at a
// time, small requests, little time; HTTP is loaded for the first of them.
import { existsSync } from "node:fs";
import type { Server as HttpServer, IncomingMessage, ServerResponse } from "node:http";
import { createServer, type Server, type Socket } from "node:net";
import { dirname } from "node:path";
import { type Log, SallyportError } from "../exchange/index.ts";
import { listenAtPath } from "../sockets/unix-path.ts";
import { answerControl, type ControlAnswer, refused } from "./answer.ts";
import type { Attached, Operations } from "./operations.ts";
import { ownPath, sweepSockets } from "./places.ts";

export interface ControlSocketOptions {
  /** An absolute path. */
  readonly path: string;
  readonly operations: Operations;
  /** Milliseconds for a request to arrive. */
  readonly timeout?: number;
}

/** Connections at a time. */
const MOST = 16;
const BACKLOG = 16;
/** Bytes. */
const HEAD = 8_192;
const BODY = 4_096;
/** Milliseconds for a request to arrive, and for a client to read its answer. */
const TIMEOUT = 5_000;
const READ_TIMEOUT = 30_000;
const MODE = 0o600;

/** Listens at `path`. Rejects with ADDRESS_UNUSABLE. */
export async function openControlSocket({
  path,
  operations,
  timeout = TIMEOUT,
}: ControlSocketOptions): Promise<Attached> {
  const control = new ControlSocket(operations, timeout);
  try {
    await listenAtPath(control.server, { path, mode: MODE }, `the control socket ${path}`, BACKLOG);
  } catch (error) {
    control.server.close();
    throw unusable(path, error as NodeJS.ErrnoException);
  }
  return control;
}

/** At a path of its own among those where `sallyport status` looks. Never rejects: a server works without it, and says so. */
export async function openDefaultSocket(operations: Operations, log: Log): Promise<Attached> {
  try {
    const path = ownPath();
    await sweepSockets();
    return await openControlSocket({ path, operations });
  } catch (error) {
    log.warn(`sallyport status and the like cannot reach this server: ${(error as Error).message}`);
    return { close: async () => {} };
  }
}

const ADVICE: Readonly<Record<string, string>> = {
  ENOENT: "its directory does not exist; create it, or choose another path with --control",
  EACCES: "permission is missing; choose another path with --control",
  EROFS: "the file system is read-only; choose another path with --control",
};

function unusable(path: string, error: NodeJS.ErrnoException): SallyportError {
  if (error instanceof SallyportError) return error;
  // libuv reports a missing directory as EACCES.
  const code = existsSync(dirname(path)) ? error.code : "ENOENT";
  const why = ADVICE[code ?? ""] ?? error.message;
  return new SallyportError("ADDRESS_UNUSABLE", `cannot listen at the control socket ${path}: ${why}`, {
    cause: error,
  });
}

class ControlSocket implements Attached {
  readonly server: Server;
  readonly #operations: Operations;
  readonly #timeout: number;
  readonly #sockets = new Set<Socket>();
  #http: Promise<HttpServer> | undefined;

  constructor(operations: Operations, timeout: number) {
    this.#operations = operations;
    this.#timeout = timeout;
    this.server = createServer({ pauseOnConnect: true }, (socket) => void this.#accept(socket));
    this.server.maxConnections = MOST;
    this.server.on("error", () => {}); // out of descriptors: Node tries again
    this.server.unref();
  }

  /** Removes the socket's file. Those who wait for the end of the server go on waiting: its process closes their connections. */
  async close(): Promise<void> {
    this.server.close();
    for (const socket of this.#sockets) socket.unref();
  }

  async #accept(socket: Socket): Promise<void> {
    this.#sockets.add(socket);
    socket.on("close", () => this.#sockets.delete(socket));
    socket.on("error", () => {}); // the client is gone, and "close" follows
    this.#http ??= import("node:http").then(({ createServer }) =>
      createServer({ maxHeaderSize: HEAD, keepAliveTimeout: 1 }, (request, response) =>
        this.#serve(request, response),
      ),
    );
    const http = await this.#http;
    const late = setTimeout(() => socket.destroy(), this.#timeout);
    socket.on("close", () => clearTimeout(late));
    http.emit("connection", socket);
    this.#late.set(socket, late);
    socket.resume();
  }

  /** Ends the connections whose requests do not arrive in time. */
  readonly #late = new WeakMap<Socket, NodeJS.Timeout>();

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    response.shouldKeepAlive = false;
    try {
      const body = await bodyOf(request);
      clearTimeout(this.#late.get(request.socket));
      const { method = "", url = "/" } = request;
      const [path = "/"] = url.split("?");
      send(response, await answerControl(this.#operations, { method, path, body }));
    } catch (error) {
      send(response, refused(SallyportError.from(error)));
    }
  }
}

/** Rejects with BODY_TOO_LARGE, or when the client leaves. */
async function bodyOf(request: IncomingMessage): Promise<string> {
  let body = "";
  request.setEncoding("utf8");
  for await (const chunk of request) {
    body += chunk;
    if (body.length > BODY)
      throw new SallyportError("BODY_TOO_LARGE", `the body of a request here has at most ${BODY} bytes`);
  }
  return body;
}

function send(response: ServerResponse, { status, value, lasting }: ControlAnswer): void {
  if (response.destroyed || response.socket === null) return;
  response.statusCode = status;
  response.setHeader("Content-Type", "application/json");
  response.socket.setTimeout(lasting ? 0 : READ_TIMEOUT, () => response.destroy());
  const text = `${JSON.stringify(value)}\n`;
  // Without a length the end of the connection is the end of the answer.
  if (lasting) response.removeHeader("Transfer-Encoding");
  if (lasting) response.write(text);
  else response.end(text);
}
