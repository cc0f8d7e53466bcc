// The parts of a Request of the Fetch standard, out of an exchange.
// Tested by test/apps/fetch-request.test.ts.
import type { Exchange, Headers as Fields } from "../exchange/index.ts";

/** A true Request, with the client's address besides. */
export interface ExchangeRequest extends Request {
  readonly ip: string;
}

/** `origin` is that of the URL; `method` is written as the standard writes it. */
export type RequestMaker = (exchange: Exchange, origin: string, method: string) => ExchangeRequest;

export function pairsOf(fields: Fields): [string, string][] {
  const pairs: [string, string][] = [];
  for (let i = 0; i < fields.length; i += 2) pairs.push([fields[i] as string, fields[i + 1] as string]);
  return pairs;
}

/** In the standard, GET and HEAD have no body. */
export const carriesBody = ({ body }: Exchange, method: string): boolean =>
  body.length !== 0 && method !== "GET" && method !== "HEAD";

/** The options that give a Request its body. */
export function bodyInit(exchange: Exchange): RequestInit {
  const { whole } = exchange.body;
  if (whole) return { body: whole as Uint8Array<ArrayBuffer> };
  return { body: bodyStream(exchange), duplex: "half" };
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

/** Aborts when the client leaves before the response is complete, or gets another one, as when the application's time is over. */
export function leaveSignal(exchange: Exchange): AbortSignal {
  const controller = new AbortController();
  exchange.whenClosed(({ complete, failure }) => {
    if (!complete || failure) controller.abort();
  });
  return controller.signal;
}

/** A clone whose signal follows ours: Node's would follow a signal that never aborts. */
export const clonedOf = (clone: Request, signal: AbortSignal): Request => new Request(clone, { signal });
