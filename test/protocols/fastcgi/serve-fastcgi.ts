// A FastCGI listener on a real socket, and a raw web server that says exactly what a test wants said.
import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import type { TestContext } from "node:test";
import type { Exchange, Handler, Listener, Log, LogFields } from "../../../src/exchange/index.ts";
import { LintedExchange } from "../../../src/exchange/lint.ts";
import {
  beginRequest,
  type End,
  RecordReader,
  type Role,
  readEnd,
  streamEnd,
  TYPE,
  wholeStream,
} from "../../../src/protocols/fastcgi/codec.ts";
import { type FastcgiListenerOptions, fastcgiListener } from "../../../src/protocols/fastcgi/index.ts";
import { encodePairs } from "../../../src/protocols/fastcgi/pairs.ts";

export interface Line {
  readonly level: string;
  readonly message: string;
  readonly fields: LogFields;
}

export function keeping(lines: Line[], heard: () => void = () => {}): Log {
  const at =
    (level: string) =>
    (message: string, fields: LogFields = {}) => {
      lines.push({ level, message, fields });
      heard();
    };
  return { debug: at("debug"), info: at("info"), warn: at("warn"), error: at("error") };
}

export interface Serving {
  readonly address: string;
  readonly port: number;
  readonly listener: Listener;
  readonly lines: Line[];
  /** Connections that were made. */
  readonly accepted: Socket[];
  client(): Promise<WebServer>;
}

/** Serves `handler`, with the contract checked, until the test ends. */
export async function serve(
  t: TestContext,
  handler: Handler,
  options: Partial<FastcgiListenerOptions> = {},
): Promise<Serving> {
  const lines: Line[] = [];
  const accepted: Socket[] = [];
  const linted: Handler = (exchange) => handler(new LintedExchange(exchange));
  const listener = fastcgiListener({ handler: linted, log: keeping(lines), ...options });
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    accepted.push(socket);
    listener.accept(socket);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  t.after(async () => {
    server.close();
    for (const client of clients) client.socket.destroy();
    await listener.close(0);
  });
  const clients: WebServer[] = [];
  const { port } = server.address() as AddressInfo;
  const client = async (): Promise<WebServer> => {
    const made = await WebServer.to(port);
    clients.push(made);
    return made;
  };
  return { address: `127.0.0.1:${port}`, port, listener, lines, accepted, client };
}

interface Answer {
  stdout: string;
  stderr: string;
  stdoutEnded: boolean;
  end: End | undefined;
}

/** A raw connection to an application; what it says is kept by request id. */
export class WebServer {
  readonly socket: Socket;
  /** Types of management records that came, with their content. */
  readonly management: { type: number; content: Buffer }[] = [];
  /** "" while open; "end" after the application's FIN; "reset" when it was torn down, "broken" after what is no record. */
  state = "";
  readonly #answers = new Map<number, Answer>();
  readonly #reader = new RecordReader("UPSTREAM_BROKEN");
  #waiting: (() => void)[] = [];

