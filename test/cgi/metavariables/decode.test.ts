// Meta-variables read back into a request (RFC 3875, 4.1).
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { describeRequest } from "../../../src/cgi/metavariables/decode.ts";
import { metaVariables } from "../../../src/cgi/metavariables/encode.ts";
import { fromLighttpdRoot } from "../../../src/cgi/metavariables/peers.ts";
import { RecordedExchange } from "../../../src/testing/recorded.ts";

const flat = (variables: Record<string, string>): string[] => Object.entries(variables).flat();
const described = (variables: Record<string, string>, ...more: string[]) =>
  describeRequest([...flat({ REQUEST_METHOD: "GET", ...variables }), ...more]);
const refused = (variables: Record<string, string>, message: RegExp) =>
  assert.throws(() => describeRequest(flat(variables)), { code: "ERR_SALLYPORT_BAD_REQUEST", message });

test("the path is as the client wrote it when REQUEST_URI says the same as SCRIPT_NAME and PATH_INFO", () => {
  const { request, mount } = described({
    REQUEST_URI: "/a%20pp/b%2fc/%C3%A9?x=%31",
    SCRIPT_NAME: "/a pp",
    PATH_INFO: "/b/c/\xc3\xa9",
    QUERY_STRING: "x=%31",
  });
  assert.equal(request.target, "/a%20pp/b%2fc/%C3%A9?x=%31");
  assert.equal(request.path, "/a%20pp/b%2fc/%C3%A9");
  assert.equal(request.query, "x=%31");
  assert.equal(mount, "/a%20pp");
});

test("lists of many namings in turn are each read by their own", () => {
  const round = () => {
    for (let i = 0; i < 30; i++) {
      // The same length throughout, and the same names but one, wherever it stands.
      const pairs = [
        ["REQUEST_METHOD", "GET"],
        ["REQUEST_URI", `/${i}`],
        ["HTTP_A", "a"],
        ["HTTP_B", "b"],
      ];
      pairs.splice(i % 4, 0, [`HTTP_X${i}`, `x${i}`]);
      const { request } = describeRequest(pairs.flat());
      const fields = ["A", "a", "B", "b"];
      fields.splice(Math.max(0, (i % 4) - 2) * 2, 0, `X${i}`, `x${i}`);
      assert.deepEqual([request.path, request.headers], [`/${i}`, fields]);
    }
  };
  round();
  round();
});

test("the same names with other values are another request", () => {
  const of = (host: string, type: string) => described({ HTTP_HOST: host, CONTENT_TYPE: type }).request;
  const [first, second] = [of("one", "text/plain"), of("two", "")];
  assert.deepEqual([first.authority, first.headers], ["one", ["Host", "one", "Content-Type", "text/plain"]]);
  assert.deepEqual([second.authority, second.headers], ["two", ["Host", "two"]]);
});

test("more names, and longer ones, than are remembered are read like any others", () => {
  const many = Array.from({ length: 200 }, (_, i) => [`HTTP_N${i}`, String(i)]).flat();
  const long = `HTTP_${"L".repeat(100)}`;
  for (let again = 0; again < 2; again++) {
    const { request } = described({}, ...many, long, "l");
    assert.equal(request.headers.length, 402);
    assert.deepEqual(request.headers.slice(-4), ["N199", "199", `L${"l".repeat(99)}`, "l"]);
  }
});

test("the path is encoded anew when the server in front rewrote it", () => {
  const { request, mount } = described({
    REQUEST_URI: "/old/../x?q",
    SCRIPT_NAME: "/a pp",
    PATH_INFO: "/100%/\xff?#",
    QUERY_STRING: "q",
  });
  assert.equal(request.target, "/a%20pp/100%25/%FF%3F%23?q");
  assert.equal(request.path, "/a%20pp/100%25/%FF%3F%23");
  assert.equal(mount, "/a%20pp");
});

test("an absolute REQUEST_URI gives its path", () => {
  const { request } = described({ REQUEST_URI: "http://host/p%41?q", PATH_INFO: "/pA", QUERY_STRING: "q" });
  assert.equal(request.path, "/p%41");
  assert.equal(request.target, "http://host/p%41?q");
});

