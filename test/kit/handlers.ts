// What tests answer exchanges with.
import type { Exchange, Handler, Outcome, ResponseHead } from "../../src/exchange/index.ts";

export const head = (status = 200, ...headers: string[]): ResponseHead => ({ status, reason: "", headers });

/** Trailers of which only X-Sum may be sent (RFC 9110, 6.5.1; RFC 9113, 8.2.2). */
export const BANNED_TRAILERS: readonly string[] = (
  "Content-Length 9 Transfer-Encoding chunked Trailer X-A Content-Type text/html Host evil Set-Cookie a=b Location / Date x " +
  "WWW-Authenticate Basic TE x HTTP2-Settings AAA Connection close Keep-Alive x Upgrade h2c Proxy-Connection x X-Sum 2"
).split(" ");

/** The whole body of the request; rejects with the error that ended it. */
export async function bodyBytes({ body }: Pick<Exchange, "body">): Promise<Buffer> {
  const pieces: Uint8Array[] = [];
  for (let piece = await body.read(); piece; piece = await body.read()) pieces.push(piece);
  return Buffer.concat(pieces);
}

/** The same, as latin-1. */
export const bodyText = async (exchange: Pick<Exchange, "body">): Promise<string> =>
  (await bodyBytes(exchange)).toString("latin1");

export const outcomeOf = (exchange: Exchange): Promise<Outcome> =>
  new Promise((resolve) => exchange.whenClosed(resolve));

/** A handler whose exchanges a test takes one by one. */
export interface ExchangeQueue {
  readonly handler: Handler;
  /** The next exchange, past or future, in order. */
  next(): Promise<Exchange>;
  /** How many there were. */
  readonly count: number;
}

export function queue(): ExchangeQueue {
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
