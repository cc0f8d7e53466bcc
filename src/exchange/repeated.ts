// Clients send nearly the same request again and again on a kept connection: what a gateway made of the part that does not
// change can be kept with the connection, and need not be made again.
import type { RequestHead } from "./exchange.ts";

/** What requests with the very same fields on one connection have in common, and what was made of it. */
export class Repeated {
  readonly #of: RequestHead;
  /** By which number each of those who were told of it knows it. */
  readonly numbers: Map<object, number> = new Map();
  /** What an access log writes of it. */
  access: AccessParts | undefined;
  /** One of them as trusted proxies describe it: the others differ from it as they differ from each other. */
  forwarded: RequestHead | undefined;

  /** `request` is the first of them. */
  constructor(request: RequestHead) {
    this.#of = request;
  }

  /** Whether `request` is one of them: not a copy with another client, or with other fields. */
  isFor(request: RequestHead): boolean {
    const first = this.#of;
    return (
      request.headers === first.headers &&
      request.remote === first.remote &&
      request.local === first.local &&
      request.scheme === first.scheme &&
      request.authority === first.authority &&
      request.tls === first.tls &&
      request.user === first.user
    );
  }
}

/** Parts of a line of an access log, escaped. */
export interface AccessParts {
  readonly client: string;
  /** Referer and user agent, each in quotes. */
  readonly fields: string;
}

/** What was kept of requests before this one that had the same fields. */
export const repeatedOf = (request: RequestHead): Repeated | undefined =>
  request.repeated?.isFor(request) ? request.repeated : undefined;