  constructor(socket: Socket) {
    this.socket = socket;
    socket.on("data", (chunk) => this.#now(() => this.#readOrBreak(chunk)));
    socket.on("end", () => this.#now(() => (this.state ||= "end")));
    socket.on("error", () => this.#now(() => (this.state ||= "reset")));
    socket.on("close", () => this.#now(() => (this.state ||= "reset")));
  }

  static async to(port: number): Promise<WebServer> {
    const socket = connect({ port, host: "127.0.0.1", allowHalfOpen: true, noDelay: true });
    const client = new WebServer(socket);
    await once(socket, "connect");
    return client;
  }

  answer(id = 1): Answer {
    const answer = this.#answers.get(id) ?? { stdout: "", stderr: "", stdoutEnded: false, end: undefined };
    this.#answers.set(id, answer);
    return answer;
  }

  send(...records: Buffer[]): this {
    this.socket.write(Buffer.concat(records));
    return this;
  }

  /** Forgets what came for an id, so that it can be used again. */
  again(id = 1): this {
    this.#answers.delete(id);
    return this;
  }

  async until(condition: () => boolean): Promise<void> {
    while (!condition()) await new Promise<void>((resolve) => this.#waiting.push(resolve));
  }

  /** Resolves with everything when the request has ended, or the connection. */
  async ended(id = 1): Promise<Answer> {
    await this.until(() => this.answer(id).end !== undefined || this.state !== "");
    return this.answer(id);
  }

  async closed(): Promise<string> {
    await this.until(() => this.state !== "");
    return this.state;
  }

  #readOrBreak(chunk: Buffer): void {
    try {
      this.#read(chunk);
    } catch {
      this.state ||= "broken";
    }
  }

  #read(chunk: Buffer): void {
    this.#reader.feed(chunk);
    for (let piece = this.#reader.next(); piece; piece = this.#reader.next()) {
      const { type, id, content } = piece;
      const answer = this.answer(id);
      if (id === 0) this.management.push({ type, content });
      else if (type === TYPE.STDERR) answer.stderr += content.toString("latin1");
      else if (type === TYPE.END_REQUEST) answer.end = readEnd(content);
      else if (content.length === 0) answer.stdoutEnded = true;
      else answer.stdout += content.toString("latin1");
    }
  }

  #now(change: () => void): void {
    change();
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const resolve of waiting) resolve();
  }
}

export const PARAMS: Readonly<Record<string, string>> = {
  REQUEST_METHOD: "GET",
  REQUEST_URI: "/app/x?q=1",
  SCRIPT_NAME: "/app",
  PATH_INFO: "/x",
  QUERY_STRING: "q=1",
  SERVER_PROTOCOL: "HTTP/1.1",
  HTTP_HOST: "localhost",
};

export const params = (more: Record<string, string> = {}, id = 1): Buffer =>
  wholeStream(TYPE.PARAMS, id, encodePairs(Object.entries({ ...PARAMS, ...more }).flat()));

export interface Asking {
  id?: number;
  keep?: boolean;
  role?: Role;
  params?: Record<string, string>;
  body?: string;
}

/** A whole request. */
export function request({
  id = 1,
  keep = true,
  role = "responder",
  params: more = {},
  body = "",
}: Asking = {}): Buffer {
  const length: Record<string, string> =
    body === "" ? {} : { REQUEST_METHOD: "POST", CONTENT_LENGTH: String(body.length) };
  const stdin = role === "authorizer" ? [] : [wholeStream(TYPE.STDIN, id, Buffer.from(body, "latin1"))];
  return Buffer.concat([beginRequest(id, role, keep), params({ ...length, ...more }, id), ...stdin]);
}

export const noStdin = (id = 1): Buffer => streamEnd(TYPE.STDIN, id);

export const bodyOf = ({ stdout }: Answer): string => stdout.slice(stdout.indexOf("\r\n\r\n") + 4);

export const head = (status = 200, ...headers: string[]) => ({ status, reason: "", headers });

export async function bodyText(body: Exchange["body"]): Promise<string> {
  const pieces: Uint8Array[] = [];
  for (let piece = await body.read(); piece; piece = await body.read()) pieces.push(piece);
  return Buffer.concat(pieces).toString("latin1");
}

/** Answers with method, path, mount and body. */
export const echo: Handler = (exchange) => {
  bodyText(exchange.body).then(
    (text) => {
      const { method, path } = exchange.request;
      exchange.respond(
        head(200, "Content-Type", "text/plain"),
        `${method} ${exchange.mount} ${path} ${text}`,
      );
    },
    (error) => exchange.fail(error),
  );
};

/** A handler, and the exchanges it was given, one by one. */
export function queue(): { handler: Handler; next(): Promise<Exchange>; readonly count: number } {
  const exchanges: Exchange[] = [];
  const waiting: ((exchange: Exchange) => void)[] = [];
  let count = 0;
  return {
    handler(exchange) {
      count++;
      const resolve = waiting.shift();
      if (resolve) resolve(exchange);
      else exchanges.push(exchange);
    },
    next() {
      const exchange = exchanges.shift();
      return exchange ? Promise.resolve(exchange) : new Promise((resolve) => waiting.push(resolve));
    },
    get count() {
      return count;
    },
  };
}
