// A FastCGI listener on a real socket, and a raw web server that says exactly what a test wants said.
import { once } from "node:events";
import { type AddressInfo, createServer, type Socket } from "node:net";
import type { TestContext } from "node:test";
import type { Handler, Listener } from "../../../src/exchange/index.ts";
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
import { bodyText, head } from "../../kit/handlers.ts";
import { keepLog, type Line } from "../../kit/keep-log.ts";
import { RawConnection } from "../../kit/raw-connection.ts";

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
  const { log, lines } = keepLog();
  const accepted: Socket[] = [];
  const linted: Handler = (exchange) => handler(new LintedExchange(exchange));
  const listener = fastcgiListener({ handler: linted, log, ...options });
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

/** A connection to an application; what comes is kept by request id. Its state is "broken" after what is no record. */
export class WebServer extends RawConnection {
  /** Types of management records that came, with their content. */
  readonly management: { type: number; content: Buffer }[] = [];
  readonly #answers = new Map<number, Answer>();
  readonly #reader = new RecordReader("UPSTREAM_BROKEN");

  static to(port: number): Promise<WebServer> {
    return WebServer.open({ port, host: "127.0.0.1", allowHalfOpen: true });
  }

  answer(id = 1): Answer {
    const answer = this.#answers.get(id) ?? { stdout: "", stderr: "", stdoutEnded: false, end: undefined };
    this.#answers.set(id, answer);
    return answer;
  }

  /** Forgets what came for an id, so that it can be used again. */
  again(id = 1): this {
    this.#answers.delete(id);
    return this;
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

  protected override read(chunk: Buffer): void {
    try {
      this.#take(chunk);
    } catch {
      this.state ||= "broken";
    }
  }

  #take(chunk: Buffer): void {
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

/** Answers with method, path, mount and body. */
export const echo: Handler = (exchange) => {
  bodyText(exchange).then(
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
