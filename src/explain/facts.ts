// The facts that every interface has to carry, by the name that each of them gives to a fact. The same table makes the columns
// of `--diff` and, in the demonstration, the rows that come first.
// Tested by test/explain/text.test.ts.

export const INTERFACES = ["cgi", "fastcgi", "scgi", "uwsgi", "wsgi", "asgi", "fetch", "node"] as const;
export type InterfaceName = (typeof INTERFACES)[number];

/** As people write them. */
export const TITLES: Readonly<Record<InterfaceName, string>> = {
  cgi: "CGI",
  fastcgi: "FastCGI",
  scgi: "SCGI",
  uwsgi: "uwsgi",
  wsgi: "WSGI",
  asgi: "ASGI",
  fetch: "fetch",
  node: "node:http",
};

/** What crosses from the server to the application, in one line. */
export const CARRIERS: Readonly<Record<InterfaceName, string>> = {
  cgi: "a new process: its environment, its arguments, and its standard input (RFC 3875, 4)",
  fastcgi: "a connection: records of begin-request, PARAMS and STDIN (FastCGI 1.0, 5)",
  scgi: "a connection: a netstring of variables, then the body (SCGI, 2)",
  uwsgi: "a connection: a packet of variables, then the body (uWSGI's manual, the uwsgi protocol)",
  wsgi: "a call: application(environ, start_response) (PEP 3333); to its process, a frame of the link",
  asgi: "a coroutine: application(scope, receive, send) (ASGI 3.0); to its process, a frame of the link",
  fetch: "a call in this process: fetch(request) with a Request of the Fetch standard",
  node: "a call in this process: handler(req, res) with the objects of node:http",
};

interface Fact {
  readonly name: string;
  /** Of the CGI family: CGI, FastCGI, SCGI, uwsgi, and WSGI, whose environ has the same variables. */
  readonly variable: string;
  readonly asgi: string;
  readonly fetch: string;
  readonly node: string;
}

export const FACTS: readonly Fact[] = [
  { name: "method", variable: "REQUEST_METHOD", asgi: "method", fetch: "method", node: "method" },
  { name: "mount", variable: "SCRIPT_NAME", asgi: "root_path", fetch: "mount", node: "baseUrl" },
  { name: "path", variable: "PATH_INFO", asgi: "path", fetch: "url", node: "url" },
  { name: "as it was sent", variable: "REQUEST_URI", asgi: "raw_path", fetch: "url", node: "originalUrl" },
  { name: "query", variable: "QUERY_STRING", asgi: "query_string", fetch: "url", node: "url" },
  { name: "scheme", variable: "REQUEST_SCHEME", asgi: "scheme", fetch: "url", node: "socket.encrypted" },
  {
    name: "protocol",
    variable: "SERVER_PROTOCOL",
    asgi: "http_version",
    fetch: "",
    node: "httpVersion",
  },
  { name: "server", variable: "SERVER_NAME", asgi: "server", fetch: "url", node: "socket.localAddress" },
  { name: "client", variable: "REMOTE_ADDR", asgi: "client", fetch: "remote", node: "socket.remoteAddress" },
  {
    name: "length of the body",
    variable: "CONTENT_LENGTH",
    asgi: "headers: content-length",
    fetch: "headers: content-length",
    node: "headers: content-length",
  },
  {
    name: "type of the body",
    variable: "CONTENT_TYPE",
    asgi: "headers: content-type",
    fetch: "headers: content-type",
    node: "headers: content-type",
  },
];

/** How the application gets the body. */
export const BODIES: Readonly<Record<InterfaceName, string>> = {
  cgi: "standard input",
  fastcgi: "STDIN records",
  scgi: "after the netstring",
  uwsgi: "after the packet",
  wsgi: "wsgi.input",
  asgi: "receive()",
  fetch: "body",
  node: "req, a stream",
};

/** The name that `named` gives to a fact; "" when it has none. */
export function nameOfFact(fact: Fact, named: InterfaceName): string {
  if (named === "wsgi" && fact.name === "scheme") return "wsgi.url_scheme";
  return named === "asgi" || named === "fetch" || named === "node" ? fact[named] : fact.variable;
}
