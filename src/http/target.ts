// The request target and its host (RFC 9112, 3.2; RFC 3986, 3.2.2).
// Tested by test/protocols/http1/codec.test.ts.
import { isIPv6 } from "node:net";
import { SallyportError } from "../exchange/index.ts";

export interface RequestTarget {
  readonly path: string;
  readonly query: string;
  /** The authority of an absolute-form target; undefined for the other forms. */
  readonly authority: string | undefined;
}

/** Visible ASCII without "#": a fragment is never sent (RFC 9112, 3.2), and anything else must be percent-encoded. */
const TARGET = /^[\x21\x22\x24-\x7e]+$/;
const ABSOLUTE = /^https?:\/\/([^/?]*)(.*)$/i;
const NAMED_HOST = /^(?:[0-9A-Za-z\-._~!$&'()*+,;=]|%[0-9A-Fa-f]{2})+(?::(\d*))?$/;
const LITERAL_HOST = /^\[([0-9A-Fa-f:.]+|v[0-9A-Fa-f]+\.[0-9A-Za-z\-._~!$&'()*+,;=:]+)\](?::(\d*))?$/;

const bad = (why: string): SallyportError => new SallyportError("BAD_REQUEST", why);

export function readTarget(method: string, target: string): RequestTarget {
  if (!TARGET.test(target)) throw bad("a character in the request target that must be percent-encoded");
  if (target.charCodeAt(0) === 0x2f) return split(target, undefined);
  if (target === "*") {
    if (method !== "OPTIONS") throw bad("the target * with a method other than OPTIONS");
    return { path: "*", query: "", authority: undefined };
  }
  return readAbsolute(method, target);
}

function readAbsolute(method: string, target: string): RequestTarget {
  const [, authority, rest] = ABSOLUTE.exec(target) ?? [];
  if (authority === undefined || rest === undefined) throw bad("a request target of no known form");
  if (authority === "" || !isHost(authority)) throw new SallyportError("BAD_HOST", "a malformed target host");
  // RFC 9112, 3.2.4: OPTIONS with an empty path asks for the server as a whole.
  if (rest === "" && method === "OPTIONS") return { path: "*", query: "", authority };
  return split(rest.startsWith("/") ? rest : `/${rest}`, authority);
}

function split(target: string, authority: string | undefined): RequestTarget {
  const mark = target.indexOf("?");
  if (mark < 0) return { path: target, query: "", authority };
  return { path: target.slice(0, mark), query: target.slice(mark + 1), authority };
}

/** Whether `value` is a valid Host field: empty, or a host with an optional port (no userinfo, no path). */
export function isHost(value: string): boolean {
  if (value === "") return true;
  const named = NAMED_HOST.exec(value);
  if (named) return isPort(named[1]);
  const literal = LITERAL_HOST.exec(value);
  if (!literal) return false;
  const [, address, port] = literal as unknown as [string, string, string | undefined];
  return isPort(port) && (/^v/i.test(address) || isIPv6(address));
}

const isPort = (port: string | undefined): boolean => port === undefined || Number(port) <= 65_535;
