// One address for all versions of HTTP: ALPN or the first bytes decide on the version of a connection.
import assert from "node:assert/strict";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { connect as connectHttp2 } from "node:http2";
import { type AddressInfo, createServer as createNetServer, type Socket } from "node:net";
import { type TestContext, test } from "node:test";
import { connect as connectTls } from "node:tls";
import type { Config } from "../../src/config/config.ts";
import { type Handler, type Listener, silentLog } from "../../src/exchange/index.ts";
import { createServer } from "../../src/server/create.ts";
import { type WebOptions, webListener } from "../../src/server/web.ts";
import { Authority } from "../kit/certificate-authority.ts";
import { data, END_STREAM, FrameClient, frame, headers, PREFACE, post } from "../kit/http2-frames.ts";
import { Client } from "../kit/serve-http1.ts";
import { until } from "../kit/until.ts";

const version: Handler = (exchange) => {
  const { version, scheme } = exchange.request;
  exchange.respond({ status: 200, reason: "", headers: [] }, `${scheme} ${version}`);
};

const web = (t: TestContext, limits: WebOptions["limits"] = {}): Promise<number> =>
  servedBy(t, webListener({ handler: version, log: silentLog, limits }));

/** The port at which `listener` accepts until the test ends. */
async function servedBy(t: TestContext, listener: Listener): Promise<number> {
  const sockets: Socket[] = [];
  const server = createNetServer({ allowHalfOpen: true }, (socket) => {
    sockets.push(socket);
    listener.accept(socket);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  t.after(async () => {
    server.close();
    for (const socket of sockets) socket.destroy();
    await listener.close(0);
  });
  return (server.address() as AddressInfo).port;
}

const REQUEST = Buffer.concat([PREFACE, frame("SETTINGS", 0, 0), headers(1)]);

/** Sends each piece by itself: the next one leaves when the one before was taken. */
async function dribble(client: FrameClient, pieces: readonly Buffer[]): Promise<void> {
  for (const piece of pieces) {
    client.socket.write(piece);
    await new Promise((resolve) => setImmediate(resolve));
  }
}

test("a connection that begins with the preface speaks HTTP/2, any other HTTP/1.1", async (t) => {
  const port = await web(t);
  const second = (await FrameClient.to(port, false)).send(REQUEST);
  await second.next("DATA", 1);
  assert.equal(second.body(1), "http 2");
  const first = (await Client.to(port, {})).send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  assert.match(await first.has("http 1.1"), /^HTTP\/1\.1 200/);
});

test("a preface may come byte by byte, with all that follows", async (t) => {
  const client = await FrameClient.to(await web(t), false);
  await dribble(
    client,
    [...REQUEST].map((byte) => Buffer.from([byte])),
  );
  await client.next("DATA", 1);
  assert.equal(client.body(1), "http 2");
});

test("nothing is lost of what comes in the same bytes as the preface", async (t) => {
  const client = await FrameClient.to(await web(t), false);
  client.send(REQUEST, post(3, "content-length", "5"), data(3, "12345", END_STREAM), headers(5));
  await Promise.all([client.next("DATA", 3), client.next("DATA", 5)]);
  assert.deepEqual([client.body(1), client.body(3), client.body(5)], ["http 2", "http 2", "http 2"]);
});

for (const at of [1, 3, 15, 16, 17, 24]) {
  test(`a preface may be split after ${at} bytes`, async (t) => {
    const client = await FrameClient.to(await web(t), false);
    await dribble(client, [REQUEST.subarray(0, at), REQUEST.subarray(at)]);
    await client.next("DATA", 1);
    assert.equal(client.body(1), "http 2");
  });
}

for (const method of ["POST", "PRI", "PROPFIND", "PUT", "P"]) {
  test(`${method}, which begins like a preface, is a method all the same`, async (t) => {
    const client = await Client.to(await web(t), {});
    for (const byte of `${method} / HTTP/1.1\r\nHost: a\r\n\r\n`) {
      client.send(byte);
      await new Promise((resolve) => setImmediate(resolve));
    }
    assert.match(await client.has("http 1.1"), /^HTTP\/1\.1 200/);
  });
}

test("a preface is only one at the beginning of a connection", async (t) => {
  const client = await Client.to(await web(t), {});
  client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n", PREFACE.toString());
  assert.match(await client.all(), /http 1\.1HTTP\/1\.1 (400|505)/);
});

test("a preface that is never complete is closed like a silent connection", async (t) => {
  const client = await FrameClient.to(await web(t, { headTimeout: 100 }), false);
  client.send(PREFACE.subarray(0, 10));
  await client.all();
});

test("a wish to upgrade to h2c is ignored", async (t) => {
  const client = await Client.to(await web(t), {});
  const wish = "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n";
  client.send(`GET / HTTP/1.1\r\nHost: a\r\n${wish}\r\n`);
  assert.match(await client.has("http 1.1"), /^HTTP\/1\.1 200/);
});

test("connections of both versions count together", async (t) => {
  const port = await web(t, { connections: 2 });
  const client = (await FrameClient.to(port, false)).send(REQUEST);
  await client.next("DATA", 1);
  await (await Client.to(port, {})).send("GET / HTTP/1.1\r\nHost: a\r\n\r\n").has("http 1.1");
  assert.match(await (await Client.to(port, {})).all(), /^HTTP\/1\.1 503/);
});

test("a connection that turned out to speak HTTP/2 counts once", async (t) => {
  const listener = webListener({ handler: version, log: silentLog });
  const port = await servedBy(t, listener);
  const clients = [await FrameClient.to(port, false), await FrameClient.to(port, false)];
  for (const client of clients) await client.send(REQUEST).next("DATA", 1);
  assert.deepEqual(listener.load?.(), { connections: 2, inFlight: 0 });
  for (const { socket } of clients) socket.destroy();
  await until(() => listener.load?.()?.connections === 0);
});

test("connections that have ended make room for others, of both versions", async (t) => {
  const listener = webListener({ handler: version, log: silentLog, limits: { connections: 1 } });
  const port = await servedBy(t, listener);
  for (let i = 0; i < 3; i++) {
    const second = (await FrameClient.to(port, false)).send(REQUEST);
    await second.next("DATA", 1);
    assert.match(await (await Client.to(port, {})).all(), /^HTTP\/1\.1 503/);
    second.socket.destroy();
    await until(() => listener.load?.()?.connections === 0);
    const first = (await Client.to(port, {})).send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    await first.has("http 1.1");
    first.socket.destroy();
    await until(() => listener.load?.()?.connections === 0);
  }
});

test("a listener of all versions closes all of them", async (t) => {
  const listener = webListener({ handler: version, log: silentLog });
  const server = createNetServer({ allowHalfOpen: true }, (socket) => listener.accept(socket));
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  t.after(() => server.close());
  const { port } = server.address() as AddressInfo;
  const first = (await Client.to(port, {})).send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  const second = (await FrameClient.to(port, false)).send(REQUEST);
  await Promise.all([first.has("http 1.1"), second.next("DATA", 1)]);
  await Promise.all([listener.close(5_000), first.all(), second.all().then(() => second.socket.end())]);
  assert.equal(second.find("GOAWAY")?.payload.readUInt32BE(4), 0);
});

const authority = new Authority();
const keys = authority.server("server", ["localhost", "127.0.0.1"]);

/** The URL of a server with TLS. */
async function secured(t: TestContext, limits: Config["limits"] = {}): Promise<URL> {
  const listen = [{ address: "127.0.0.1:0", tls: keys as never }];
  const server = createServer({ listen, limits, apps: { app: { handle: version } } }, { log: silentLog });
  t.after(() => server.stop(0));
  const [url = ""] = await server.start();
  return new URL(url);
}

test("TLS agrees on HTTP/2 where the client knows it (ALPN)", async (t) => {
  const session = connectHttp2(await secured(t), { ca: readFileSync(authority.ca) });
  t.after(() => session.destroy());
  const request = session.request();
  const pieces: Buffer[] = [];
  for await (const piece of request) pieces.push(piece);
  assert.equal(`${session.alpnProtocol} ${Buffer.concat(pieces)}`, "h2 https 2");
});

test("connections of both versions count together over TLS", async (t) => {
  const url = await secured(t, { connections: 1 });
  const options = { port: Number(url.port), host: "127.0.0.1", ca: readFileSync(authority.ca) };
  const session = connectHttp2(url, { ca: options.ca });
  t.after(() => session.destroy());
  await once(session, "remoteSettings");
  const client = new Client(connectTls({ ...options, ALPNProtocols: ["http/1.1"] }));
  assert.match(await client.all(), /^HTTP\/1\.1 503/);
});

test("invalid HPACK over TLS, and an abrupt end, cost one connection (T3)", async (t) => {
  const url = await secured(t);
  const options = {
    port: Number(url.port),
    host: "127.0.0.1",
    servername: "localhost",
    rejectUnauthorized: false,
  };
  for (let i = 0; i < 5; i++) {
    const socket = connectTls({ ...options, ALPNProtocols: ["h2"] });
    const evil = new FrameClient(socket);
    await once(socket, "secureConnect");
    evil.send(PREFACE, frame("SETTINGS", 0, 0), frame("HEADERS", 5, 1, Buffer.alloc(16_000, 0xff)));
    if (i % 2 === 0) await evil.goawayCode();
    socket.destroy();
  }
  const session = connectHttp2(url, { ca: readFileSync(authority.ca) });
  t.after(() => session.destroy());
  const request = session.request();
  request.resume();
  const [fields] = await once(request, "response");
  assert.equal(fields[":status"], 200);
});

for (const offered of [["http/1.1"], ["http/1.0"], []]) {
  test(`TLS stays with HTTP/1.1 for a client that offers ${offered[0] ?? "nothing"}`, async (t) => {
    const { port } = await secured(t);
    const options = {
      port: Number(port),
      host: "127.0.0.1",
      servername: "localhost",
      rejectUnauthorized: false,
    };
    const client = new Client(connectTls({ ...options, ALPNProtocols: offered }));
    t.after(() => client.socket.destroy());
    client.send("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
    assert.match(await client.has("https 1.1"), /^HTTP\/1\.1 200/);
  });
}