test("REQUEST_URI alone is enough, as in the example of the SCGI text", () => {
  const { request, mount } = described({ REQUEST_URI: "/deepthought?a" });
  assert.deepEqual([request.path, request.query, mount], ["/deepthought", "a", ""]);
});

test("OPTIONS * stays an asterisk", () => {
  const { request } = described({ REQUEST_METHOD: "OPTIONS", REQUEST_URI: "*", PATH_INFO: "/" });
  assert.deepEqual([request.target, request.path], ["*", "*"]);
});

test("without any path the root is meant, and a slash at the end of SCRIPT_NAME belongs to the rest", () => {
  assert.equal(described({}).request.path, "/");
  assert.equal(described({ SCRIPT_NAME: "", PATH_INFO: "" }).request.path, "/");
  const { request, mount } = described({ SCRIPT_NAME: "/", PATH_INFO: "x" });
  assert.deepEqual([request.path, mount], ["/x", ""]);
});

test("header fields get their hyphens back, and repeated ones stay apart", () => {
  const { request } = described(
    { HTTP_ACCEPT_LANGUAGE: "de", HTTP_X_1: "a", CONTENT_TYPE: "text/plain", CONTENT_LENGTH: "3" },
    "HTTP_X_1",
    "b",
  );
  assert.deepEqual(request.headers, [
    "Accept-Language",
    "de",
    "X-1",
    "a",
    "X-1",
    "b",
    "Content-Type",
    "text/plain",
    "Content-Length",
    "3",
  ]);
});

test("C1: HTTP_PROXY is no header, and neither are fields that are told elsewhere or have other characters", () => {
  const { request } = described({
    HTTP_PROXY: "http://evil",
    HTTP_CONTENT_LENGTH: "9",
    HTTP_CONTENT_TYPE: "x/y",
    "HTTP_A.B": "1",
    HTTP_: "2",
  });
  assert.deepEqual(request.headers, []);
});

test("the length is the announced one, 0 without any, unknown when the upload is chunked", () => {
  assert.equal(described({ CONTENT_LENGTH: "12" }).length, 12);
  assert.equal(described({}).length, 0);
  assert.equal(described({ CONTENT_LENGTH: "" }).length, 0);
  const chunked = described({ CONTENT_LENGTH: "", HTTP_TRANSFER_ENCODING: "chunked" });
  assert.equal(chunked.length, undefined);
  assert.deepEqual(chunked.request.headers, ["Transfer-Encoding", "chunked"]);
});

test("the coding of a body whose length is known has been undone", () => {
  const { request, length } = described({
    CONTENT_LENGTH: "5",
    HTTP_TRANSFER_ENCODING: "chunked",
    HTTP_A: "b",
  });
  assert.equal(length, 5);
  assert.deepEqual(request.headers, ["A", "b", "Content-Length", "5"]);
});

test("a header value that reads like the coding's name neither keeps the coding nor is lost", () => {
  const value = { HTTP_X_A: "Transfer-Encoding" };
  const coded = described({ ...value, CONTENT_LENGTH: "5", HTTP_TRANSFER_ENCODING: "chunked" });
  assert.deepEqual(coded.request.headers, ["X-A", "Transfer-Encoding", "Content-Length", "5"]);
  const plain = described({ ...value, CONTENT_LENGTH: "5" });
  assert.deepEqual(plain.request.headers, ["X-A", "Transfer-Encoding", "Content-Length", "5"]);
});

test("versions, schemes, authorities and addresses are read as servers write them", () => {
  const { request } = described({
    SERVER_PROTOCOL: "HTTP/2.0",
    HTTPS: "on",
    SERVER_NAME: "example.org",
    SERVER_ADDR: "10.0.0.1",
    SERVER_PORT: "8443",
    REMOTE_ADDR: "10.0.0.2",
    REMOTE_PORT: "5000",
  });
  assert.deepEqual([request.version, request.scheme, request.authority], ["2", "https", "example.org:8443"]);
  assert.deepEqual(request.local, { address: "10.0.0.1", port: 8443 });
  assert.deepEqual(request.remote, { address: "10.0.0.2", port: 5000 });
});

