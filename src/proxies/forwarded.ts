// HTTP proxies in front of us: the client's facts in the Forwarded (RFC 7239) or X-Forwarded-* headers of trusted ones
// replace those of our own connection before an app sees the request. From other peers we remove these headers (L4).
import {
  type Exchange,
  type Headers,
  Repeated,
  type RequestHead,
  repeatedOf,
  SallyportError,
} from "../exchange/index.ts";
import { applyFacts } from "./apply.ts";
import type { Trusted } from "./trust.ts";
import { type ForwardedFacts, type ForwardedLines, factsOfForwarded, factsOfXForwarded } from "./walk.ts";

/** The headers that may be applied. */
export const FORWARDED = [
  "forwarded",
  "x-forwarded-for",
  "x-forwarded-proto",
  "x-forwarded-host",
  "x-forwarded-port",
  "x-forwarded-prefix",
] as const;
export type ForwardedHeader = (typeof FORWARDED)[number];

/** All but the one that few proxies set, so that mostly a client would have. */
export const FORWARDED_FIELDS: readonly ForwardedHeader[] = FORWARDED.filter(
  (name) => name !== "x-forwarded-prefix",
);

/** Makes the exchange's request describe the client. Throws BAD_REQUEST or BAD_HOST for impossible values. */
export type ApplyForwarded = (exchange: Exchange) => void;

/** Applies the headers `names` of `trusted` peers, and removes the other ones. */
export function forwarding(trusted: Trusted, names: readonly ForwardedHeader[]): ApplyForwarded {
  const apply = applying(trusted, names);
  return (exchange) => {
    const { request } = exchange;
    const repeated = repeatedOf(request);
    if (!repeated) return void apply(exchange);
    const { forwarded } = repeated;
    if (forwarded) exchange.request = sameFacts(request, forwarded);
    else if (apply(exchange)) keep(exchange, repeated);
  };
}

/** Applies once. Returns whether the result holds for every request of this connection with the same fields. */
function applying(trusted: Trusted, names: readonly ForwardedHeader[]): (exchange: Exchange) => boolean {
  const ignored = FORWARDED.filter((name) => !names.includes(name));
  return (exchange) => {
    const { headers, remote } = exchange.request;
    const found = find(headers);
    if (!found) return true;
    if (!trusted(remote)) {
      drop(exchange, (kind) => kind !== undefined);
      return true;
    }
    const unwanted = ignored.filter((name) => found.delete(name));
    if (unwanted.length > 0) drop(exchange, (kind) => unwanted.some((name) => name === kind));
    const facts = agreed(factsOfForwarded(found, remote, trusted), factsOfXForwarded(found, remote, trusted));
    if (facts) applyFacts(exchange, facts);
    // A prefix becomes part of the path.
    return facts?.prefix === undefined;
  };
}

/** For the following requests, whose derived values may be kept in turn. */
function keep(exchange: Exchange, repeated: Repeated): void {
  if (repeatedOf(exchange.request) !== repeated)
    exchange.request = { ...exchange.request, repeated: new Repeated(exchange.request) };
  repeated.forwarded = exchange.request;
}

/** `request` with the facts that proxies gave for `forwarded`, which had the same fields. */
function sameFacts(request: RequestHead, forwarded: RequestHead): RequestHead {
  if (request.repeated === forwarded.repeated) return request; // the headers gave none
  const { method, target, path, query, version } = request;
  return { ...forwarded, method, target, path, query, version };
}

/** One of the headers above, or another that an app could take for a proxy's. */
type Kind = ForwardedHeader | "other";

const kinds = new Map<string, Kind | undefined>();
/** Clients choose names: one that invents many only empties the table. */
const MOST_NAMES = 256;

/** The kind of a header by its name as it was sent; undefined for all that do not matter here. */
function kindOf(name: string): Kind | undefined {
  const first = name.charCodeAt(0) | 0x20;
  if ((first !== X && first !== F) || name.length < SHORTEST) return undefined;
  if (!kinds.has(name)) {
    if (kinds.size >= MOST_NAMES) kinds.clear();
    kinds.set(name, newKind(name.toLowerCase()));
  }
  return kinds.get(name);
}

const X = 0x78;
const F = 0x66;
const SHORTEST = "forwarded".length;
/** An app may read an underscore as a hyphen (C2). */
const FORWARDING = /^(?:forwarded|x[-_]forwarded(?:[-_].*)?|x[-_]real[-_]ip)$/;

function newKind(name: string): Kind | undefined {
  if (!FORWARDING.test(name)) return undefined;
  return FORWARDED.find((known) => known === name) ?? "other";
}

/** The lines of each, or undefined when there is none. */
function find(headers: Headers): ForwardedLines | undefined {
  let found: ForwardedLines | undefined;
  for (let i = 0; i < headers.length; i += 2) {
    const kind = kindOf(headers[i] as string);
    if (kind === undefined) continue;
    found ??= new Map();
    const lines = found.get(kind);
    if (lines) lines.push(headers[i + 1] as string);
    else found.set(kind, [headers[i + 1] as string]);
  }
  return found;
}

function drop(exchange: Exchange, drops: (kind: Kind | undefined) => boolean): void {
  const { request } = exchange;
  const headers = request.headers.filter((_, i, all) => !drops(kindOf(all[i - (i % 2)] as string)));
  exchange.request = { ...request, headers };
}

/**
 * A proxy sets one kind of header and may pass the other on as the client sent it; we cannot know which. So where both
 * came they must agree.
 */
function agreed(
  forwarded: ForwardedFacts | undefined,
  others: ForwardedFacts | undefined,
): ForwardedFacts | undefined {
  if (!forwarded || !others) return others ?? forwarded;
  for (const part of ["client", "proto", "host"] as const)
    if (textOf(forwarded[part]) !== textOf(others[part]))
      throw new SallyportError(
        "BAD_REQUEST",
        `Forwarded and X-Forwarded-* contradict each other about the ${part}; name those that your proxy sets in \`forwarded\` of the configuration`,
      );
  return others;
}

const textOf = (part: ForwardedFacts["client" | "host"]): string | undefined =>
  typeof part === "object" ? part.address : part?.toLowerCase();
