// A Request that Node makes at once, for Node 24 and later, where none of its parts can be made late.
// Tested by test/apps/fetch-request.test.ts.
import type { Exchange } from "../exchange/index.ts";
import {
  bodyInit,
  carriesBody,
  clonedOf,
  type ExchangeRequest,
  leaveSignal,
  pairsOf,
  type RequestMaker,
} from "./fetch-parts.ts";
import { urlOf } from "./fetch-url.ts";

export const wholeRequest: RequestMaker = (exchange, origin, method) =>
  new WholeRequest(exchange, origin, method);

/** Only the signal is made on first use: making it costs as much as the Request itself. */
class WholeRequest extends Request implements ExchangeRequest {
  readonly #exchange: Exchange;
  #signal: AbortSignal | undefined;

  constructor(exchange: Exchange, origin: string, method: string) {
    const { request } = exchange;
    const init = { method, headers: pairsOf(request.headers) };
    super(urlOf(origin, request), carriesBody(exchange, method) ? { ...init, ...bodyInit(exchange) } : init);
    this.#exchange = exchange;
  }

  // @ts-expect-error: the types say property; in the standard, and in node, it is an accessor of the prototype.
  override get signal(): AbortSignal {
    this.#signal ??= leaveSignal(this.#exchange);
    return this.#signal;
  }

  // @ts-expect-error: as above; it is a method.
  override clone(): Request {
    return clonedOf(Request.prototype.clone.call(this), this.signal);
  }

  get ip(): string {
    return this.#exchange.request.remote.address;
  }
}
