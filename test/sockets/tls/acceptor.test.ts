import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readdirSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { test } from "node:test";
import { connect as connectTls } from "node:tls";
import { type Handler, SallyportError } from "../../../src/exchange/index.ts";
import { ProxyAcceptor } from "../../../src/sockets/proxy-protocol/acceptor.ts";
import { Authority, textOf } from "../../kit/certificate-authority.ts";
import {
  allFrom,
  contextsFor,
  GET,
  PATIENT,
  plain,
  secure,
  serveTls,
  tellConnection,
  told,
  trusting,
} from "../../kit/serve-tls.ts";

const authority = new Authority();
const first = authority.server("first", ["example.org"]);
const second = authority.server("second", ["*.example.net"]);
const trust = trusting(authority.ca);
const settings = first;
const KEPT = GET.replace("Connection: close\r\n", "");

test("requests that came by TLS have the scheme https, and know protocol, cipher, name and certificate", async (t) => {
  const { port } = await serveTls(t, tellConnection, { settings });
  const { scheme, remote, tls } = await told(port, trust);
  assert.equal(scheme, "https");
  assert.equal(remote.address, "127.0.0.1");
  assert.equal(tls.protocol, "TLSv1.3");
  assert.match(tls.cipher, /^TLS_AES_/);
  assert.equal(tls.serverName, "example.org");
  assert.equal(tls.certificate, textOf(first.cert));
  const older = await told(port, { ...trust, maxVersion: "TLSv1.2" });
  assert.equal(older.tls.protocol, "TLSv1.2");
  assert.match(older.tls.cipher, /^TLS_ECDHE_ECDSA_WITH_AES_/, "the registry's name, not that of OpenSSL");
});

test("a handshake may be without a limit, and so may the wait for a client that speaks HTTP to end", async (t) => {
  const endless = { ...settings, handshakeTimeout: Number.POSITIVE_INFINITY };
  const { port } = await serveTls(t, tellConnection, { settings: endless });
  assert.equal((await told(port, trust)).scheme, "https");
  const socket = await plain(port);
  socket.end(GET);
  assert.match(await allFrom(socket), /^HTTP\/1\.1 400 /);
});

test("a client is shown the certificate that has the name it asks for, and otherwise the first", async (t) => {
  const { port } = await serveTls(t, tellConnection, { settings: { ...first, others: [second] } });
  const other = await told(port, { ...trust, servername: "shop.example.net" });
  assert.equal(other.tls.certificate, textOf(second.cert));
  assert.equal(other.tls.serverName, "shop.example.net");
  const checkServerIdentity = () => undefined;
  const unknown = await told(port, { ...trust, servername: "example.com", checkServerIdentity });
  assert.equal(unknown.tls.certificate, textOf(first.cert));
  const nameless = await told(port, { ...trust, servername: "", checkServerIdentity });
  assert.equal(nameless.tls.certificate, textOf(first.cert));
  assert.equal(nameless.tls.serverName, "");
});

test("a client that speaks no common protocol within TLS is refused, one that says nothing of it is not", async (t) => {
  const { port, logged } = await serveTls(t, tellConnection, { settings, protocols: ["h2", "http/1.1"] });
  assert.equal(
    (await secure(port, { ...trust, ALPNProtocols: ["http/1.1"] })).destroy().alpnProtocol,
    "http/1.1",
  );
  assert.equal(
    (await secure(port, { ...trust, ALPNProtocols: ["http/1.1", "h2"] })).destroy().alpnProtocol,
    "h2",
  );
  assert.equal((await told(port, trust)).scheme, "https");
  // RFC 7301, 3.2.
  await assert.rejects(
    secure(port, { ...trust, ALPNProtocols: ["spdy/1"] }),
    /alert no application protocol/,
  );
  await logged(/^TLS: handshake failed: no application protocol$/);
});

test("an HTTP request without TLS is told that the port speaks HTTPS", async (t) => {
  const { port, lines } = await serveTls(t, tellConnection, { settings });
  const socket = await plain(port);
  socket.write(GET);
  const answer = await allFrom(socket);
  assert.match(answer, /^HTTP\/1\.1 400 Bad Request\r\n/);
  assert.match(answer, /\r\nConnection: close\r\n\r\n.*ERR_SALLYPORT_BAD_REQUEST\nthis port speaks HTTPS/s);
  assert.deepEqual(
    lines.map(({ fields }) => fields),
    [{ code: "ERR_SALLYPORT_BAD_REQUEST", fault: "client", remote: "127.0.0.1" }],
  );
});

