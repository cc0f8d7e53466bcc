// The application's half of CGI/1.1 (RFC 3875, 4.1): meta-variables that a server in front sent, read back into the
// request that they describe. Shared by the listeners of CGI, FastCGI, SCGI and uwsgi; the inverse of encode.ts.
import {
  type Address,
  type AuthenticatedUser,
  isFieldValue,
  isToken,
  type RequestHead,
  SallyportError,
} from "../../exchange/index.ts";
import { describeTls } from "./decode-tls.ts";
import { decodePath } from "./encode.ts";
import { type VariableNames, type Variables, variableNamesOf } from "./names.ts";
import { caddyKnowsNoLength, fromPeer, type Peer, type ScriptPath } from "./peers.ts";

/** Meta-variables as they came: name and value in turn, duplicates kept, each character one byte. */
export type VariableList = readonly string[];

/** A request as meta-variables describe it. */
export interface DescribedRequest {
  readonly request: RequestHead;
  /** SCRIPT_NAME as a prefix of `request.path`. */
  readonly mount: string;
  /** Bytes of body announced; 0 when there is none, undefined when only its end will tell (a chunked upload). */
  readonly length: number | undefined;
}

/**
 * The request that `list` describes. `peer` corrects what the server in front is known to send differently; of a
 * variable that comes twice the last one counts, but repeated header fields are all kept. Throws BAD_REQUEST.
 */
export function describeRequest(list: VariableList, peer: Peer = fromPeer): DescribedRequest {
  refuseNul(list);
  const names = variableNamesOf(list);
  const variables = names.of(list);
  const length = readLength(variables);
  const location = locate(variables, peer);
  const scheme = readScheme(variables);
  const request: RequestHead = {
    method: readMethod(variables),
    target: location.target,
    path: location.path,
    query: location.query,
    version: readVersion(variables.get("SERVER_PROTOCOL")),
    headers: withContent(fieldsIn(list, names), variables, length),
    scheme,
    authority: readAuthority(variables, scheme),
    remote: readAddress(variables.get("REMOTE_ADDR"), variables.get("REMOTE_PORT")),
    local: readAddress(variables.get("SERVER_ADDR"), variables.get("SERVER_PORT")),
    tls: scheme === "https" ? describeTls(variables) : undefined,
    user: readUser(variables),
  };
  return { request, mount: location.mount, length };
}

const bad = (why: string): SallyportError => new SallyportError("BAD_REQUEST", why);

// Headers.

/** The fields in `list`, in its order. */
function fieldsIn(list: VariableList, { fields, fieldPlaces }: VariableNames): string[] {
  const headers: string[] = [];
  for (let i = 0; i < fields.length; i++) {
    const place = fieldPlaces[i] as number;
    const value = list[place] as string;
    if (!isFieldValue(value)) throw bad(`a control character in ${list[place - 1]}`);
    headers.push(fields[i] as string, value.trim());
  }
  return headers;
}

function refuseNul(list: VariableList): void {
  for (let i = 1; i < list.length; i += 2)
    if ((list[i] as string).includes("\0")) throw bad(`a byte 0 in ${shown(list[i - 1] as string)}`);
}

const CODING = "Transfer-Encoding";

/** Adds the two fields that have variables of their own; keeps Transfer-Encoding only where there is no length. */
function withContent(headers: string[], variables: Variables, length: number | undefined): string[] {
  const kept = length === undefined ? headers : withoutCoding(headers);
  const type = variables.get("CONTENT_TYPE");
  if (type) {
    if (!isFieldValue(type)) throw bad("a control character in CONTENT_TYPE");
    kept.push("Content-Type", type);
  }
  if (length !== undefined && variables.get("CONTENT_LENGTH")) kept.push("Content-Length", String(length));
  return kept;
}

function withoutCoding(headers: string[]): string[] {
  // Mostly there is none. A value may read the same: only names count.
  if (!headers.includes(CODING)) return headers;
  return headers.filter((_, i) => headers[i - (i % 2)] !== CODING);
}

