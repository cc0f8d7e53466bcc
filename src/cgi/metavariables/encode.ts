// CGI/1.1 meta-variables (RFC 3875, 4.1), built here once for CGI, FastCGI, SCGI, uwsgi and WSGI: each of them only
// supplies the `put` that encodes. Called for every request, so nothing is allocated for a header name seen before.
import { isIP } from "node:net";
import {
  type Address,
  type AuthenticatedUser,
  type Exchange,
  type Headers,
  header,
  type RequestHead,
  SallyportError,
} from "../../exchange/index.ts";
import { putTls } from "./encode-tls.ts";

type Put = (name: string, value: string) => void;

/** The same for all requests. With `metaVariables` the complete set. */
export const CONSTANT_VARIABLES: readonly (readonly [name: string, value: string])[] = [
  ["GATEWAY_INTERFACE", "CGI/1.1"],
  ["SERVER_SOFTWARE", "Sallyport"],
];

/**
 * Gives every meta-variable of `exchange` to `put`, each name once. Values are latin-1 (one character a byte).
 * AUTH_TYPE and REMOTE_USER come from a server in front of us: we do not authenticate. REMOTE_HOST is not looked up.
 * The variables of an authorizer come first, and replace ours.
 * `length` is that of the body as the application will see it: a chunked one that was spooled has one.
 * Throws BAD_PATH; the caller fails the exchange with it.
 */
export function metaVariables(
  exchange: Exchange,
  put: Put,
  length: number | undefined = exchange.body.length,
): void {
  const added = exchange.facts?.authorizerVariables;
  if (added === undefined) return requestVariables(exchange, put, length);
  for (const [name, value] of added) put(name, value);
  const putOthers: Put = (name, value) => {
    if (!added.has(name)) put(name, value);
  };
  requestVariables(exchange, putOthers, length);
}

function requestVariables(exchange: Exchange, put: Put, length: number | undefined): void {
  const { request, mount } = exchange;
  put("REQUEST_METHOD", request.method);
  put("SCRIPT_NAME", scriptName(mount));
  put("PATH_INFO", pathInfo(request.path, mount));
  put("QUERY_STRING", request.query);
  put("REQUEST_URI", request.target);
  commonVariables(request, length === undefined, put);
  const announced = contentLength(request.headers, length);
  if (announced !== undefined) put("CONTENT_LENGTH", announced);
}

/** The variables of the connection and the fields, without CONTENT_LENGTH. `chunked`: the length of the body is unknown. */
export function commonVariables(request: RequestHead, chunked: boolean, put: Put): void {
  put("REQUEST_SCHEME", request.scheme);
  if (request.scheme === "https") put("HTTPS", "on");
  if (request.tls) putTls(request.tls, put);
  put("SERVER_PROTOCOL", PROTOCOLS[request.version] ?? `HTTP/${request.version}`);
  putServer(request, put);
  putRemote(request.remote, put);
  if (request.user) putUser(request.user, put);
  putHeaders(request.headers, chunked, put);
}

/** SERVER_PROTOCOL needs a minor version (4.1.16). */
const PROTOCOLS: Readonly<Record<string, string>> = {
  "1.0": "HTTP/1.0",
  "1.1": "HTTP/1.1",
  "2": "HTTP/2.0",
  "3": "HTTP/3.0",
};

const ESCAPE = /%(?:([0-9A-Fa-f]{2})|)/g;

/**
 * A path with its percent-escapes decoded exactly once, as bytes (latin-1). `..`, `//` and newlines are kept for
 * the application to judge (C5). Throws BAD_PATH for a byte 0 and, like nginx and Apache, for a malformed escape.
 */
export function decodePath(raw: string): string {
  const path = raw.includes("%") ? raw.replace(ESCAPE, decodeEscape) : raw;
  if (path.includes("\0")) throw new SallyportError("BAD_PATH", "the path contains a byte 0");
  return path;
}

function decodeEscape(_escape: string, digits: string | undefined): string {
  if (digits === undefined)
    throw new SallyportError("BAD_PATH", "the path contains a malformed percent-escape");
  return String.fromCharCode(Number.parseInt(digits, 16));
}

/** SCRIPT_NAME of a request that came by `mount`. Throws BAD_PATH. */
export const scriptName = (mount: string): string => (mount === "" ? "" : decodePath(mount));

/** PATH_INFO likewise. */
export function pathInfo(path: string, mount: string): string {
  // "OPTIONS *" has no path; PEP 3333 and 4.1.5 want a slash, and REQUEST_URI keeps the asterisk.
  if (path === "*") return "/";
  return decodePath(mount === "" ? path : path.slice(mount.length));
}

/**
 * The name as the client knows it; the port as it was reached, which no client can forge (4.1.14, 4.1.15). SERVER_ADDR is Apache's and
 * nginx's addition, and PHP documents it.
 */
