// A request head from node's request: refused as our own HTTP listener refuses (RFC 9112, 11.2), since node's parser accepts
// more. The mount is what the host's router has removed from the URL.
// Tested by test/mount/node.test.ts.
import type { IncomingMessage } from "node:http";
import type { Http2ServerRequest } from "node:http2";
import { isIP, Socket } from "node:net";
import { type Address, header, isFieldValue, type RequestHead, SallyportError } from "../exchange/index.ts";
import { fieldName } from "../http/fields.ts";
import { HeadFields } from "../http/request-fields.ts";
import { type RequestTarget, readTarget } from "../http/target.ts";
import { isBelow } from "./options.ts";

export type NodeRequest = IncomingMessage | Http2ServerRequest;

/** Properties that routers and frameworks add to a request. */
interface HostFacts {
  /** The URL before a router stripped the mount from `url` (Express, Connect, middie). */
  readonly originalUrl?: unknown;
  /** The part that was stripped (Express). */
  readonly baseUrl?: unknown;
  /** The client's scheme and address, where the host trusts a proxy in front of it (Express, middie). */
  readonly protocol?: unknown;
  readonly ip?: unknown;
}

export interface NodeHead {
  readonly request: RequestHead;
  readonly mount: string;
  /** Bytes of body; undefined when only the end will tell. */
  readonly length: number | undefined;
}

const isHttp2Request = (req: NodeRequest): req is Http2ServerRequest =>
  "stream" in req && req.httpVersionMajor === 2;

/** `undefined` when the path is not below `prefix`. Throws a SallyportError whose fault is the client's. */
export function readNodeHead(req: NodeRequest, prefix: string | undefined): NodeHead | undefined {
  const method = req.method ?? "GET";
  const host = req as NodeRequest & HostFacts;
  const target = typeof host.originalUrl === "string" ? host.originalUrl : (req.url ?? "");
  const mounted = mountedTargetOf(host, readTarget(method, target), prefix);
  if (!mounted) return undefined;
  const fields = readHeaders(req, mounted.authority);
  const request = {
    method,
    target,
    path: mounted.path,
    query: mounted.query,
    version: versionOf(req),
    headers: fields.headers,
    scheme: schemeOf(host),
    authority: fields.host,
    remote: remoteOf(host),
    local: { address: req.socket.localAddress ?? "", port: req.socket.localPort ?? 0 },
  };
  return { request, mount: mounted.mount, length: lengthOf(req, fields) };
}

interface MountedTarget extends RequestTarget {
  readonly mount: string;
}

function mountedTargetOf(
  req: NodeRequest & HostFacts,
  whole: RequestTarget,
  prefix: string | undefined,
): MountedTarget | undefined {
  if (prefix !== undefined) return isBelow(whole.path, prefix) ? { ...whole, mount: prefix } : undefined;
  if (typeof req.originalUrl !== "string" || whole.path === "*") return { ...whole, mount: "" };
  const rest = readTarget(req.method ?? "GET", req.url ?? "");
  const { authority } = whole;
  if (typeof req.baseUrl === "string")
    return { ...rest, path: pathBelow(req.baseUrl, rest.path, whole.path), authority, mount: req.baseUrl };
  const mount = strippedPrefix(whole.path, rest.path);
  if (mount !== undefined) return { ...rest, path: whole.path, authority, mount };
  // The host has rewritten the URL: the new one is to be answered.
  return { ...rest, authority, mount: "" };
}

/** Of a request for the mount itself, the slash is the router's. */
const pathBelow = (mount: string, rest: string, whole: string): string =>
  rest === "/" && whole === mount ? whole : mount + rest;

/** The mount, when a router has left `rest` of `path`: at least a slash. */
function strippedPrefix(path: string, rest: string): string | undefined {
  if (path.endsWith(rest)) return path.slice(0, path.length - rest.length);
  return rest === "/" ? path : undefined;
}

