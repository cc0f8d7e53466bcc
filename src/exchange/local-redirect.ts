// A local redirect (RFC 3875, 6.2.2): the same exchange, answered again for another path.
// Tested by test/cgi/socket/gateway.test.ts.
import { NO_BODY } from "./body.ts";
import { SallyportError } from "./errors.ts";
import type { Exchange, RequestBody, RequestFacts, RequestHead } from "./exchange.ts";
import type { Headers } from "./headers.ts";
import { WrappedExchange } from "./wrapped-exchange.ts";

/** Redirects of one request before it counts as a loop. */
const DEPTH_LIMIT = 10;

/** The request as the client made it. */
export function firstRequest(request: RequestHead): RequestHead {
  let first = request;
  while (first.redirectedFrom) first = first.redirectedFrom;
  return first;
}

function redirectsBefore({ redirectedFrom }: RequestHead): number {
  return redirectedFrom ? 1 + redirectsBefore(redirectedFrom) : 0;
}

/** Fields of the body, which is not sent again, and conditions on the original resource. */
const DROPPED: ReadonlySet<string> = new Set([
  "content-length",
  "content-type",
  "content-encoding",
  "transfer-encoding",
  "expect",
  "range",
  "if-match",
  "if-none-match",
  "if-modified-since",
  "if-unmodified-since",
  "if-range",
]);

/**
 * A GET (or HEAD) without a body for `target`, path and query, that answers the client of `exchange`.
 * Throws CGI_REDIRECT_LOOP.
 */
export function localRedirect(exchange: Exchange, target: string): Exchange {
  if (redirectsBefore(exchange.request) >= DEPTH_LIMIT)
    throw new SallyportError("CGI_REDIRECT_LOOP", `${DEPTH_LIMIT} local redirects, the last to ${target}`);
  const request = redirectedHead(exchange.request, target);
  exchange.body.discard();
  return new RedirectedExchange(exchange, request);
}

function redirectedHead(original: RequestHead, target: string): RequestHead {
  const mark = target.indexOf("?");
  return {
    ...original,
    redirectedFrom: original,
    method: original.method === "HEAD" ? "HEAD" : "GET",
    target,
    path: mark < 0 ? target : target.slice(0, mark),
    query: mark < 0 ? "" : target.slice(mark + 1),
    headers: withoutDropped(original.headers),
  };
}

function withoutDropped(headers: Headers): Headers {
  const rest: string[] = [];
  for (let i = 0; i < headers.length; i += 2) {
    const name = headers[i] as string;
    if (!DROPPED.has(name.toLowerCase())) rest.push(name, headers[i + 1] as string);
  }
  return rest;
}

/** What was found out about the first request does not hold for the new path: a FastCGI authorizer is asked again. */
class RedirectedExchange extends WrappedExchange {
  override readonly body: RequestBody = NO_BODY;
  override readonly handshake: undefined = undefined;
  #facts: RequestFacts | undefined;

  constructor(original: Exchange, request: RequestHead) {
    super(original);
    this.request = request;
    this.mount = "";
  }

  override get facts(): RequestFacts | undefined {
    return this.#facts;
  }

  override set facts(facts: RequestFacts | undefined) {
    this.#facts = facts;
  }
}