test("a refused client that goes on sending is cut off in time", async (t) => {
  const { port } = await serveTls(t, tellConnection, { settings: { ...settings, handshakeTimeout: 300 } });
  const socket = connect({ port, host: "127.0.0.1", allowHalfOpen: true });
  socket.on("error", () => {}).resume();
  const timer = setInterval(() => socket.writable && socket.write(GET), 10);
  t.after(() => clearInterval(timer));
  await new Promise((resolve) => socket.once("close", resolve));
});

test("garbage ends the connection, is logged in one line, and the next client is served", async (t) => {
  const { port, lines } = await serveTls(t, tellConnection, { settings });
  const socket = await plain(port);
  socket.write(Buffer.alloc(4096, 0x9b));
  await allFrom(socket);
  assert.equal(lines.length, 1);
  assert.match(lines[0]?.message ?? "", /^TLS: handshake failed: [a-z ]+$/);
  assert.deepEqual(lines[0]?.fields, { code: undefined, fault: "client", remote: "127.0.0.1" });
  assert.equal((await told(port, trust)).scheme, "https");
});

test("T3: garbage after the handshake ends the connection, not the process", async (t) => {
  const { port } = await serveTls(t, tellConnection, { settings });
  for (const garbage of [
    Buffer.alloc(64, 0x9b),
    Buffer.from("170303ffff", "hex"),
    Buffer.from("1703030020", "hex"),
  ]) {
    const below = await plain(port);
    const socket = connectTls({ socket: below, servername: "example.org", ...trust });
    await once(socket, "secureConnect");
    below.write(Buffer.concat([garbage, Buffer.alloc(64)]));
    await allFrom(socket);
  }
  assert.equal((await told(port, trust)).scheme, "https");
});

test("a connection that sends nothing is ended in time, and not logged", async (t) => {
  const { port, lines } = await serveTls(t, tellConnection, {
    settings: { ...settings, handshakeTimeout: 50 },
  });
  const socket = await plain(port);
  assert.equal(await allFrom(socket), "");
  const left = await plain(port);
  left.end();
  await allFrom(left);
  assert.deepEqual(lines, []);
});

/** The first record of a handshake. */
async function hello(): Promise<Buffer> {
  const { createServer } = await import("node:net");
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as import("node:net").AddressInfo;
  const client = connectTls({ port, host: "127.0.0.1" });
  client.on("error", () => {});
  const [socket] = (await once(server, "connection")) as [import("node:net").Socket];
  const [bytes] = (await once(socket, "data")) as [Buffer];
  client.destroy();
  socket.destroy();
  server.close();
  return bytes;
}

test("half a handshake is ended in time, and noted in one line", async (t) => {
  const { port, lines, logged } = await serveTls(t, tellConnection, {
    settings: { ...settings, handshakeTimeout: 500 },
  });
  const socket = await plain(port);
  socket.write((await hello()).subarray(0, 100));
  await allFrom(socket);
  await logged(/./);
  assert.deepEqual(
    lines.map(({ message }) => message),
    ["TLS: handshake failed: it took too long"],
  );
});

test("handshakes at once are bounded: the next is closed and noted, and when one has ended there is room again", async (t) => {
  const { port, lines } = await serveTls(t, tellConnection, { settings: { ...settings, handshakes: 2 } });
  const held = [await plain(port), await plain(port)];
  assert.equal(await allFrom(await plain(port)), "");
  assert.deepEqual(
    lines.map(({ message }) => message),
    ["TLS: the limit of handshakes at once is reached"],
  );
  const ended = allFrom(held[0] as (typeof held)[0]);
  held[0]?.end();
  await ended;
  assert.equal((await told(port, trust)).scheme, "https");
  held[1]?.destroy();
});