/** Empty is the same as absent: nginx sends it so. Without a length there is no body (4.1.2), unless it is chunked. */
function readLength(variables: Variables): number | undefined {
  const value = variables.get("CONTENT_LENGTH") ?? "";
  if (value === "") return variables.get("HTTP_TRANSFER_ENCODING") ? undefined : 0;
  if (caddyKnowsNoLength(variables)) return undefined;
  if (!/^\d{1,15}$/.test(value)) throw bad(`a malformed CONTENT_LENGTH: ${shown(value)}`);
  return Number(value);
}

// The first line and the connection.

function readMethod(variables: Variables): string {
  const method = variables.get("REQUEST_METHOD");
  if (!method) throw bad("REQUEST_METHOD is missing");
  if (method !== "GET" && !isToken(method)) throw bad(`a malformed REQUEST_METHOD: ${shown(method)}`);
  return method;
}

const VERSIONS: Readonly<Record<string, string>> = {
  "HTTP/0.9": "1.0",
  "HTTP/1.0": "1.0",
  "HTTP/2.0": "2",
  "HTTP/2": "2",
  // Applications see no difference between HTTP/2 and HTTP/3 behind another server.
  "HTTP/3.0": "2",
  "HTTP/3": "2",
};

/** Anything else ("INCLUDED", nothing) is taken for 1.1. */
const readVersion = (protocol = ""): string =>
  protocol === "HTTP/1.1" ? "1.1" : (VERSIONS[protocol.toUpperCase()] ?? "1.1");

const YES: ReadonlySet<string> = new Set(["on", "1", "yes", "true"]);

function readScheme(variables: Variables): RequestHead["scheme"] {
  if (YES.has(variables.get("HTTPS")?.toLowerCase() ?? "")) return "https";
  return variables.get("REQUEST_SCHEME")?.toLowerCase() === "https" ? "https" : "http";
}

function readAuthority(variables: Variables, scheme: RequestHead["scheme"]): string {
  const host = variables.get("HTTP_HOST");
  if (host) return host;
  const name = variables.get("SERVER_NAME") ?? "";
  const port = variables.get("SERVER_PORT") ?? "";
  if (!isFieldValue(name)) throw bad("a control character in SERVER_NAME");
  if (name === "" || !isPort(port)) return name;
  return port === (scheme === "https" ? "443" : "80") ? name : `${name}:${port}`;
}

const isPort = (port: string): boolean => /^\d{1,5}$/.test(port) && Number(port) <= 65_535;

function readAddress(sent = "", digits = ""): Address {
  const port = isPort(digits) ? Number(digits) : 0;
  // nginx's name for a client on a Unix socket. Where a server sends nothing, nobody knows what the client is.
  if (sent === "unix:") return { address: "", port };
  return sent === "" ? { address: "", port, unknown: true } : { address: sent, port };
}

/** Apache and lighttpd send REMOTE_USER when they have checked the password; nginx, if configured so, for any name. */
function readUser(variables: Variables): AuthenticatedUser | undefined {
  const name = variables.get("REMOTE_USER");
  return name ? { name, scheme: variables.get("AUTH_TYPE") ?? "" } : undefined;
}

// The path.

interface Location {
  readonly target: string;
  readonly path: string;
  readonly query: string;
  readonly mount: string;
}

/** Characters that a request line may have. */
const VISIBLE = /^[\x21\x22\x24-\x7e]+$/;

/**
 * SCRIPT_NAME and PATH_INFO decide: the server in front chose by them. They come decoded, so the path is taken from
 * REQUEST_URI where that decodes to the same; where it does not (the server rewrote the path), they are encoded again.
 */