function putServer(request: RequestHead, put: Put): void {
  const { authority, local, scheme } = request;
  const [host, port] = splitAuthority(authority);
  const address = ipOf(local);
  put("SERVER_NAME", host || address || "localhost");
  if (address !== "") put("SERVER_ADDR", address);
  put("SERVER_PORT", local.port > 0 ? String(local.port) : port || (scheme === "https" ? "443" : "80"));
}

/** Host and port of an authority; an IPv6 address keeps its brackets. */
function splitAuthority(authority: string): [host: string, port: string] {
  const colon = authority.lastIndexOf(":");
  if (colon < 0 || authority.endsWith("]")) return [authority, ""];
  return [authority.slice(0, colon), authority.slice(colon + 1)];
}

function putRemote(remote: Address, put: Put): void {
  put("REMOTE_ADDR", ipOf(remote));
  put("REMOTE_PORT", remote.port > 0 ? String(remote.port) : "");
}

/** The IP address; "" for a Unix socket. An IPv4 address mapped into IPv6 is written as IPv4. */
function ipOf({ address, port }: Address): string {
  if (port === 0 && isIP(address) === 0) return "";
  return address.startsWith("::ffff:") && address.includes(".") ? address.slice(7) : address;
}

function putUser({ name, scheme }: AuthenticatedUser, put: Put): void {
  if (scheme !== "") put("AUTH_TYPE", scheme);
  put("REMOTE_USER", name);
}

// Headers.

/** The variable of a header. `value` is set for the duration of one call only. */
interface Variable {
  readonly name: string;
  /** Between the values of repeated fields; undefined: the first one counts. */
  readonly separator: string | undefined;
  value: string;
  /** The call that filled `value`. */
  call: number;
}

const variable = (name: string, separator?: string): Variable => ({ name, separator, value: "", call: 0 });

const CONTENT_LENGTH = variable("CONTENT_LENGTH");
const TRANSFER_ENCODING = variable("HTTP_TRANSFER_ENCODING", ", ");

/** Variables of fields with a rule of their own. null: never becomes a variable; `Proxy` is CVE-2016-5385 (C1). */
const SPECIAL: ReadonlyMap<string, Variable | null> = new Map([
  ["PROXY", null],
  ["CONTENT_LENGTH", CONTENT_LENGTH],
  ["CONTENT_TYPE", variable("CONTENT_TYPE")],
  ["TRANSFER_ENCODING", TRANSFER_ENCODING],
  ["COOKIE", variable("HTTP_COOKIE", "; ")],
]);

const byField = new Map<string, Variable | null>();
const byName = new Map<string, Variable>();
/** Characters of field names that the cache holds before it starts again. Clients choose names; they must not fill memory. */
const CACHE_LIMIT = 65_536;
let cached = 0;
let call = 0;
const filled: Variable[] = [];

/** Two passes, so that repeated fields are joined before anything is put. */
function putHeaders(headers: Headers, chunked: boolean, put: Put): void {
  if (cached > CACHE_LIMIT) emptyCache();
  collect(headers);
  for (const target of filled) {
    // The application reads a decoded body; Transfer-Encoding only tells it that the length is unknown.
    if (target !== CONTENT_LENGTH && (target !== TRANSFER_ENCODING || chunked))
      put(target.name, target.value);
    target.value = "";
  }
}

function collect(headers: Headers): void {
  call++;
  filled.length = 0;
  for (let i = 0; i < headers.length; i += 2) {
    const field = headers[i] as string;
    let target = byField.get(field);
    if (target === undefined) target = remember(field);
    if (target !== null) addValue(target, headers[i + 1] as string);
  }
}

function addValue(target: Variable, value: string): void {
  if (target.call !== call) {
    target.call = call;
    target.value = value;
    filled.push(target);
  } else if (target.separator !== undefined) {
    target.value += target.separator + value;
  }
}

/** The length that the listener counted, not the field's; "0" only when the client announced it, undefined when unknown. */
function contentLength(headers: Headers, length: number | undefined): string | undefined {
  if (length === 0 && header(headers, "content-length") === undefined) return undefined;
  return length === undefined ? undefined : String(length);
}

function remember(field: string): Variable | null {
  // A copy: a substring would keep the whole header block alive.
  const copy = Buffer.from(field, "latin1").toString("latin1");
  const made = variableOf(copy);
  byField.set(copy, made);
  cached += copy.length;
  return made;
}

/** Letters, digits and hyphens only: an underscore must not pass for a hyphen (C2). */
const SAFE_FIELD = /^[A-Za-z0-9-]+$/;

function variableOf(field: string): Variable | null {
  if (!SAFE_FIELD.test(field)) return null;
  const name = field.toUpperCase().replaceAll("-", "_");
  const special = SPECIAL.get(name);
  if (special !== undefined) return special;
  const known = byName.get(name) ?? variable(`HTTP_${name}`, ", ");
  byName.set(name, known);
  return known;
}

function emptyCache(): void {
  byField.clear();
  byName.clear();
  cached = 0;
}