test("what is missing of the connection has a default", () => {
  const { request } = described({ SERVER_NAME: "example.org", SERVER_PORT: "80", REMOTE_ADDR: "unix:" });
  assert.deepEqual([request.version, request.scheme, request.authority], ["1.1", "http", "example.org"]);
  assert.deepEqual(request.remote, { address: "", port: 0 });
  for (const variables of [{}, { REMOTE_ADDR: "" }])
    assert.deepEqual(described(variables).request.remote, { address: "", port: 0, unknown: true });
  assert.equal(described({ REQUEST_SCHEME: "https", HTTPS: "off" }).request.scheme, "https");
  assert.equal(described({ HTTP_HOST: "h:81", SERVER_NAME: "n" }).request.authority, "h:81");
});

test("what cannot be a request is refused", () => {
  refused({}, /REQUEST_METHOD is missing/);
  refused({ REQUEST_METHOD: "G T" }, /malformed REQUEST_METHOD/);
  refused({ REQUEST_METHOD: "GET", X: "a\0b" }, /byte 0/);
  refused({ REQUEST_METHOD: "GET", HTTP_A: "a\r\nb" }, /control character in HTTP_A/);
  refused({ REQUEST_METHOD: "GET", CONTENT_TYPE: "a\nb" }, /CONTENT_TYPE/);
  refused({ REQUEST_METHOD: "GET", PATH_INFO: "x" }, /slash/);
  for (const length of ["+5", "-1", "0x5", "5, 5", "1234567890123456"])
    refused({ REQUEST_METHOD: "GET", CONTENT_LENGTH: length }, /malformed CONTENT_LENGTH/);
});

test("nginx: SCRIPT_NAME is the whole path with its default parameters", () => {
  const software = { SERVER_SOFTWARE: "nginx/1.22.1" };
  const whole = described({ ...software, REQUEST_URI: "/a%2Fb", SCRIPT_NAME: "/a/b", DOCUMENT_URI: "/a/b" });
  assert.deepEqual([whole.request.path, whole.mount], ["/a%2Fb", ""]);
  const byHand = described({
    ...software,
    REQUEST_URI: "/app/x",
    SCRIPT_NAME: "/app",
    PATH_INFO: "/app/x",
    DOCUMENT_URI: "/app/x",
  });
  assert.deepEqual([byHand.request.path, byHand.mount], ["/app/x", "/app"]);
  const split = described({ ...software, SCRIPT_NAME: "/app", PATH_INFO: "/x", DOCUMENT_URI: "/app/x" });
  assert.deepEqual([split.request.path, split.mount], ["/app/x", "/app"]);
});

test("Apache: SCRIPT_FILENAME tells which part of SCRIPT_NAME ProxyPass matched", () => {
  const variables = {
    SERVER_SOFTWARE: "Apache/2.4.62 (Debian)",
    REQUEST_URI: "/app/x%20y",
    SCRIPT_NAME: "/app/x y",
    SCRIPT_FILENAME: "proxy:fcgi://127.0.0.1:9000/x y",
  };
  assert.deepEqual([described(variables).request.path, described(variables).mount], ["/app/x%20y", "/app"]);
  const unix = { ...variables, SCRIPT_FILENAME: "proxy:unix:/run/a.sock|fcgi://localhost/app/x y" };
  assert.equal(described(unix).mount, "");
  const elsewhere = { ...variables, SCRIPT_FILENAME: "proxy:fcgi://127.0.0.1:9000/z" };
  assert.equal(described(elsewhere).mount, "");
});

test("Apache: the end of SCRIPT_FILENAME may be encoded, and the slash of a mount told twice", () => {
  const variables = {
    SERVER_SOFTWARE: "Apache/2.4.62 (Debian)",
    REQUEST_URI: "/app/x%20y",
    SCRIPT_NAME: "/app/x y",
  };
  const encoded = { ...variables, SCRIPT_FILENAME: "proxy:fcgi://127.0.0.1:9000/x%20y" };
  assert.equal(described(encoded).mount, "/app");
  const twice = described({ ...variables, REQUEST_URI: "/app/", SCRIPT_NAME: "/app/", PATH_INFO: "/" });
  assert.deepEqual([twice.request.path, twice.mount], ["/app/", "/app"]);
});

