import assert from "node:assert/strict";
import { test } from "node:test";
import { CONSTANT_VARIABLES, decodePath, metaVariables } from "../../../src/cgi/metavariables/encode.ts";
import { PushedBody, SallyportError } from "../../../src/exchange/index.ts";
import { RecordedExchange, type RecordedRequest } from "../../../src/testing/recorded.ts";

function variables(request: RecordedRequest): Record<string, string> {
  const all: Record<string, string> = {};
  metaVariables(new RecordedExchange(request), (name, value) => {
    assert.ok(!(name in all), `${name} was put twice`);
    all[name] = value;
  });
  return all;
}

test("a plain GET gives exactly the variables of RFC 3875", () => {
  const all = variables({ target: "/app/some/path?a=b", mount: "/app", headers: ["Host", "localhost:8000"] });
  assert.deepEqual(all, {
    REQUEST_METHOD: "GET",
    SCRIPT_NAME: "/app",
    PATH_INFO: "/some/path",
    QUERY_STRING: "a=b",
    REQUEST_URI: "/app/some/path?a=b",
    REQUEST_SCHEME: "http",
    SERVER_PROTOCOL: "HTTP/1.1",
    SERVER_NAME: "localhost",
    SERVER_ADDR: "127.0.0.1",
    SERVER_PORT: "8000",
    REMOTE_ADDR: "127.0.0.1",
    REMOTE_PORT: "50000",
    HTTP_HOST: "localhost:8000",
  });
});

test("the constant variables and those of a request never share a name", () => {
  const all = variables({ headers: ["Server-Software", "x", "Gateway-Interface", "y"] });
  assert.deepEqual(Object.fromEntries(CONSTANT_VARIABLES).GATEWAY_INTERFACE, "CGI/1.1");
  for (const [name] of CONSTANT_VARIABLES) assert.ok(!(name in all));
});

test("C1: a Proxy header in any case never becomes HTTP_PROXY", () => {
  const all = variables({ headers: ["Proxy", "http://evil", "PROXY", "x", "proxy", "y"] });
  assert.deepEqual(
    Object.keys(all).filter((name) => name.includes("PROXY")),
    [],
  );
});

test("C2: a header name with an underscore is dropped and cannot impersonate one with a hyphen", () => {
  const all = variables({
    headers: ["X_Foo", "forged", "X-Foo", "true", "Content_Length", "9", "X.Foo", "f"],
  });
  assert.equal(all.HTTP_X_FOO, "true");
  assert.deepEqual(
    Object.keys(all).filter((name) => name.startsWith("HTTP_")),
    ["HTTP_X_FOO"],
  );
});

test("repeated headers are joined by a comma, cookies by a semicolon, whatever their case", () => {
  const headers = ["Cookie", "a=1", "X-Tag", "one", "cookie", "b=2", "x-tag", "two", "X-TAG", "three"];
  const all = variables({ headers });
  assert.equal(all.HTTP_COOKIE, "a=1; b=2");
  assert.equal(all.HTTP_X_TAG, "one, two, three");
});

test("values of one request never show in the next", () => {
  variables({ headers: ["Authorization", "secret", "X-Tag", "one"] });
  const all = variables({ headers: ["X-Tag", "two"] });
  assert.equal(all.HTTP_X_TAG, "two");
  assert.ok(!("HTTP_AUTHORIZATION" in all));
});

test("Content-Type and Content-Length are not doubled as HTTP_ variables", () => {
  const headers = ["Content-Type", "text/plain", "Content-Length", "5", "content-type", "text/html"];
  const all = variables({ method: "POST", headers, body: "hello" });
  assert.equal(all.CONTENT_TYPE, "text/plain");
  assert.equal(all.CONTENT_LENGTH, "5");
  assert.ok(!("HTTP_CONTENT_TYPE" in all) && !("HTTP_CONTENT_LENGTH" in all));
});

test("CONTENT_LENGTH is absent without a body, and 0 when the client announced an empty one", () => {
  assert.equal(variables({}).CONTENT_LENGTH, undefined);
  assert.equal(variables({ method: "POST", headers: ["Content-Length", "0"] }).CONTENT_LENGTH, "0");
});

test("C3: a body of unknown length has no CONTENT_LENGTH, and shows its coding", () => {
  const body = new PushedBody(undefined, { pause() {}, resume() {} });
  const all = variables({ method: "POST", headers: ["Transfer-Encoding", "chunked"], body });
  assert.equal(all.CONTENT_LENGTH, undefined);
  assert.equal(all.HTTP_TRANSFER_ENCODING, "chunked");
});

test("C3: once the length is known the true number is given and the coding is not shown", () => {
  const all = variables({ method: "POST", headers: ["Transfer-Encoding", "chunked"], body: "hello" });
  assert.equal(all.CONTENT_LENGTH, "5");
  assert.equal(all.HTTP_TRANSFER_ENCODING, undefined);
});

