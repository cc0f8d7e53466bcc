// What an ASGI application sees of a request, and what the client gets: over HTTP/1.1 and a real worker.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { existsSync, writeFileSync } from "node:fs";
import { test } from "node:test";
import { PushedBody } from "../../../src/exchange/index.ts";
import { RecordedExchange } from "../../../src/testing/recorded.ts";
import { bodyOf } from "../../kit/serve-http1.ts";
import { startAsgi } from "../../kit/start-asgi.ts";
import { until } from "../../kit/until.ts";

type Scope = Record<string, unknown>;

test("a scope has the path decoded and as it came, the mount, the query, and the ends of the connection (A7)", async (t) => {
  const server = await startAsgi(t);
  const client = await server.client("/mounted/caf%C3%A9/%E3%81%82%ff?q=%20&x=1", "Connection: close");
  const scope = JSON.parse(Buffer.from(bodyOf(await client.all()), "latin1").toString()) as Scope;
  const { headers, client: ours, server: theirs, state, asgi, ...rest } = scope;
  assert.deepEqual(rest, {
    type: "http",
    http_version: "1.1",
    method: "GET",
    scheme: "http",
    path: "/mounted/café/あ\ufffd",
    raw_path: "/mounted/caf%C3%A9/%E3%81%82%ff",
    query_string: "q=%20&x=1",
    root_path: "/mounted",
    extensions: { "http.response.early_hint": {} },
  });
  assert.deepEqual(headers, [
    ["host", "a"],
    ["connection", "close"],
  ]);
  assert.deepEqual(theirs, ["127.0.0.1", server.port]);
  assert.deepEqual(ours, ["127.0.0.1", client.socket.localPort]);
  assert.equal((asgi as Scope).spec_version, "2.5");
  assert.equal(typeof (state as Scope).born, "number");
});

test("headers arrive in lower case, in order, repeated ones apart, as bytes (A7)", async (t) => {
  const server = await startAsgi(t);
  const lines = ["X-One: 1", "x-TWO: caf\xe9", "X-One: 2", "x_under: 3", "Connection: close"];
  const client = await server.client("/", ...lines);
  const { headers } = JSON.parse(bodyOf(await client.all())) as Scope;
  assert.deepEqual(headers, [
    ["host", "a"],
    ["x-one", "1"],
    ["x-two", "caf\\u00e9".replace("\\u00e9", "é")],
    ["x-one", "2"],
    ["x_under", "3"],
    ["connection", "close"],
  ]);
});

test("a path with a byte 0 or a malformed escape is answered with 400, and no application runs", async (t) => {
  const server = await startAsgi(t);
  assert.equal((await server.ask("/a%00b")).status, 400);
  assert.equal((await server.ask("/a%zz")).status, 400);
});

test("the facts of TLS are the extension `tls`, in the specification's words and numbers", async (t) => {
  const server = await startAsgi(t);
  const tls = {
    protocol: "TLSv1.3",
    cipher: "TLS_AES_128_GCM_SHA256",
    serverName: "a",
    certificate: "SERVER",
    client: {
      chain: ["ALICE", "CA"],
      subject: "CN=alice",
      issuer: "CN=ca",
      serial: "01",
      validFrom: "",
      validTo: "",
      error: "self-signed",
    },
  };
  const secure = new RecordedExchange({ target: "/", scheme: "https" });
  secure.request = { ...secure.request, tls };
  server.gateway.handle(secure);
  const { scheme, extensions } = JSON.parse((await secure.done).body.toString()) as Scope;
  assert.equal(scheme, "https");
  assert.deepEqual((extensions as Scope).tls, {
    server_cert: "SERVER",
    client_cert_chain: ["ALICE", "CA"],
    client_cert_name: "CN=alice",
    client_cert_error: "self-signed",
    tls_version: 0x0304,
    cipher_suite: 0x1301,
  });
});

