// A listener on a real port, and raw clients that say exactly what a test wants said.
import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";
import type { TestContext } from "node:test";
import type {
  Exchange,
  Handler,
  Listener,
  Log,
  LogFields,
  Outcome,
  ResponseHead,
} from "../../src/exchange/index.ts";
import { type HttpLimits, httpListener } from "../../src/protocols/http1/index.ts";

export interface Line {
  readonly level: string;
  readonly message: string;
  readonly fields: LogFields | undefined;
}

export interface Serving {
  readonly port: number;
  readonly server: Server;
  readonly listener: Listener;
  readonly lines: Line[];
  client(options?: { allowHalfOpen?: boolean }): Promise<Client>;
}

/** Serves `handler` until the test ends. */
export async function serve(
  t: TestContext,
  handler: Handler,
  limits: Partial<HttpLimits> = {},
): Promise<Serving> {
  const lines: Line[] = [];
  const listener = httpListener({ handler, limits, log: keeping(lines) });
  const server = createServer({ allowHalfOpen: true }, (socket) => listener.accept(socket));
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const clients: Client[] = [];
  t.after(async () => {
    for (const client of clients) client.socket.destroy();
    server.close();
    await listener.close(0);
  });
  const { port } = server.address() as AddressInfo;
  const client = async (options = {}): Promise<Client> => {
    const made = await Client.to(port, options);
    clients.push(made);
    return made;
  };
  return { port, server, listener, lines, client };
}

function keeping(lines: Line[]): Log {
  const at = (level: string) => (message: string, fields?: LogFields) => {
    lines.push({ level, message, fields });
  };
  return { debug: at("debug"), info: at("info"), warn: at("warn"), error: at("error") };
}

/** A raw connection. Everything that arrives is kept as latin-1. */
export class Client {
  readonly socket: Socket;
  received = "";
  /** "" while open; "end" after the server's FIN; "reset" when it was torn down. */
  state = "";
  #waiting: (() => void)[] = [];

  constructor(socket: Socket) {
    this.socket = socket;
    socket.on("data", (chunk) => this.#now(() => (this.received += chunk.toString("latin1"))));
    socket.on("end", () => this.#now(() => (this.state ||= "end")));
    socket.on("error", () => this.#now(() => (this.state ||= "reset")));
    socket.on("close", () => this.#now(() => (this.state ||= "reset")));
  }

  static async to(port: number, options: { allowHalfOpen?: boolean }): Promise<Client> {
    const socket = connect({ port, host: "127.0.0.1", noDelay: true, ...options });
    const client = new Client(socket);
    await once(socket, "connect");
    return client;
  }

  send(...text: string[]): this {
    this.socket.write(text.join(""), "latin1");
    return this;
  }

  /** Ends our side, and goes on listening. */
  end(): this {
    this.socket.end();
    return this;
  }

  /** Resolves when `condition` holds. The test runner's own deadline ends what never happens. */
  async until(condition: () => boolean): Promise<void> {
    while (!condition()) await new Promise<void>((resolve) => this.#waiting.push(resolve));
  }

  /** Everything up to the end of the connection. */
  async all(): Promise<string> {
    await this.until(() => this.state !== "");
    return this.received;
  }

  async has(text: string): Promise<string> {
    await this.until(() => this.received.includes(text) || this.state !== "");
    return this.received;
  }

  #now(change: () => void): void {
    change();
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const resolve of waiting) resolve();
  }
}

export const head = (status = 200, ...headers: string[]): ResponseHead => ({ status, reason: "", headers });

/** Answers at once with method, path and what is here of the body. */
export const hello: Handler = (exchange) => {
  const { method, path } = exchange.request;
  exchange.respond(
    head(),
    `${method} ${path} ${exchange.body.whole ? Buffer.from(exchange.body.whole) : "unread"}\n`,
  );
};

/** Reads the whole body, then answers with it. */
export const echo: Handler = (exchange) => {
  bodyText(exchange).then(
    (text) => exchange.respond(head(), Buffer.from(text, "latin1")),
    (error) => exchange.fail(error),
  );
};

/** The statuses of all responses in `text`, in order. */
export const statuses = (text: string): string[] => text.match(/(?<=HTTP\/1\.1 )\d{3}/g) ?? [];

/** The lines of the first head in `text`, without Date. */
export const headLines = (text: string): string[] =>
  text
    .slice(0, text.indexOf("\r\n\r\n"))
    .split("\r\n")
    .filter((line) => !line.startsWith("Date: "));

export const bodyOf = (text: string): string => text.slice(text.indexOf("\r\n\r\n") + 4);

export const over = (exchange: Exchange): Promise<Outcome> =>
  new Promise((resolve) => exchange.whenClosed(resolve));

/** The whole body, or the error that ended it. */
export async function bodyText(exchange: Exchange): Promise<string> {
  const pieces: Uint8Array[] = [];
  for (let piece = await exchange.body.read(); piece; piece = await exchange.body.read()) pieces.push(piece);
  return Buffer.concat(pieces).toString("latin1");
}

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

/** Resolves when `measure` has stopped changing. */
export async function settled(measure: () => number): Promise<void> {
  for (let before = -1; before !== measure(); ) {
    before = measure();
    await new Promise((resolve) => setTimeout(resolve, 150));
  }
}
