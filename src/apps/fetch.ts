// Answers exchanges with a fetch handler in this process, `(request: Request) => Response`: Hono, h3, or a function.
import type { IncomingMessage } from "node:http";
import type { Socket } from "node:net";
import { type Address, type Exchange, type Gateway, silentLog, statusInProcess } from "../exchange/index.ts";
import { checkArgument, checkOptions, isClass, must } from "../options/checks.ts";
import { failWithAppError } from "./app-error.ts";
import { headWithin } from "./deadline.ts";
import { fetchRequest } from "./fetch-request.ts";
import { answerWith } from "./fetch-response.ts";
import { APP_CHECKS, type AppOptions, exchangeSocket } from "./node.ts";
import type { ExchangeSocket } from "./node-socket.ts";

/** Facts that no Request has, given as the second argument (Hono's `c.env`). */
export interface FetchFacts {
  readonly remote: Address;
  readonly local: Address;
  /** The part of the URL's path that led here; the URL keeps it. "" at the root. */
  readonly mount: string;
  /** As much of node's request as `getConnInfo` of @hono/node-server reads: the connection. */
  readonly incoming: Pick<IncomingMessage, "socket">;
}

export type FetchFunction = (request: Request, facts: FetchFacts) => Response | Promise<Response>;

/** An object with a fetch method: what Hono, h3 and others export. */
export interface FetchObject {
  fetch: FetchFunction;
}

const aFetchHandler = must(
  "a function (request) => Response, or an object with such a method fetch (Hono, h3)",
  (value) =>
    typeof value === "function"
      ? !isClass(value)
      : typeof (value as FetchObject | null)?.fetch === "function",
);

/**
 * A gateway to a fetch handler. Its errors and rejections are APP_RAISED, anything but a Response is APP_PROTOCOL; a
 * body stream that fails after the head is a visible cut. `request.signal` aborts when the client leaves, and when
 * the server answers instead (after `timeout`: 504).
 */
export function fetchApp(app: FetchFunction | FetchObject, options: AppOptions = {}): Gateway {
  checkArgument("fetchApp()", "the first argument", app, aFetchHandler);
  checkOptions("fetchApp()", options, APP_CHECKS, "{ timeout: 30 }");
  const log = options.log ?? silentLog;
  const fetch: FetchFunction =
    typeof app === "function" ? app : (request, facts) => app.fetch(request, facts);
  return {
    status: () => statusInProcess("fetch"),
    handle(exchange) {
      exchange.trace?.handedOver();
      headWithin(exchange, options.timeout);
      const answer = (response: unknown) => answerWith(exchange, response, log);
      const failed = (error: unknown) => failWithAppError(exchange, error, log);
      try {
        const result: unknown = fetch(fetchRequest(exchange), new ExchangeFacts(exchange));
        if (isThenable(result)) result.then(answer).then(undefined, failed);
        else answer(result);
      } catch (error) {
        failed(error);
      }
    },
  };
}

const isThenable = (value: unknown): value is Promise<unknown> =>
  typeof (value as Partial<Promise<unknown>> | null | undefined)?.then === "function";

class ExchangeFacts implements FetchFacts {
  readonly remote: Address;
  readonly local: Address;
  readonly mount: string;
  readonly #exchange: Exchange;
  #socket: ExchangeSocket | undefined;

  constructor(exchange: Exchange) {
    this.remote = exchange.request.remote;
    this.local = exchange.request.local;
    this.mount = exchange.mount;
    this.#exchange = exchange;
  }

  /** Few apps ask for it. */
  get incoming(): Pick<IncomingMessage, "socket"> {
    this.#socket ??= exchangeSocket(this.#exchange);
    return { socket: this.#socket as unknown as Socket };
  }
}