test("Caddy: a length of -1 is unknown, and no header", () => {
  const caddy = { SERVER_SOFTWARE: "Caddy/v2.6.2", REQUEST_METHOD: "POST", CONTENT_LENGTH: "-1" };
  const { length, request } = described(caddy);
  assert.deepEqual([length, request.headers], [undefined, []]);
  refused({ ...caddy, SERVER_SOFTWARE: "other" }, /malformed CONTENT_LENGTH/);
});

test("nginx: a tab at the end of a header's value is no part of it", () => {
  assert.deepEqual(described({ HTTP_X_A: "a  b\t" }).request.headers, ["X-A", "a  b"]);
});

test("lighttpd: an application at the root gets the segment back that was taken for a script", () => {
  const list = flat({ REQUEST_METHOD: "GET", SCRIPT_NAME: "/a", PATH_INFO: "/b", REQUEST_URI: "/a/b" });
  assert.equal(describeRequest(list, fromLighttpdRoot).mount, "");
  assert.equal(describeRequest(list).mount, "/a");
});

test("the user whom the server in front has authenticated is told on as it was told, and no header makes one", () => {
  const told = { REMOTE_USER: "\xc3\xa5da", AUTH_TYPE: "Digest" };
  const exchange = new RecordedExchange();
  exchange.request = described(told).request;
  assert.deepEqual(exchange.request.user, { name: "\xc3\xa5da", scheme: "Digest" });
  const seen = new Map<string, string>();
  metaVariables(exchange, (name, value) => seen.set(name, value));
  assert.deepEqual([seen.get("REMOTE_USER"), seen.get("AUTH_TYPE")], [told.REMOTE_USER, told.AUTH_TYPE]);
  for (const none of [{}, { REMOTE_USER: "" }, { AUTH_TYPE: "Basic" }, { HTTP_REMOTE_USER: "eve" }])
    assert.equal(described(none).request.user, undefined);
});

test("any variables give a request or BAD_REQUEST, and the mount is always a prefix of the path", () => {
  const name = fc.constantFrom(
    "REQUEST_METHOD",
    "REQUEST_URI",
    "SCRIPT_NAME",
    "PATH_INFO",
    "QUERY_STRING",
    "HTTP_A",
  );
  const text = fc.string({ unit: fc.nat(255).map((code) => String.fromCharCode(code)), maxLength: 12 });
  const value = fc.oneof(text, fc.constantFrom("GET", "/", "/a", "/%2f", "/a%"));
  fc.assert(
    fc.property(fc.array(fc.tuple(name, value), { maxLength: 8 }), (pairs) => {
      try {
        const { request, mount } = describeRequest(pairs.flat());
        assert.ok(request.path.startsWith(mount));
        assert.ok(request.path.startsWith("/") || request.path === "*");
        assert.match(request.path + request.query, /^[\x21-\x7e]+$/);
      } catch (error) {
        assert.equal((error as { code: string }).code, "ERR_SALLYPORT_BAD_REQUEST");
      }
    }),
  );
});

test("what our server's half says of a request is read back as the same request", () => {
  const segment = fc.constantFrom("a", "b%20c", "%2F", "%C3%A9", "", "x+y", "..");
  const segments = fc.array(segment, { minLength: 1, maxLength: 4 });
  fc.assert(
    fc.property(segments, segments, fc.constantFrom("", "q=1", "%00"), (mounted, rest, query) => {
      const mount = mounted.at(-1) === "" ? "" : `/${mounted.join("/")}`;
      const path = `${mount}/${rest.join("/")}`;
      const target = query === "" ? path : `${path}?${query}`;
      const exchange = new RecordedExchange({ target, mount, headers: ["Host", "localhost", "X-A", "1"] });
      const list: string[] = [];
      metaVariables(exchange, (name, value) => list.push(name, value));
      const back = describeRequest(list);
      const { method, query: asked, version, scheme, authority, headers } = exchange.request;
      const nobody = { tls: undefined, user: undefined };
      const head = { target, path, method, query: asked, version, scheme, authority, headers, ...nobody };
      const { remote, local, ...read } = back.request;
      assert.deepEqual(read, head);
      assert.equal(back.mount, mount);
      assert.deepEqual([remote.port, local.port], [50_000, 8000]);
    }),
  );
});
