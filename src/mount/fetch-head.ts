// A request head from a Request of the Fetch standard, and from what its host adds.
// Tested by test/mount/fetch.test.ts.
import type { IncomingMessage } from "node:http";
import {
  type Address,
  type Headers,
  isFieldValue,
  isToken,
  type RequestHead,
  SallyportError,
} from "../exchange/index.ts";
import { readExpectation } from "../http/expectation.ts";
import { isHost } from "../http/target.ts";
import { isBelow } from "./options.ts";

/**
 * Facts that no Request has. Hosts pass those that they know: Hono's `c.env` on node has `incoming`, Sallyport's own fetch apps
 * get `remote` and `local`.
 */
export interface FetchContext {
  /** The client's address. */
  readonly remote?: Address | string | undefined;
  /** The server's address. */
  readonly local?: Address | undefined;
  /** node's request, whose socket has both. */
  readonly incoming?: FetchConnection | undefined;
}

export type FetchConnection = Pick<IncomingMessage, "socket"> & Partial<Pick<IncomingMessage, "httpVersion">>;

/** Properties that srvx, and h3 on it, add to a Request. */
interface HostRequest extends Request {
  readonly ip?: string | undefined;
  readonly runtime?: { readonly node?: { readonly req?: FetchConnection | undefined } };
}

const NOWHERE: Address = { address: "", port: 0 };
/** A comma outside of quotes: Requests join lines of one name. */
const LIST = /^(?:[^",]|"(?:[^"\\]|\\.)*")*,/;
const VERSIONS: Readonly<Record<string, string>> = { "1.0": "1.0", "2.0": "2" };

const bad = (why: string): SallyportError => new SallyportError("BAD_REQUEST", why);

/** `undefined` when the path is not below `prefix`. Throws a SallyportError whose fault is the client's. */
export function readFetchHead(
  request: Request,
  context: FetchContext,
  prefix: string,
): RequestHead | undefined {
  const url = new URL(request.url);
  if (!isBelow(url.pathname, prefix)) return undefined;
  const incoming = connectionOf(request, context);
  return {
    method: request.method,
    target: url.pathname + url.search,
    path: url.pathname,
    query: url.search.slice(1),
    version: VERSIONS[incoming?.httpVersion ?? ""] ?? "1.1",
    headers: headersOf(request, url),
    scheme: url.protocol === "https:" ? "https" : "http",
    authority: url.host,
    remote: remoteOf(request, context, incoming),
    local: context.local ?? addressOf(incoming?.socket.localAddress, incoming?.socket.localPort),
  };
}

/** The connection that a Request came by, where its host says so. */
export const connectionOf = (request: Request, { incoming }: FetchContext): FetchConnection | undefined =>
  incoming ?? (request as HostRequest).runtime?.node?.req;

/** Host first, as clients send it; a Request that a program has made has none. */
function headersOf({ headers }: Request, url: URL): Headers {
  const fields: string[] = headers.has("host") ? [] : ["host", url.host];
  for (const [name, value] of headers) {
    if (!isToken(name) || !isFieldValue(value)) throw bad("a malformed header");
    if (!isMetExpectation(name, value)) fields.push(name, name === "host" ? hostOf(value, url) : value);
    if (name === "content-type" && LIST.test(value)) throw bad("two Content-Type lines");
  }
  return fields;
}

/** The URL's host wins: a client that sends an absolute target can name another one in Host (RFC 9112, 3.2.2). */
function hostOf(sent: string, { host, protocol }: URL): string {
  if (sent === host) return sent;
  if (!isHost(sent)) throw new SallyportError("BAD_HOST", "a malformed Host");
  const origin = `${protocol}//${sent}`;
  return URL.canParse(origin) && new URL(origin).host === host ? sent : host;
}

/** The host answers 100 Continue when it sees it, or when the body is read. */
const isMetExpectation = (name: string, value: string): boolean =>
  name === "expect" && readExpectation(value);

function remoteOf(
  request: HostRequest,
  { remote }: FetchContext,
  incoming: FetchContext["incoming"],
): Address {
  const given = remote ?? request.ip;
  if (typeof given === "object") return given;
  const { remoteAddress, remotePort } = incoming?.socket ?? {};
  if (given === undefined || given === remoteAddress) return addressOf(remoteAddress, remotePort);
  return { address: given, port: 0 };
}

const addressOf = (address: string | undefined, port: number | undefined): Address =>
  address === undefined ? NOWHERE : { address, port: port ?? 0 };
