// Where each value that an application is handed comes from, in a few words.
// Tested by test/explain/handover.test.ts.
import type { Exchange } from "../exchange/index.ts";

/** Variables of the CGI family, and the keys of an ASGI scope. */
const SOURCES: Readonly<Record<string, string>> = {
  REQUEST_METHOD: "request line",
  REQUEST_URI: "request line, as sent",
  QUERY_STRING: "request line, after the ?, as sent",
  SCRIPT_NAME: "the route's path: what led to the app",
  PATH_INFO: "the rest of the path, decoded once",
  PATH_TRANSLATED: "PATH_INFO below DOCUMENT_ROOT (RFC 3875, 4.1.6)",
  SERVER_PROTOCOL: "request line",
  SERVER_NAME: "Host field, or the address of the listener",
  SERVER_PORT: "the port that was reached",
  SERVER_ADDR: "the address that the client has connected to",
  REQUEST_SCHEME: "the listener, or a trusted proxy",
  HTTPS: "the scheme is https",
  REMOTE_ADDR: "the client's address",
  REMOTE_PORT: "the client's port",
  CONTENT_LENGTH: "the length that the listener counted",
  CONTENT_TYPE: "header field Content-Type",
  GATEWAY_INTERFACE: "the same for every request",
  SERVER_SOFTWARE: "the same for every request",
  REDIRECT_STATUS: "the server chose the script, not the client (php-cgi)",
  SCRIPT_FILENAME: "the file that was found for the path",
  DOCUMENT_ROOT: "the configuration of the app",
  SCGI: "the same for every request",
  type: "kind of the request",
  method: "request line",
  scheme: "the listener, or a trusted proxy",
  http_version: "request line",
  path: "the whole path, decoded once, as UTF-8",
  raw_path: "the path as sent",
  query_string: "request line, after the ?, as sent",
  root_path: "the route's path: what led to the app",
  headers: "the header fields, names in lower case",
  client: "the client's address",
  server: "the address that the client has connected to",
  asgi: "the server (ASGI 3.0)",
  state: "the server (ASGI 3.0)",
  extensions: "the server (ASGI 3.0)",
  "wsgi.url_scheme": "the listener, or a trusted proxy",
  url: "scheme, host, path and query; for node:http what follows the mount, as sent",
  originalUrl: "request line, as sent",
  baseUrl: "the route's path: what led to the app",
  mount: "the route's path: what led to the app",
  httpVersion: "request line",
  remote: "the client's address",
  "socket.remoteAddress": "the client's address",
  "socket.localAddress": "the address that the client has connected to",
  "argv[0]": "the program",
};

/** Values that a trusted proxy may have said. */
const PROXIED: ReadonlySet<string> = new Set([
  "REMOTE_ADDR",
  "client",
  "REQUEST_SCHEME",
  "scheme",
  "HTTPS",
  "SERVER_NAME",
  "remote",
  "url",
  "socket.remoteAddress",
  "wsgi.url_scheme",
]);

/** Where the value `name` comes from. `byProxy`: a trusted proxy has described the client. */
export function sourceOf(name: string, { request }: Exchange, byProxy: boolean): string {
  const known = SOURCES[name];
  if (known && byProxy && PROXIED.has(name)) return `${known}, as a trusted proxy says`;
  if (known) return known;
  if (name.startsWith("headers: ")) return `header field ${name.slice(9)}`;
  if (name.startsWith("wsgi.")) return "the server (PEP 3333)";
  if (name.startsWith("argv")) return "the program's file, or a word of the query (RFC 3875, 4.4)";
  if (name.startsWith("HTTP_")) return `header field ${fieldNamed(name.slice(5), request.headers)}`;
  if (name.startsWith("SSL_")) return "the TLS connection";
  return "the server's own environment";
}

/** The field as the client wrote its name. */
function fieldNamed(variable: string, headers: readonly string[]): string {
  const found = headers.find(
    (name, i) => i % 2 === 0 && name.toUpperCase().replaceAll("-", "_") === variable,
  );
  return found ?? variable.toLowerCase().replaceAll("_", "-");
}