for (const [raw, decoded, why] of [
  ["/a%2Fb", "/a/b", "an encoded slash"],
  ["/%252c", "/%2c", "a doubly encoded byte, once"],
  ["/a%0ab", "/a\nb", "a newline"],
  ["/../a/%2e%2e/b", "/../a/../b", "dot segments"],
  ["//a//b", "//a//b", "doubled slashes"],
  ["/%E3%81%82", "/\xe3\x81\x82", "UTF-8 as its bytes"],
  ["/caf\xe9", "/caf\xe9", "a raw byte"],
] as const) {
  test(`C5: PATH_INFO keeps ${why}`, () => {
    assert.equal(variables({ target: raw }).PATH_INFO, decoded);
    assert.equal(variables({ target: raw, mount: raw }).SCRIPT_NAME, decoded);
    assert.equal(variables({ target: raw, mount: raw }).PATH_INFO, "");
  });
}

for (const path of ["/a%00b", "/%00", "/a%", "/a%4", "/%zz", "/%-1", "/%+1"]) {
  test(`C5: the path ${path} is refused as BAD_PATH`, () => {
    const refused = (error: unknown) => error instanceof SallyportError && error.status === 400;
    assert.throws(() => variables({ target: path }), refused);
    assert.throws(() => decodePath(path), refused);
  });
}

test("OPTIONS * has the path / and keeps its REQUEST_URI", () => {
  const all = variables({ method: "OPTIONS", target: "*" });
  assert.deepEqual([all.PATH_INFO, all.REQUEST_URI], ["/", "*"]);
});

test("https sets HTTPS and REQUEST_SCHEME", () => {
  const all = variables({ scheme: "https" });
  assert.deepEqual([all.HTTPS, all.REQUEST_SCHEME], ["on", "https"]);
});

for (const [authority, name] of [
  ["example.com", "example.com"],
  ["example.com:81", "example.com"],
  ["[::1]", "[::1]"],
  ["[::1]:81", "[::1]"],
  ["", "127.0.0.1"],
] as const) {
  test(`SERVER_NAME of the authority "${authority}" is ${name}, and the port is the one reached`, () => {
    const all = variables({ authority });
    assert.deepEqual([all.SERVER_NAME, all.SERVER_PORT], [name, "8000"]);
  });
}

interface Ends {
  remote: { address: string; port: number };
  local?: { address: string; port: number };
}

function withEnds({ remote, local }: Ends, request: RecordedRequest = {}): Record<string, string> {
  const exchange = new RecordedExchange(request);
  Object.assign(exchange.request, { remote, local: local ?? exchange.request.local });
  const all: Record<string, string> = {};
  metaVariables(exchange, (name, value) => {
    all[name] = value;
  });
  return all;
}

test("a peer on a Unix socket has an empty REMOTE_ADDR, no SERVER_ADDR, and the port of the authority or the scheme", () => {
  const unix = { address: "/run/a.sock", port: 0 };
  const all = withEnds({ remote: unix, local: unix }, { authority: "example.com" });
  assert.deepEqual([all.REMOTE_ADDR, all.REMOTE_PORT, all.SERVER_PORT], ["", "", "80"]);
  assert.ok(!("SERVER_ADDR" in all));
  assert.equal(withEnds({ remote: unix, local: unix }, { authority: "a:81" }).SERVER_PORT, "81");
  assert.equal(withEnds({ remote: unix, local: unix }, { authority: "" }).SERVER_NAME, "localhost");
});

test("an IPv4 address mapped into IPv6 is given as plain IPv4", () => {
  assert.equal(withEnds({ remote: { address: "::ffff:10.1.2.3", port: 9 } }).REMOTE_ADDR, "10.1.2.3");
  assert.equal(withEnds({ remote: { address: "2001:db8::1", port: 9 } }).REMOTE_ADDR, "2001:db8::1");
});

test("header names that clients invent do not fill the memory, and are right after the cache starts again", () => {
  const name = (i: number) => `X-${"n".repeat(1000)}-${i}`;
  for (let i = 0; i < 200; i++) {
    const all = variables({ headers: [name(i), "v", "X-Tag", "one", "x-tag", "two"] });
    assert.equal(all.HTTP_X_TAG, "one, two");
    assert.equal(all[`HTTP_${name(i).toUpperCase().replaceAll("-", "_")}`], "v");
  }
});

test("L5: a byte that could break a line in a log stays inside its variable", () => {
  const all = variables({ target: "/%1b%5b2J%0d%0aX:%20y" });
  assert.equal(all.PATH_INFO, "/\x1b[2J\r\nX: y");
  assert.equal(all.REQUEST_URI, "/%1b%5b2J%0d%0aX:%20y");
});

test("F19: the variables of an authorizer are among the others, once, and replace those of the request", () => {
  const exchange = new RecordedExchange({ target: "/a" });
  const authorizerVariables = new Map([
    ["REMOTE_USER", "ann"],
    ["PATH_INFO", "/b"],
  ]);
  exchange.facts = { authorizerVariables };
  const seen: [string, string][] = [];
  metaVariables(exchange, (name, value) => seen.push([name, value]));
  const variables = new Map(seen);
  assert.equal(variables.size, seen.length);
  assert.deepEqual([variables.get("REMOTE_USER"), variables.get("PATH_INFO")], ["ann", "/b"]);
});
