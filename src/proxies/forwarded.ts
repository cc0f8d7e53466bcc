// Proxies in front of us that speak HTTP: what trusted ones say of the client in Forwarded (RFC 7239) or X-Forwarded-*
// takes the place of what we see of the connection, before any app does. From others those headers are taken away (L4).
import {
  type Exchange,
  type Headers,
  Repeated,
  type RequestHead,
  repeatedOf,
  SallyportError,
} from "../exchange/index.ts";
import { applySaid } from "./apply.ts";
import type { Trusted } from "./trust.ts";
import { type ForwardedFacts, type ForwardedOutcome, saidByForwarded, saidByXForwarded } from "./walk.ts";

/** The headers that may be honoured. */
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

/** Makes the exchange's request what is true of the client. Throws BAD_REQUEST or BAD_HOST for what cannot be. */
export type ApplyForwarded = (exchange: Exchange) => void;

/** `names` are honoured where the peer is `trusted`; the others of them nobody sees. */
export function forwarding(trusted: Trusted, names: readonly ForwardedHeader[]): ApplyForwarded {
  const honour = honouring(trusted, names);
  return (exchange) => {
    const { request } = exchange;
    const repeated = repeatedOf(request);
    if (!repeated) return void honour(exchange);
    const { forwarded } = repeated;
    if (forwarded) exchange.request = alike(request, forwarded);
    else if (honour(exchange)) keep(exchange, repeated);
  };
}

/** Honours once. Whether it comes to the same for any request of this connection that has the same fields. */
function honouring(trusted: Trusted, names: readonly ForwardedHeader[]): (exchange: Exchange) => boolean {
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
    const said = agreed(saidByForwarded(found, remote, trusted), saidByXForwarded(found, remote, trusted));
    if (said) applySaid(exchange, said);
    // A prefix becomes part of the path.
    return said?.prefix === undefined;
  };
}

/** For the requests that follow; what is made of them may be kept in turn. */
function keep(exchange: Exchange, repeated: Repeated): void {
  if (repeatedOf(exchange.request) !== repeated)
    exchange.request = { ...exchange.request, repeated: new Repeated(exchange.request) };
  repeated.forwarded = exchange.request;
}

/** `request`, whose fields are those that `honoured` had, as proxies describe it. */
function alike(request: RequestHead, honoured: RequestHead): RequestHead {
  if (request.repeated === honoured.repeated) return request; // they say nothing
  const { method, target, path, query, version } = request;
  return { ...honoured, method, target, path, query, version };
}

/** One of those above, or another that an app could take for a proxy's word. */
type Kind = ForwardedHeader | "other";

const kinds = new Map<string, Kind | undefined>();
/** Clients choose names; whoever invents many only makes the table start again. */
const MOST_NAMES = 256;

/** Of a header's name as it was sent; undefined for one that says nothing of this. */
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
/** An underscore may pass for a hyphen (C2), but not with us. */
const FORWARDING = /^(?:forwarded|x[-_]forwarded(?:[-_].*)?|x[-_]real[-_]ip)$/;

function newKind(name: string): Kind | undefined {
  if (!FORWARDING.test(name)) return undefined;
  return FORWARDED.find((known) => known === name) ?? "other";
}

/** The lines of each, or undefined when there is none. */
function find(headers: Headers): ForwardedOutcome | undefined {
  let found: ForwardedOutcome | undefined;
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
 * A proxy sets one kind and passes the other on as the client sent it; which, we cannot know. So where both came they
 * must say the same.
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
