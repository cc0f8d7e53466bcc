// A hop over HTTP/2: what comes in as an exchange goes on as a request of node:http2's client, which knows nothing of us.
import {
  type ClientHttp2Session,
  type ClientHttp2Stream,
  connect,
  type IncomingHttpHeaders,
  type IncomingHttpStatusHeader,
  type OutgoingHttpHeaders,
} from "node:http2";
import {
  type Exchange,
  type Gateway,
  type Headers,
  HOP_BY_HOP,
  type ResponseHead,
  SallyportError,
} from "../../src/exchange/index.ts";

type Fields = IncomingHttpHeaders & IncomingHttpStatusHeader;

/** Asks the server at `address` (HOST:PORT), each time on the same connection. */
export function http2Hop(address: string): Gateway {
  const session = connect(`http://${address}`);
  // Streams tell it, too.
  session.on("error", () => {});
  return {
    handle: (exchange) => new Hop(exchange, session).begin(),
    close: async () => session.destroy(),
  };
}

class Hop {
  readonly #exchange: Exchange;
  readonly #stream: ClientHttp2Stream;
  #trailers: Headers = [];

  constructor(exchange: Exchange, session: ClientHttp2Session) {
    const { length } = exchange.body;
    this.#exchange = exchange;
    this.#stream = session.request(requestFields(exchange), {
      endStream: length === 0,
      waitForTrailers: length !== 0,
    });
  }

  begin(): void {
    const exchange = this.#exchange;
    const stream = this.#stream;
    stream.on("headers", ({ ":status": status }: Fields, _, fields?: Headers) => {
      // To read the body is to say 100 to the client.
      if (status === 100) void this.#send();
      else exchange.inform(headOf(status, fields));
    });
    stream.on("response", ({ ":status": status }: Fields, _, fields?: Headers) =>
      this.#answer(headOf(status, fields)),
    );
    stream.on("trailers", (_, _flags, fields: Headers = []) => {
      this.#trailers = fields;
    });
    stream.on("wantTrailers", () => stream.sendTrailers(objectOf(exchange.body.trailers)));
    stream.on("error", () => {});
    stream.on("close", () => this.#closed());
    exchange.whenClosed(({ complete }) => complete || stream.close(8));
    if (!expects(exchange)) void this.#send();
  }

  #answer(head: ResponseHead): void {
    const exchange = this.#exchange;
    const stream = this.#stream;
    exchange.start(head);
    stream.on("data", (chunk: Buffer) => {
      if (exchange.write(chunk)) return;
      stream.pause();
      exchange.whenDrained(() => stream.resume());
    });
    stream.on("end", () => this.#end());
  }

  /** node:http2 emits the end of a stream, whether it was reset or not. */
  #end(): void {
    if (this.#stream.rstCode === 0 && !this.#stream.aborted) this.#exchange.end(this.#trailers);
  }

  #closed(): void {
    if (!this.#exchange.closed && this.#stream.rstCode !== 0)
      this.#exchange.fail(new SallyportError("UPSTREAM_BROKEN", "the stream was reset"));
  }

  async #send(): Promise<void> {
    const { body } = this.#exchange;
    const stream = this.#stream;
    try {
      for (let piece = await body.read(); piece && stream.writable; piece = await body.read())
        if (!stream.write(piece)) await new Promise((resolve) => stream.once("drain", resolve));
      stream.end();
    } catch {
      stream.close(8);
    }
  }
}

const expects = ({ request }: Exchange): boolean =>
  request.headers.some((field, i) => i % 2 === 0 && field.toLowerCase() === "expect");

const headOf = (status = 0, fields: Headers = []): ResponseHead => ({
  status,
  reason: "",
  headers: fields.filter((_, i) => !fields[i - (i % 2)]?.startsWith(":")),
});

function requestFields({ request }: Exchange): OutgoingHttpHeaders {
  const { method, target, authority, headers } = request;
  return { ":method": method, ":path": target, ":authority": authority, ...objectOf(headers) };
}

/** Names in lower case; `te` is the only field of a connection that has a place in HTTP/2. */
function objectOf(headers: Headers): OutgoingHttpHeaders {
  const fields: Record<string, string[]> = {};
  for (let i = 0; i < headers.length; i += 2) {
    const name = (headers[i] as string).toLowerCase();
    if (name === "host" || (HOP_BY_HOP.has(name) && name !== "te")) continue;
    fields[name] = [...(fields[name] ?? []), headers[i + 1] as string];
  }
  return fields;
}