test("on a Unix socket the server's path is known, and there is no client address", async (t) => {
  const server = await startAsgi(t);
  const local = new RecordedExchange({ target: "/" });
  const nobody = { address: "", port: 0 };
  local.request = { ...local.request, remote: nobody, local: { address: "/run/app.sock", port: 0 } };
  server.gateway.handle(local);
  const scope = JSON.parse((await local.done).body.toString()) as Scope;
  assert.deepEqual(scope.server, ["/run/app.sock", null]);
  assert.equal(scope.client ?? null, null);
});

test("a body of any size comes back whole, in pieces no larger than are asked for", async (t) => {
  const server = await startAsgi(t);
  for (const size of [0, 1, 65_536, 65_537, 3_000_000]) {
    const sent = Buffer.alloc(size, "0123456789");
    const { body, complete } = await server.ask("/echo", { method: "POST", body: sent });
    assert.deepEqual([body.equals(sent), complete], [true, true], `${size} bytes`);
  }
});

test("an application that does not receive has no more than a window of the body sent to it", async (t) => {
  const server = await startAsgi(t);
  let [read, paused] = [0, false];
  const body = new PushedBody(undefined, { pause: () => (paused = true), resume: () => (paused = false) });
  const asked = server.exchange(`/never-receive?file=${server.file}`, { method: "POST", body });
  await server.recorded(/running/);
  while (!paused && read < 100_000_000) read += push(body);
  assert.ok(paused && read < 1_000_000, `${read} bytes were taken of a body that nobody reads`);
  server.touch();
  assert.equal((await asked.done).status, 200);
});

function push(body: PushedBody): number {
  body.push(Buffer.alloc(65_536));
  return 65_536;
}

