// A listener on a real port, and raw clients that say exactly what a test wants said.
import { once } from "node:events";
import { type AddressInfo, createServer, type Server } from "node:net";
import type { TestContext } from "node:test";
import type { Handler, Listener } from "../../src/exchange/index.ts";
import { type HttpLimits, httpListener } from "../../src/protocols/http1/index.ts";
import { bodyText, head } from "./handlers.ts";
import { keepLog, type Line } from "./keep-log.ts";
import { TextConnection } from "./raw-connection.ts";

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
  const { log, lines } = keepLog();
  const listener = httpListener({ handler, limits, log });
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

/** A client of raw text. */
export class Client extends TextConnection {
  static to(port: number, options: { allowHalfOpen?: boolean } = {}): Promise<Client> {
    return Client.open({ port, host: "127.0.0.1", ...options });
  }
}

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
