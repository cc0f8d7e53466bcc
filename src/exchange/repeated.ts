// Clients send nearly the same request again and again on a persistent connection: the values that gateways derive from the
// part that does not change are cached with the connection.
// Tested by test/workers/common-parts.test.ts.
import type { RequestHead } from "./exchange.ts";
import { header } from "./headers.ts";

/** Requests with the very same fields on one connection: what they have in common, and the values derived from it. */
export class Repeated {
  /** The first of them. */
  readonly first: RequestHead;
  /** Whether they have a Content-Length. */
  readonly hasLength: boolean;
  /** The number by which each worker knows it. */
  readonly numbers: Map<object, number> = new Map();
  /** The parts of it in an access log. */
  access: AccessParts | undefined;
  /** One of them as trusted proxies describe it; the others differ from it only in the request line. */
  forwarded: RequestHead | undefined;

  constructor(first: RequestHead) {
    this.first = first;
    this.hasLength = header(first.headers, "content-length") !== undefined;
  }
}

/** Parts of a line of an access log, escaped. */
export interface AccessParts {
  readonly client: string;
  /** Referer and user agent, each in quotes. */
  readonly fields: string;
}

/** The cache of earlier requests with the same fields; undefined for a copy with another client, or with other fields. */
export function repeatedOf(request: RequestHead): Repeated | undefined {
  const { repeated } = request;
  if (repeated === undefined) return undefined;
  const { first } = repeated;
  const isAlike =
    request.headers === first.headers &&
    request.remote === first.remote &&
    request.local === first.local &&
    request.scheme === first.scheme &&
    request.authority === first.authority &&
    request.tls === first.tls &&
    request.user === first.user;
  return isAlike ? repeated : undefined;
}
