import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { createConnection, createServer, type Socket } from "node:net";
import { join } from "node:path";
import { test } from "node:test";
import { addressIn, type ListenAddress } from "../../src/config/address.ts";
import { bind } from "../../src/server/listen.ts";
import { makeFolder } from "../kit/make-folder.ts";

const directory = makeFolder();

const greet = (socket: Socket): void => void socket.end("hello");
const tcp = (port: number): ListenAddress => ({
  protocol: "http",
  kind: "tcp",
  host: "127.0.0.1",
  port,
});
const unix = (name: string): ListenAddress & { kind: "unix" } => ({
  protocol: "http",
  kind: "unix",
  path: join(directory, name),
});

/** What a server at `where` says first. */
async function heard(where: { port: number } | { path: string }): Promise<string> {
  const socket = createConnection(where);
  let text = "";
  for await (const chunk of socket) text += chunk;
  return text;
}

const unusable = (pattern: RegExp) => (error: Error & { code?: string }) => {
  assert.equal(error.code, "ERR_SALLYPORT_ADDRESS_UNUSABLE");
  assert.match(error.message, pattern);
  return true;
};

test("port 0 takes a free port and reports it", async () => {
  const bound = await bind(tcp(0), greet);
  const { port, hostname } = new URL(bound.url);
  assert.equal(hostname, "127.0.0.1");
  assert.equal(await heard({ port: Number(port) }), "hello");
  await bound.close();
  await assert.rejects(heard({ port: Number(port) }), { code: "ECONNREFUSED" });
});

test("a port that another program has is unusable, and the message says what to do", async (t) => {
  const other = createServer().listen(0, "127.0.0.1");
  t.after(() => other.close());
  await once(other, "listening");
  const { port } = other.address() as { port: number };
  await assert.rejects(
    bind(tcp(port), greet),
    unusable(
      new RegExp(
        `^cannot listen at http://127\\.0\\.0\\.1:${port}: another program is listening there; stop it`,
      ),
    ),
  );
});

test("a place that this process has itself is not said to be another program's", async () => {
  const first = await bind(tcp(0), greet);
  const port = Number(new URL(first.url).port);
  for (const host of ["127.0.0.1", "0.0.0.0", "localhost"])
    await assert.rejects(
      bind({ ...tcp(port), host } as ListenAddress, greet, "--admin"),
      unusable(
        new RegExp(`this process itself listens there, at ${first.url}; .* choose another port with --admin`),
      ),
    );
  await first.close();
  await (await bind(tcp(port), greet)).close();

  const second = await bind(unix("own.sock"), greet);
  await assert.rejects(
    bind(unix("own.sock"), greet),
    unusable(/this process itself listens there; name the path once/),
  );
  assert.equal(await heard({ path: unix("own.sock").path }), "hello");
  await second.close();
});

test("an address that this machine does not have is unusable", async () => {
  await assert.rejects(
    bind({ protocol: "http", kind: "tcp", host: "192.0.2.1", port: 0 }, greet),
    unusable(/no such address/),
  );
});

test("a host that other servers would take is told as ours: all addresses, and a link-local one", async () => {
  const at = (host: string): ListenAddress => ({ ...tcp(8000), host }) as ListenAddress;
  await assert.rejects(
    bind(at("*"), greet),
    unusable(/\*:8000: all addresses of this machine are 0\.0\.0\.0, and \[::\]/),
  );
  await assert.rejects(
    bind(at("fe80::1"), greet),
    unusable(/needs the interface that it is on, such as \[fe80::1%eth0\]/),
  );
});

test("IPv6 is shown in brackets", async (t) => {
  const address: ListenAddress = { protocol: "http", kind: "tcp", host: "::1", port: 0 };
  const bound = await bind(address, greet).catch((error) => t.skip(`no IPv6 here: ${error.message}`));
  if (!bound) return;
  assert.match(bound.url, /^http:\/\/\[::1\]:\d+$/);
  await bound.close();
});

