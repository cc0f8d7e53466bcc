// Addresses of applications, and connections to them.
import assert from "node:assert/strict";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { type AddressInfo, createServer } from "node:net";
import { join } from "node:path";
import { test } from "node:test";
import { connectTo, parseUpstream } from "../../src/upstreams/index.ts";
import { freePort } from "../kit/free-port.ts";
import { makeFolder } from "../kit/make-folder.ts";

test("an address is unix:PATH, HOST:PORT or [IPv6]:PORT", () => {
  assert.deepEqual(parseUpstream("unix:/run/a b.sock"), { kind: "unix", path: "/run/a b.sock" });
  assert.deepEqual(parseUpstream("app.local:9000"), { kind: "tcp", host: "app.local", port: 9000 });
  assert.deepEqual(parseUpstream("[::1]:9000"), { kind: "tcp", host: "::1", port: 9000 });
});

test("anything else is refused with what to write instead", () => {
  for (const text of [
    "",
    "unix:",
    "9000",
    "host",
    "host:",
    "host:0",
    "host:65536",
    "::1:80",
    "a b:80",
    "http://a:80",
  ])
    assert.throws(() => parseUpstream(text), /write unix:PATH or HOST:PORT/, text);
});

test("a path that no Unix socket can have is refused: its beginning may be another socket", () => {
  const longest = `/${"x".repeat(106)}`;
  assert.deepEqual(parseUpstream(`unix:${longest}`), { kind: "unix", path: longest });
  for (const path of [`${longest}x`, `/${"ü".repeat(54)}`])
    assert.throws(() => parseUpstream(`unix:${path}`), {
      code: "ERR_SALLYPORT_CONFIG_INVALID",
      message: /is longer than a Unix socket's may be \(107 bytes\)/,
    });
});

test("an abstract socket is refused: a file of that name would be looked for", () => {
  assert.throws(() => parseUpstream("unix:@app"), {
    code: "ERR_SALLYPORT_CONFIG_INVALID",
    message: /names an abstract socket, and only files can be used; \.\/@app is one/,
  });
});

test("a connection that cannot be made says why in words", async (t) => {
  const folder = makeFolder(t);
  const missing = parseUpstream(`unix:${join(folder, "missing")}`);
  await assert.rejects(connectTo(missing, 5_000), {
    code: "ERR_SALLYPORT_UPSTREAM_UNREACHABLE",
    message: /no such socket/,
  });
  writeFileSync(join(folder, "file"), "");
  await assert.rejects(
    connectTo(parseUpstream(`unix:${join(folder, "file")}`), 5_000),
    /refused|not a socket|nothing is listening/,
  );
  const nobodys = parseUpstream(`127.0.0.1:${await freePort()}`);
  await assert.rejects(connectTo(nobodys, 5_000), /nothing is listening there/);
});

test("a connection that is not accepted in time is given up", async () => {
  // An address for documentation (RFC 5737): nobody answers there, or the system says at once that there is no way.
  await assert.rejects(connectTo({ kind: "tcp", host: "192.0.2.1", port: 9 }, 30), {
    code: "ERR_SALLYPORT_UPSTREAM_UNREACHABLE",
  });
});

test("a time of 0 for connecting is no limit", async (t) => {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  t.after(() => server.close());
  const { port } = server.address() as AddressInfo;
  const socket = await connectTo({ kind: "tcp", host: "127.0.0.1", port }, 0);
  socket.destroy();
});
