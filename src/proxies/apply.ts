// Puts what trusted proxies say of the client into every part of the request, so that all interfaces give the same facts.
// Tested by test/proxies/forwarded.test.ts.
import {
  type Address,
  type Exchange,
  type Headers,
  header,
  type RequestHead,
  SallyportError,
} from "../exchange/index.ts";
import { isHost } from "../http/target.ts";
import type { ForwardedFacts } from "./walk.ts";

/** Throws BAD_REQUEST or BAD_HOST. */
export function applyFacts(exchange: Exchange, facts: ForwardedFacts): void {
  const { request } = exchange;
  const remote = facts.client ?? request.remote;
  const place = placeOf(request, facts);
  // The request's TLS facts are those of the proxy's connection: the client's TLS ended at the proxy.
  exchange.request = place
    ? { ...request, ...place, headers: withHost(request.headers, place.authority), remote, tls: undefined }
    : { ...request, remote, tls: undefined };
  if (facts.prefix !== undefined) mountBelow(exchange, readPrefix(facts.prefix));
}

type Place = Pick<RequestHead, "scheme" | "authority" | "local">;

/** Undefined when the proxies did not say to what the client connected. */
function placeOf(request: RequestHead, { proto, host, port }: ForwardedFacts): Place | undefined {
  if (proto === undefined && host === undefined && port === undefined) return undefined;
  const scheme = proto === undefined ? request.scheme : readProto(proto);
  const authority = withPort(host === undefined ? request.authority : readHost(host), readPort(port), scheme);
  return { scheme, authority, local: reached(request.local, authority, scheme) };
}

const SCHEMES: ReadonlyMap<string, "http" | "https"> = new Map([
  ["http", "http"],
  ["https", "https"],
  // Traefik names the scheme of a WebSocket so.
  ["ws", "http"],
  ["wss", "https"],
]);
const PORTS = { http: "80", https: "443" } as const;

function readProto(proto: string): "http" | "https" {
  const scheme = SCHEMES.get(proto.toLowerCase());
  if (scheme) return scheme;
  throw bad(`a scheme that is none of ours: ${JSON.stringify(proto)}`);
}

function readHost(host: string): string {
  if (host !== "" && isHost(host)) return host;
  throw new SallyportError("BAD_HOST", `a proxy passed a malformed host on: ${JSON.stringify(host)}`);
}

function readPort(port: string | undefined): string | undefined {
  if (port === undefined || (/^\d{1,5}$/.test(port) && Number(port) >= 1 && Number(port) <= 65_535))
    return port;
  throw bad(`a malformed port: ${JSON.stringify(port)}`);
}

const PORT = /:(\d+)$/;

/** A port in a header of its own counts where the host has none. */
function withPort(host: string, port: string | undefined, scheme: "http" | "https"): string {
  if (port === undefined || host === "" || PORT.test(host) || port === PORTS[scheme]) return host;
  return `${host}:${port}`;
}

/** The address with the port that the client connected to. A Unix socket stays as it is: it has no port. */
function reached(local: Address, authority: string, scheme: "http" | "https"): Address {
  if (local.port === 0) return local;
  return { address: local.address, port: Number(PORT.exec(authority)?.[1] ?? PORTS[scheme]) };
}

/** The Host header must agree with the authority, as every interface passes it on. */
function withHost(headers: Headers, authority: string): Headers {
  const sent = header(headers, "host");
  if (authority === "" || sent === authority) return headers;
  if (sent === undefined) return ["Host", authority, ...headers];
  return headers.map((text, i, all) =>
    i % 2 === 1 && all[i - 1]?.toLowerCase() === "host" ? authority : text,
  );
}

/** Segments without escapes, none empty or of dots: they cannot lead elsewhere, and need no escaping in HTML. */
const PREFIX = /^(?:\/(?!\.{1,2}(?:\/|$))[0-9A-Za-z\-._~!$&()*+,;=:@]+)+$/;
const LONGEST_PREFIX = 1_024;

function readPrefix(prefix: string): string {
  const path = prefix.replace(/\/$/, "");
  if (path === "" || (path.length <= LONGEST_PREFIX && PREFIX.test(path))) return path;
  throw bad(`a prefix that is no plain path: ${JSON.stringify(prefix)}`);
}

/** The proxy has removed the prefix: for the app it is part of the mount. */
function mountBelow(exchange: Exchange, prefix: string): void {
  const { request, mount } = exchange;
  if (prefix === "" || request.path === "*") return;
  const path = prefix + request.path;
  const target = request.query === "" ? path : `${path}?${request.query}`;
  exchange.request = { ...request, path, target };
  exchange.mount = prefix + mount;
}

const bad = (why: string): SallyportError => new SallyportError("BAD_REQUEST", `a proxy passed on ${why}`);
