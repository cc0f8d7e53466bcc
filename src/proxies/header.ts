// The Forwarded header (RFC 7239, 4 to 6): a list of elements, in each of which one proxy describes the request it got.
// Tested by test/proxies/forwarded.test.ts.
import { type Address, SallyportError } from "../exchange/index.ts";
import { canonicalIp } from "../sockets/address.ts";

/** The facts that one proxy gives; undefined where it gives none. */
export interface Element {
  /** The address that sent it the request; undefined where it is missing or hidden (`unknown`, `_secret`). */
  readonly client: Address | undefined;
  readonly proto: string | undefined;
  readonly host: string | undefined;
}

/** Name and value: a token, or a quoted string with `\` before any of its characters (RFC 9110, 5.6). */
const PAIR =
  /([!#$%&'*+\-.^_`|~0-9A-Za-z]+)=(?:([!#$%&'*+\-.^_`|~0-9A-Za-z]+)|"((?:[\t \x21\x23-\x5b\x5d-\x7e\x80-\xff]|\\[\t \x21-\x7e\x80-\xff])*)")/y;
/** Between pairs. The grammar has no blanks there, but people write them. */
const BETWEEN = /[ \t]*([;,])[ \t]*/y;
const BLANK = /[ \t]*/y;

type Pairs = Map<string, string>;

/** The elements of all lines, as one list, in order; empty ones are left out. Throws BAD_REQUEST. */
export function readForwarded(lines: readonly string[]): Element[] {
  return lines.flatMap(readLine);
}

function readLine(line: string): Element[] {
  const elements: Pairs[] = [new Map()];
  let at = match(BLANK, line, 0)?.end ?? 0;
  while (at < line.length) {
    const pair = match(PAIR, line, at);
    if (pair) addPair(elements.at(-1) as Pairs, pair.groups);
    const between = match(BETWEEN, line, pair?.end ?? at);
    if (between?.groups[1] === ",") elements.push(new Map());
    const end = between?.end ?? match(BLANK, line, pair?.end ?? at)?.end ?? at;
    if (end === at || (!between && end < line.length)) throw malformed(line);
    at = end;
  }
  return elements.filter(({ size }) => size > 0).map(elementOf);
}

function match(
  pattern: RegExp,
  text: string,
  at: number,
): { groups: RegExpExecArray; end: number } | undefined {
  pattern.lastIndex = at;
  const groups = pattern.exec(text);
  return groups ? { groups, end: pattern.lastIndex } : undefined;
}

function addPair(pairs: Pairs, [, name = "", token, quoted = ""]: RegExpExecArray): void {
  const key = name.toLowerCase();
  if (pairs.has(key)) throw new SallyportError("BAD_REQUEST", `Forwarded says ${key} twice of one proxy`);
  pairs.set(key, token ?? quoted.replace(/\\(.)/gs, "$1"));
}

const elementOf = (pairs: Pairs): Element => ({
  client: clientOf(pairs.get("for")),
  proto: pairs.get("proto"),
  host: pairs.get("host"),
});

/** Node (RFC 7239, 6): a name, and perhaps a port. A name that is no address, and a hidden port, are ignored. */
const NODE = /^(?:\[([^\]]*)\]|([^:[\]]+))(?::(\d{1,5}|_[0-9A-Za-z._-]+))?$/;
const HIDDEN = /^(?:unknown|_[0-9A-Za-z._-]+)$/i;

function clientOf(node: string | undefined): Address | undefined {
  if (node === undefined) return undefined;
  const [, six, name = "", port = ""] = NODE.exec(node) ?? [];
  const address = canonicalIp(six ?? name);
  if (address !== undefined && isPort(port)) return { address, port: /^\d/.test(port) ? Number(port) : 0 };
  if (HIDDEN.test(name) && isPort(port)) return undefined;
  throw malformed(node);
}

const isPort = (port: string): boolean => !/^\d/.test(port) || Number(port) <= 65_535;

const malformed = (text: string): SallyportError =>
  new SallyportError("BAD_REQUEST", `a malformed Forwarded header: ${JSON.stringify(text)}`);
