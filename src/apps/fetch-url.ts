// The URL of a Request, as the URL standard writes it.
import { type Exchange, SallyportError } from "../exchange/index.ts";

type Head = Exchange["request"];

const AUTHORITY = /^[^\s/?#@\\]+$/;
/** Paths and queries that the URL standard leaves as they are, except for dot segments, which are looked for as well. */
const PLAIN_PATH = /^\/[\w!$%&'()*+,\-./:;=@[\]~]*$/;
const PLAIN_QUERY = /^[\w!$%&()*+,\-./:;=?@[\]~]*$/;
const DOTS = /\/(?:\.|%2e)/i;

/** The last request's scheme and authority with their origin: the next one nearly always has the same. */
let last = { scheme: "", authority: "", origin: "" };

/** "https://example.org:8443". Throws BAD_HOST. */
export function originOf({ scheme, authority, local }: Head): string {
  const named = authority || nameOf(local);
  if (last.authority !== named || last.scheme !== scheme)
    last = { scheme, authority: named, origin: readOrigin(scheme, named) };
  return last.origin;
}

function readOrigin(scheme: string, authority: string): string {
  const url = `${scheme}://${authority}/`;
  if (AUTHORITY.test(authority) && URL.canParse(url)) return new URL(url).origin;
  throw new SallyportError("BAD_HOST", `no URL can be made with the host ${JSON.stringify(authority)}`);
}

/** The address that the client connected to, when it named no host (HTTP/1.0). */
function nameOf({ address, port }: Head["local"]): string {
  if (port === 0) return "localhost";
  return `${address.includes(":") ? `[${address}]` : address}:${port}`;
}

/** The whole URL of a request whose origin is known. */
export function urlOf(origin: string, { path, query }: Head): string {
  // The target of OPTIONS may be "*", which is no path.
  const rooted = path.startsWith("/") ? path : `/${path}`;
  const url = query ? `${origin}${rooted}?${query}` : origin + rooted;
  const plain = PLAIN_PATH.test(rooted) && PLAIN_QUERY.test(query) && !DOTS.test(rooted);
  return plain ? url : new URL(url).href;
}