test("connections whose handshake is over do not count as handshakes", async (t) => {
  const { port } = await serveTls(t, tellConnection, { settings: { ...settings, handshakes: 1 } });
  for (let i = 0; i < 3; i++) {
    const socket = await secure(port, trust);
    t.after(() => socket.destroy());
    socket.write(KEPT);
    await once(socket, "data");
  }
});

const descriptors = (): number => readdirSync("/proc/self/fd").length;

test("L2: 200 handshakes that are broken off half way leave no descriptor", {
  skip: process.platform !== "linux",
}, async (t) => {
  const { port, lines } = await serveTls(t, tellConnection, { settings });
  await told(port, trust);
  const bytes = await hello();
  const before = descriptors();
  for (let round = 0; round < 10; round++) {
    const sockets = await Promise.all(Array.from({ length: 20 }, () => plain(port)));
    for (const [i, socket] of sockets.entries()) {
      const reply = once(socket, "data");
      socket.write(bytes.subarray(0, i % 2 === 0 ? bytes.length : 60));
      if (i % 2 === 0) await reply;
      if (i % 4 < 2) socket.resetAndDestroy();
      else socket.destroy();
    }
  }
  while (descriptors() > before) await new Promise((resolve) => setTimeout(resolve, 10));
  assert.ok(lines.length >= 100 && lines.length <= 200, `${lines.length} lines`);
});

test("the end of the acceptor ends the handshakes under way, and not the connections", async (t) => {
  const { port, acceptor } = await serveTls(t, tellConnection, { settings });
  const served = await secure(port, trust);
  const arriving = await plain(port);
  arriving.write((await hello()).subarray(0, 100));
  await new Promise((resolve) => setTimeout(resolve, 50));
  await acceptor.close(0);
  assert.equal(await allFrom(arriving), "");
  served.write(GET);
  assert.match(await allFrom(served), /^HTTP\/1\.1 200 /);
});

test("behind a PROXY header the client is the one that it names, and TLS follows in the same segment", async (t) => {
  const before = (accept: (socket: import("node:net").Socket) => void) => {
    const log = { debug() {}, info() {}, warn() {}, error() {} };
    const outer = new ProxyAcceptor({ accept, expects: () => true, log, timeout: 60_000, most: 10 });
    return (socket: import("node:net").Socket) => outer.accept(socket);
  };
  const { port } = await serveTls(t, tellConnection, { settings, before });
  const below = await plain(port);
  below.cork();
  below.write("PROXY TCP4 203.0.113.9 198.51.100.1 5000 443\r\n");
  const socket = connectTls({ socket: below, servername: "example.org", ...trust });
  process.nextTick(() => below.uncork());
  await once(socket, "secureConnect");
  socket.write(GET);
  const answer = await allFrom(socket);
  const { scheme, remote } = JSON.parse(answer.slice(answer.indexOf("\r\n\r\n"))) as Awaited<
    ReturnType<typeof told>
  >;
  assert.deepEqual({ scheme, remote }, { scheme: "https", remote: { address: "203.0.113.9", port: 5000 } });
});

test("a session is resumed", async (t) => {
  const { port } = await serveTls(t, tellConnection, { settings });
  for (const maxVersion of ["TLSv1.3", "TLSv1.2"] as const) {
    const one = await secure(port, { ...trust, maxVersion });
    one.write(GET);
    await once(one, "data");
    // In TLS 1.3 it comes before the answer, in TLS 1.2 within the handshake.
    const session = one.getSession();
    one.destroy();
    const again = await secure(port, { ...trust, maxVersion, session });
    assert.equal(again.isSessionReused(), true, maxVersion);
    again.write(GET);
    // OpenSSL does not give the name again for a resumed session of TLS 1.2.
    assert.match(
      await allFrom(again),
      maxVersion === "TLSv1.3" ? /"serverName":"example\.org"/ : /"scheme":"https"/,
    );
  }
});

test("new certificates are used for new connections, and the old connections go on", async (t) => {
  const { port, acceptor } = await serveTls(t, tellConnection, { settings });
  const old = await secure(port, trust);
  old.write(KEPT);
  await once(old, "data");
  const renewed = authority.server("renewed", ["example.org"]);
  acceptor.setContexts(await contextsFor({ ...PATIENT, ...renewed, clientCertificates: "off" }));
  assert.equal((await told(port, trust)).tls.certificate, textOf(renewed.cert));
  const again = await secure(port, { ...trust, session: old.getSession() });
  assert.equal(again.isSessionReused(), false, "a session of the old certificates");
  again.destroy();
  old.write(GET);
  assert.match(await allFrom(old), /HTTP\/1\.1 200 /);
});