function locate(variables: Variables, peer: Peer): Location {
  const uri = variables.get("REQUEST_URI") ?? "";
  if (uri === "*" && variables.get("REQUEST_METHOD") === "OPTIONS")
    return { target: "*", path: "*", query: "", mount: "" };
  const sent = VISIBLE.test(uri) ? splitTarget(uri) : undefined;
  const query = encoded(variables.get("QUERY_STRING") ?? sent?.query ?? "", NOT_IN_QUERY);
  const place = placeOf(variables, peer);
  // The example of the SCGI text has only REQUEST_URI.
  if (!place && sent) return { target: uri, path: sent.path, query, mount: "" };
  const { scriptName, pathInfo } = place ?? ROOT;
  const mount = sent && rawMount(sent.path, scriptName, pathInfo);
  if (!sent || mount === undefined) return rebuilt(scriptName, pathInfo, query);
  const target = sent.query === query ? uri : targetOf(sent.path, query);
  return { target, path: sent.path, query, mount };
}

const ROOT: ScriptPath = { scriptName: "", pathInfo: "/" };

function placeOf(variables: Variables, peer: Peer): ScriptPath | undefined {
  if (!variables.has("SCRIPT_NAME") && !variables.has("PATH_INFO")) return undefined;
  const { scriptName, pathInfo } = peer(variables);
  const path = scriptName + pathInfo;
  if (path === "") return ROOT;
  if (!path.startsWith("/")) throw bad(`a path that does not start with a slash: ${shown(path)}`);
  // "/" + "x" is "" + "/x": what follows the script's name starts with a slash (4.1.5).
  if (scriptName.endsWith("/") && !pathInfo.startsWith("/"))
    return { scriptName: scriptName.slice(0, -1), pathInfo: `/${pathInfo}` };
  return { scriptName, pathInfo };
}

/** Path and query of a target in origin or absolute form. */
function splitTarget(target: string): { path: string; query: string } | undefined {
  const local = target.startsWith("/") ? target : target.replace(/^https?:\/\/[^/?]*/i, "");
  const mark = local.indexOf("?");
  const path = mark < 0 ? local : local.slice(0, mark);
  if (path !== "" && !path.startsWith("/")) return undefined;
  return { path: path || "/", query: mark < 0 ? "" : local.slice(mark + 1) };
}

/** The prefix of `raw` that decodes to `scriptName`, if the rest decodes to `pathInfo`. */
function rawMount(raw: string, scriptName: string, pathInfo: string): string | undefined {
  if (decoded(raw) !== scriptName + pathInfo) return undefined;
  return raw.slice(0, rawLength(raw, scriptName.length));
}

function decoded(raw: string): string | undefined {
  try {
    return decodePath(raw);
  } catch {
    return undefined;
  }
}

/** How many characters of `raw` make `bytes` bytes once they are decoded. */
function rawLength(raw: string, bytes: number): number {
  let at = 0;
  for (let left = bytes; left > 0; left--) at += raw[at] === "%" ? 3 : 1;
  return at;
}

function rebuilt(scriptName: string, pathInfo: string, query: string): Location {
  const mount = encoded(scriptName, NOT_IN_PATH);
  const path = mount + encoded(pathInfo, NOT_IN_PATH);
  return { target: targetOf(path, query), path, query, mount };
}

const targetOf = (path: string, query: string): string => (query === "" ? path : `${path}?${query}`);

/** RFC 3986, 3.3: all but pchar and the slash. */
const NOT_IN_PATH = /[^A-Za-z0-9\-._~!$&'()*+,;=:@/]/g;
/** A query comes as it was written; only characters that no request line can have are encoded. */
const NOT_IN_QUERY = /[^\x21\x22\x24-\x7e]/g;

const encoded = (text: string, characters: RegExp): string =>
  text === "" ? "" : text.replace(characters, encodeByte);

const encodeByte = (character: string): string =>
  `%${character.charCodeAt(0).toString(16).toUpperCase().padStart(2, "0")}`;

/** A text of the peer, fit for a message. */
const shown = (text: string): string => JSON.stringify(text.length > 80 ? `${text.slice(0, 80)}...` : text);