test("a Unix socket has the wanted mode from the start, is reported by its path, and is gone at the end", async () => {
  const address = { ...unix("mode.sock"), mode: 0o620 };
  const umask = process.umask();
  const bound = await bind(address, greet);
  assert.equal(process.umask(), umask);
  assert.equal(bound.url, `unix:${address.path}`);
  assert.equal(statSync(address.path).mode & 0o777, 0o620);
  assert.equal(await heard({ path: address.path }), "hello");
  await bound.close();
  assert.equal(existsSync(address.path), false);
});

test("an owner that does not exist makes the address unusable and leaves no socket behind", async () => {
  const address = { ...unix("owner.sock"), owner: "nobody-of-this-name" };
  await assert.rejects(
    bind(address, greet),
    unusable(
      /owner\.sock: it cannot be given to "nobody-of-this-name": there is no such user, or group, on this/,
    ),
  );
  await assert.rejects(
    bind({ ...address, owner: "root:no-such-group" }, greet),
    unusable(/there is no such user/),
  );
  assert.equal(existsSync(address.path), false);
});

test("an abstract socket is refused, and not made as a file; ./@name is a file", async () => {
  const abstract = { ...unix(""), path: "@sallyport" };
  await assert.rejects(
    bind(addressIn(directory, abstract), greet),
    unusable(
      /unix:@sallyport: the path names an abstract socket, and only files can be used; \.\/@sallyport is one$/,
    ),
  );
  assert.deepEqual([existsSync("@sallyport"), existsSync(join(directory, "@sallyport"))], [false, false]);
  const bound = await bind(addressIn(directory, { ...abstract, path: "./@sallyport" }), greet);
  assert.equal(await heard({ path: join(directory, "@sallyport") }), "hello");
  await bound.close();
});

test("a Unix socket in a directory that is not there says so", async () => {
  await assert.rejects(bind(unix("nowhere/x.sock"), greet), unusable(/its directory does not exist/));
});

/** A process that listens at a Unix socket and is killed: its file stays. */
async function leaveStale(path: string): Promise<void> {
  const program = `require("node:net").createServer().listen(${JSON.stringify(path)}, () => console.log("up"))`;
  const child = spawn(process.execPath, ["-e", program], { stdio: ["ignore", "pipe", "inherit"] });
  await once(child.stdout, "data");
  child.kill("SIGKILL");
  await once(child, "close");
  assert.ok(existsSync(path));
}

test("the socket of a server that died is replaced", async () => {
  const address = unix("stale.sock");
  await leaveStale(address.path);
  const bound = await bind(address, greet);
  assert.equal(await heard({ path: address.path }), "hello");
  await bound.close();
});

test("the socket of a living server is never stolen", async () => {
  const address = unix("live.sock");
  const living = createServer((socket) => socket.on("error", () => {}).end("first")).listen(address.path);
  await once(living, "listening");
  await assert.rejects(bind(address, greet), unusable(/belongs to a server that is running; stop it first/));
  assert.equal(await heard({ path: address.path }), "first");
  living.close();
});

test("a file or a link in the place of the socket is left alone", async () => {
  const file = unix("file.sock");
  writeFileSync(file.path, "precious");
  await assert.rejects(bind(file, greet), unusable(/is a file of another kind/));
  const link = unix("link.sock");
  symlinkSync(file.path, link.path);
  await assert.rejects(bind(link, greet), unusable(/is a file of another kind/));
  assert.equal(statSync(file.path).size, 8);
});

test("a Unix socket in a directory that is missing, or with a path that is too long, is unusable", async () => {
  await assert.rejects(
    bind(unix("no/such.sock"), greet),
    unusable(/its directory does not exist|permission/),
  );
  await assert.rejects(bind(unix("x".repeat(200)), greet), unusable(/longer than/));
});

test("a descriptor that is not a listening socket is unusable", async () => {
  await assert.rejects(
    bind({ protocol: "http", kind: "fd", fd: 4999 }, greet),
    unusable(/^cannot listen at fd:4999: .*(socket|descriptor)/),
  );
});

test("L1: a client that has ended its side is still answered", async () => {
  const bound = await bind(tcp(0), (socket) => {
    socket.on("end", () => socket.end("after the end")).resume();
  });
  const socket = createConnection({ port: Number(new URL(bound.url).port) });
  socket.end();
  let text = "";
  for await (const chunk of socket) text += chunk;
  assert.equal(text, "after the end");
  await bound.close();
});