test("L1: a client that has ended its side of TLS is still answered", async (t) => {
  const { port } = await serveTls(
    t,
    (exchange) =>
      void setTimeout(() => exchange.respond({ status: 200, reason: "", headers: [] }, "late"), 100),
    { settings },
  );
  const socket = await secure(port, { ...trust, allowHalfOpen: true });
  socket.end(GET);
  assert.match(await allFrom(socket), /late$/);
});

test("a client that reads nothing of a long response is cut, TLS or not", async (t) => {
  const outcome = new Promise<string | undefined>((resolve) => {
    serveTls(
      t,
      (exchange) => {
        exchange.whenClosed(({ error }) => resolve(error?.code));
        exchange.start({ status: 200, reason: "", headers: [] });
        const piece = new Uint8Array(65_536);
        const more = (): void => {
          while (exchange.write(piece));
          exchange.whenDrained(more);
        };
        more();
      },
      { settings, limits: { sendTimeout: 200 } },
    ).then(async ({ port }) => {
      const socket = await secure(port, trust);
      socket.pause();
      socket.on("error", () => {});
      socket.write(GET);
      t.after(() => socket.destroy());
    });
  });
  assert.equal(await outcome, "ERR_SALLYPORT_CLIENT_STALLED");
});

test("a client that leaves within a response is noticed", async (t) => {
  let closed: (code: string | undefined) => void;
  const outcome = new Promise<string | undefined>((resolve) => {
    closed = resolve;
  });
  const { port } = await serveTls(
    t,
    (exchange) => {
      exchange.whenClosed(({ error }) => closed(error?.code));
      exchange.start({ status: 200, reason: "", headers: [] });
      exchange.write(Buffer.from("some"));
    },
    { settings },
  );
  const socket = await secure(port, trust);
  socket.write(GET);
  await once(socket, "data");
  socket.destroy();
  assert.equal(await outcome, "ERR_SALLYPORT_CLIENT_LEFT");
});

test("a response that fails half way never looks complete", async (t) => {
  const { port } = await serveTls(
    t,
    (exchange) => {
      exchange.start({ status: 200, reason: "", headers: [] });
      exchange.write(Buffer.from("some"));
      setTimeout(() => exchange.fail(new SallyportError("APP_ABORTED", "on purpose")), 20);
    },
    { settings },
  );
  const socket = await secure(port, trust);
  socket.write(GET);
  const text = await allFrom(socket);
  assert.match(text, /some/);
  assert.doesNotMatch(text, /\r\n0\r\n/);
});

test("a client that resets its connection behind its first request keeps its address", async (t) => {
  const remotes: string[] = [];
  const notes: Handler = (exchange) => {
    remotes.push(exchange.request.remote.address);
    tellConnection(exchange);
  };
  let closed: (() => void) | undefined;
  const gone = new Promise<void>((resolve) => {
    closed = resolve;
  });
  const before = (accept: (socket: Socket) => void) => (socket: Socket) =>
    accept(socket.on("close", () => closed?.()));
  const { port } = await serveTls(t, notes, { settings, before });
  // The server reads the end of the handshake, the request and the reset in one turn.
  const sleeper = new Int32Array(new SharedArrayBuffer(4));
  const slow = setInterval(() => Atomics.wait(sleeper, 0, 0, 100), 1);
  t.after(() => clearInterval(slow));
  const program = `const raw = require("node:net").connect(process.argv[1], "127.0.0.1");
    const socket = require("node:tls").connect({ socket: raw, rejectUnauthorized: false });
    socket.on("error", () => {}).on("secureConnect", () => {
      socket.write(process.argv[2]);
      setTimeout(() => raw.resetAndDestroy(), 10);
    });`;
  spawn(process.execPath, ["-e", program, String(port), GET], { stdio: "inherit" });
  await gone;
  assert.deepEqual(remotes, ["127.0.0.1"]);
});
