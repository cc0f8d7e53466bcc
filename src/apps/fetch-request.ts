// A Request of the Fetch standard made of an exchange; nothing that the app may not need is made before it asks.
import { type Exchange, SallyportError } from "../exchange/index.ts";

const AUTHORITY = /^[^\s/?#@\\]+$/;
/** Methods that the Fetch standard keeps out of every Request (2.2.1). */
const FORBIDDEN: ReadonlySet<string> = new Set(["CONNECT", "TRACE", "TRACK"]);

/**
 * What the app gets: a true Request, with two additions. `ip` is the client's address. `signal` aborts when the
 * client leaves; it is made at the first look, since one per request would cost three times the Request itself.
 */
export class ExchangeRequest extends Request {
  readonly #exchange: Exchange;
  #signal: AbortSignal | undefined;

  constructor(exchange: Exchange, url: string, init: RequestInit) {
    super(url, init);
    this.#exchange = exchange;
  }

  // @ts-expect-error: the types say property; in the standard, and in node, it is an accessor of the prototype.
  override get signal(): AbortSignal {
    this.#signal ??= leaveSignal(this.#exchange);
    return this.#signal;
  }

  get ip(): string {
    return this.#exchange.request.remote.address;
  }
}

/** Throws a SallyportError (BAD_HOST, BAD_REQUEST, METHOD_NOT_ALLOWED) for what no Request can express. */
export function fetchRequest(exchange: Exchange): ExchangeRequest {
  const { method } = exchange.request;
  if (FORBIDDEN.has(method.toUpperCase()))
    throw new SallyportError("METHOD_NOT_ALLOWED", `a fetch app cannot be asked with the method ${method}`);
  const url = urlOf(exchange);
  try {
    return new ExchangeRequest(exchange, url, initOf(exchange));
  } catch (cause) {
    if (!URL.canParse(url)) throw badHost(exchange.request.authority);
    throw new SallyportError("BAD_REQUEST", `no Request can be made of it: ${(cause as Error).message}`, {
      cause,
    });
  }
}

const badHost = (authority: string): SallyportError =>
  new SallyportError("BAD_HOST", `no URL can be made with the host ${JSON.stringify(authority)}`);

function urlOf({ request }: Exchange): string {
  const authority = request.authority || nameOf(request.local);
  if (!AUTHORITY.test(authority)) throw badHost(authority);
  return `${request.scheme}://${authority}${request.path}${request.query ? `?${request.query}` : ""}`;
}

/** The address that was called, for a client that named none (HTTP/1.0). */
function nameOf({ address, port }: Exchange["request"]["local"]): string {
  if (port === 0) return "localhost";
  return `${address.includes(":") ? `[${address}]` : address}:${port}`;
}

function initOf(exchange: Exchange): RequestInit {
  const { method, headers } = exchange.request;
  const pairs: [string, string][] = [];
  for (let i = 0; i < headers.length; i += 2) pairs.push([headers[i] as string, headers[i + 1] as string]);
  const init: RequestInit = { method, headers: pairs };
  const { body } = exchange;
  if (body.length === 0) return init;
  if (method === "GET" || method === "HEAD") {
    body.discard(); // The standard knows no such body.
    return init;
  }
  if (body.whole) return { ...init, body: body.whole as Uint8Array<ArrayBuffer> };
  return { ...init, body: bodyStream(exchange), duplex: "half" };
}

/** Pulls one piece from the exchange for each read; a high-water mark of 0, so that nothing is read ahead. */
function bodyStream({ body }: Exchange): ReadableStream<Uint8Array> {
  const pull = async (controller: ReadableStreamDefaultController<Uint8Array>): Promise<void> => {
    const chunk = await body.read();
    if (chunk) controller.enqueue(chunk);
    else controller.close();
  };
  return new ReadableStream({ pull, cancel: () => body.discard() }, { highWaterMark: 0 });
}

function leaveSignal(exchange: Exchange): AbortSignal {
  const controller = new AbortController();
  exchange.whenClosed(({ complete }) => {
    if (!complete) controller.abort();
  });
  return controller.signal;
}