test("a response streams, ends, and the connection serves the next request", async (t) => {
  const server = await startAsgi(t);
  const client = await server.client("/events");
  await client.has("data: hello");
  client.socket.destroy();
  await server.recorded(/told/);
  const next = await server.client("/hello");
  await next.has("hello\n");
  next.send("GET /hello HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
  assert.equal((await next.all()).match(/200 OK/g)?.length, 2);
});

test("a response that asks for the end of the connection is the last one on it, and says so", async (t) => {
  const server = await startAsgi(t);
  const client = await server.client("/goodbye");
  client.send("GET /hello HTTP/1.1\r\nHost: a\r\n\r\n");
  const text = await client.all();
  assert.match(text, /\r\nConnection: close\r\n\r\ngoodbye\n$/);
  assert.equal(text.match(/connection:/gi)?.length, 1);
});

test("trailers leave for a client that says TE: trailers, and are not offered otherwise", async (t) => {
  const server = await startAsgi(t);
  const fit = await server.client("/trailers", "TE: trailers", "Connection: close");
  assert.match(await fit.all(), /\r\n0\r\nx-sum: 4\r\n\r\n$/i);
  const unfit = await server.client("/trailers", "Connection: close");
  assert.match(await unfit.all(), /\r\n\r\nsum$/);
});

test("over HTTP/2, too, trailers are offered where they would be sent", async (t) => {
  const server = await startAsgi(t);
  const trailersFor = async (headers: string[]): Promise<readonly string[]> => {
    const exchange = new RecordedExchange({ target: "/trailers", version: "2", headers });
    server.gateway.handle(exchange);
    return (await exchange.done).trailers;
  };
  assert.deepEqual(await trailersFor(["host", "a", "te", "trailers"]), ["x-sum", "4"]);
  assert.deepEqual(await trailersFor(["host", "a"]), []);
});

test("an early hint is a response 103 before the response", async (t) => {
  const server = await startAsgi(t);
  const client = await server.client("/hint", "Connection: close");
  assert.match(
    await client.all(),
    /^HTTP\/1\.1 103 .*\r\nlink: <\/style\.css>; rel=preload\r\n\r\nHTTP\/1\.1 200/i,
  );
});

for (const [page, code, reason] of [
  ["/fail-at-length", "APP_RAISED", /could not convert string to float: 'xxx.*characters left out/],
  ["/head-without-end", "APP_PROTOCOL", /has 5000\d+ bytes; 1048576 are allowed/],
  ["/hint-without-end", "APP_PROTOCOL", /has 5000\d+ bytes; 1048576 are allowed/],
  [`/file?path=${"x".repeat(100_000)}`, "APP_PROTOCOL", /'path' of 'http.response.pathsend' has \d+ bytes/],
] as const) {
  test(`${page.slice(0, 20)} is one request's failure, not that of all that its worker has`, async (t) => {
    const server = await startAsgi(t, { pathsend: true });
    const beside = server.exchange(`/wait-after-response?file=${server.file}`);
    const { status, error } = await server.ask(page);
    const entry = await server.logged(reason);
    assert.equal(entry.fields.code, `ERR_SALLYPORT_${code}`);
    assert.ok(entry.message.length < 10_000 && String(entry.fields.detail).length < 100_000);
    assert.equal(status, 500, error?.message);
    server.touch();
    assert.deepEqual([(await beside.done).status, (await server.ask("/hello")).status], [200, 200]);
    assert.equal(server.lines.filter(({ message }) => /worker \d+ ended/.test(message)).length, 0);
  });
}

test("a file sent by its path that is shorter than it was is a cut response", async (t) => {
  const server = await startAsgi(t, { pathsend: true });
  // Files in /sys have the size of a page, and hold one line.
  const { complete, error } = await server.ask("/file?path=/sys/kernel/uevent_seqnum");
  assert.equal(complete, false);
  assert.match(error?.message ?? "", /uevent_seqnum that was to be sent cannot be read: it ends at \d+ now/);
});

test("a file sent by its path arrives whole, and its size is not held in memory", async (t) => {
  const server = await startAsgi(t, { pathsend: true });
  const large = Buffer.alloc(5_000_000, "file ");
  writeFileSync(server.file, large);
  const { body, complete } = await server.ask(`/file?path=${server.file}`);
  assert.deepEqual([body.equals(large), complete], [true, true]);
  const slow = server.exchange(`/file?path=${server.file}`);
  slow.stalled = true;
  await until(() => slow.chunks.length > 0);
  await new Promise((resolve) => setTimeout(resolve, 50));
  assert.equal(slow.chunks.length, 1);
  slow.release();
  assert.equal((await slow.done).body.length, large.length);
});

test("the name of a file sent by its path need not be UTF-8", async (t) => {
  const server = await startAsgi(t, { pathsend: true });
  const path = Buffer.concat([Buffer.from(server.file), Buffer.from([0xe9, 0xff])]);
  writeFileSync(path, "bytes");
  assert.equal((await server.ask(`/file?hex=${path.toString("hex")}`)).body.toString(), "bytes");
});

test("a file may be deleted as soon as it has been sent", async (t) => {
  const server = await startAsgi(t, { pathsend: true });
  const content = Buffer.alloc(300_000, "file ");
  for (let i = 0; i < 20; i++) {
    const path = `${server.file}-${i}`;
    writeFileSync(path, content);
    const { body, complete } = await server.ask(`/file-and-delete?path=${path}`);
    assert.deepEqual([body.equals(content), complete], [true, true]);
    await until(() => !existsSync(path));
  }
});

for (const [name, path] of [
  ["that is not there", "/no/such/file"],
  ["that is a directory", "/"],
  ["that is a named pipe without a writer", undefined],
] as const) {
  test(`a file ${name} cuts the response, and the application is told, too`, async (t) => {
    const server = await startAsgi(t, { pathsend: true });
    if (!path) execFileSync("mkfifo", [server.file]);
    const told = new RegExp(`the file ${path ?? server.file} `);
    const { complete, error } = await server.ask(`/file-and-delete?path=${path ?? server.file}`);
    assert.deepEqual([complete, error?.code], [false, "ERR_SALLYPORT_APP_RAISED"]);
    assert.match(error?.message ?? "", told);
    assert.match(await server.recorded(/^refused/), told);
    assert.equal((await server.ask("/hello")).status, 200);
  });
}

test("the answer to HEAD has no body, whatever the application sends", async (t) => {
  const server = await startAsgi(t);
  const { status, bytes, complete } = await server.ask("/hello", { method: "HEAD" });
  assert.deepEqual([status, bytes, complete], [200, 0, true]);
});