function readHeaders(req: NodeRequest, authority: string | undefined): HeadFields {
  if (isHttp2Request(req)) return readHttp2Headers(req);
  const fields = new HeadFields(versionOf(req) === "1.0" ? "1.0" : "1.1");
  addFields(fields, req.rawHeaders);
  fields.settle(authority);
  return fields;
}

/** :authority becomes Host, where applications look for it, and crumbs one Cookie (RFC 9113, 8.2.3, 8.3.1). */
function readHttp2Headers({ headers, rawHeaders }: Http2ServerRequest): HeadFields {
  const fields = new HeadFields("1.1");
  const authority = headers[":authority"];
  if (headers.host === undefined) addField(fields, "host", authority ?? "");
  addFields(fields, withCookieJoined(rawHeaders));
  fields.settle(undefined);
  if (authority !== undefined && fields.host.toLowerCase() !== authority.toLowerCase())
    throw new SallyportError("BAD_HOST", "a Host that differs from :authority");
  return fields;
}

function withCookieJoined(rawHeaders: readonly string[]): readonly string[] {
  const fields: string[] = [];
  let cookieAt = -1;
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const [name, value] = [rawHeaders[i] as string, rawHeaders[i + 1] as string];
    if (name === "cookie" && cookieAt >= 0) {
      fields[cookieAt] += `; ${value}`;
      continue;
    }
    if (name === "cookie") cookieAt = fields.length + 1;
    fields.push(name, value);
  }
  return fields;
}

function addFields(fields: HeadFields, rawHeaders: readonly string[]): void {
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const [name, value] = [rawHeaders[i] as string, rawHeaders[i + 1] as string];
    if (!name.startsWith(":") && !isMetExpectation(name, value)) addField(fields, name, value);
  }
}

/** node has already sent 100 Continue. */
const isMetExpectation = (name: string, value: string): boolean =>
  name.length === 6 && name.toLowerCase() === "expect" && value.toLowerCase() === "100-continue";

function addField(fields: HeadFields, sent: string, value: string): void {
  const name = fieldName(sent);
  if (!name) throw new SallyportError("BAD_REQUEST", "a header name that is not a token");
  if (!isFieldValue(value)) throw new SallyportError("BAD_REQUEST", "a control character in a header");
  fields.field(name, value);
}

function versionOf(req: NodeRequest): "1.0" | "1.1" | "2" {
  if (isHttp2Request(req)) return "2";
  const { httpVersion, socket } = req;
  if (httpVersion === "1.1" || httpVersion === "1.0") return httpVersion;
  // Our own node handlers give requests of HTTP/2 this form. On a socket of node's, such a version is only the client's word.
  if (httpVersion === "2.0" && !(socket instanceof Socket)) return "2";
  throw new SallyportError("VERSION_UNSUPPORTED", "a version of HTTP other than 1.0, 1.1 and 2");
}

function schemeOf(req: NodeRequest & HostFacts): "http" | "https" {
  if (req.protocol === "http" || req.protocol === "https") return req.protocol;
  return (req.socket as Partial<{ encrypted: boolean }>).encrypted ? "https" : "http";
}

function remoteOf({ ip, socket }: { ip?: unknown; socket: Socket }): Address {
  const { remoteAddress = "", remotePort = 0 } = socket;
  // The socket's port is the proxy's, not this client's.
  if (typeof ip === "string" && ip !== remoteAddress && isIP(ip) !== 0) return { address: ip, port: 0 };
  return { address: remoteAddress, port: remotePort };
}

function lengthOf(req: NodeRequest, { headers, length }: HeadFields): number | undefined {
  if (length < 0) return undefined;
  if (length > 0 || header(headers, "content-length") !== undefined) return length;
  if (isHttp2Request(req)) return req.stream.endAfterHeaders ? 0 : undefined;
  // Where our own node handlers are the host, a body of unknown length may have this field without its having been sent.
  return req.headers["transfer-encoding"] === undefined ? 0 : undefined;
}
