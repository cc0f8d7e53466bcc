// WebSockets of servers of node:http, by their "upgrade": with the library that most use, behind whole servers.
import assert from "node:assert/strict";
import { once } from "node:events";
import { readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { createServer as createHttp, type IncomingMessage, type Server } from "node:http";
import { connect } from "node:http2";
import type { Socket } from "node:net";
import { join } from "node:path";
import type { Duplex } from "node:stream";
import { type TestContext, test } from "node:test";
import { fileURLToPath, pathToFileURL } from "node:url";
import { type ClientOptions, WebSocket, WebSocketServer } from "ws";
import type { Config } from "../../src/config/config.ts";
import { createServer } from "../../src/server/create.ts";
import { type KeptLog, keepLog } from "../kit/keep-log.ts";
import { makeCertificate } from "../kit/make-certificate.ts";
import { makeFolder } from "../kit/make-folder.ts";
import { until } from "../kit/until.ts";

interface Started {
  readonly url: URL;
  readonly logged: KeptLog["logged"];
  readonly stop: (grace?: number) => Promise<void>;
  open(path?: string, protocols?: string[], options?: ClientOptions): WebSocket;
}

/** A server of ours whose only app is `app`, until the test ends. */
async function started(t: TestContext, app: unknown, more: Partial<Config> = {}): Promise<Started> {
  const { log, logged } = keepLog();
  const config = { listen: ["127.0.0.1:0"], ...more, apps: { app: { app, timeout: "1s" } } } as Config;
  const server = createServer(config, { log });
  const clients: WebSocket[] = [];
  t.after(async () => {
    for (const client of clients) client.terminate();
    await server.stop(0);
  });
  const url = new URL(`${(await server.start())[0]}`);
  return {
    url,
    logged,
    stop: (grace = 0) => server.stop(grace),
    open(path = "/", protocols = [], options = {}) {
      const address = new URL(path, url.href.replace("http", "ws"));
      const client = new WebSocket(address, protocols, { rejectUnauthorized: false, ...options });
      client.on("error", () => {});
      clients.push(client);
      return client;
    },
  };
}

/** Sends back what comes. */
function echoing(): { http: Server; sockets: WebSocketServer; seen: IncomingMessage[] } {
  const http = createHttp((_, res) => void res.end("plain"));
  const sockets = new WebSocketServer({ server: http, path: "/chat", perMessageDeflate: true });
  const seen: IncomingMessage[] = [];
  sockets.on("connection", (socket, request) => {
    seen.push(request);
    socket.on("message", (data, binary) => socket.send(data, { binary }));
  });
  return { http, sockets, seen };
}

const next = async (client: WebSocket): Promise<[Buffer, boolean]> =>
  (await once(client, "message")) as [Buffer, boolean];
const codeOf = async (socket: WebSocket): Promise<string> => {
  const [code, reason] = await once(socket, "close");
  return `${code} ${reason}`.trim();
};

for (const secure of [false, true])
  test(`messages of any size pass both ways, ${secure ? "with TLS" : "without TLS"}; the listener compresses`, async (t) => {
    const { http, seen } = echoing();
    const certificate = makeCertificate();
    t.after(certificate.remove);
    const { cert, key } = certificate;
    const listen = secure ? [{ address: "127.0.0.1:0", tls: { cert, key } }] : ["127.0.0.1:0"];
    const { url, open } = await started(t, http, { listen });
    const client = open("/chat?a", ["one", "two"]);
    await once(client, "open");
    assert.deepEqual([client.protocol, client.extensions.includes("permessage-deflate")], ["one", true]);
    for (const size of [0, 5, 125, 126, 65_536, 1_000_000]) {
      client.send("é".repeat(size));
      const [data, binary] = await next(client);
      assert.deepEqual([binary, data.toString() === "é".repeat(size)], [false, true]);
      client.send(Buffer.alloc(size, 7));
      assert.deepEqual(await next(client), [Buffer.alloc(size, 7), true]);
    }
    const [request] = seen as [IncomingMessage];
    assert.deepEqual([request.url, request.method, request.headers.host], ["/chat?a", "GET", url.host]);
    assert.equal(request.headers["sec-websocket-extensions"], undefined);
    const { socket } = request as { socket: Duplex & { remoteAddress?: string; encrypted?: boolean } };
    assert.deepEqual([socket.remoteAddress, socket.encrypted], ["127.0.0.1", secure]);
    if (!secure) assert.equal(await (await fetch(url)).text(), "plain");
  });

test("who closes says why, and the other is told", async (t) => {
  const { http, sockets } = echoing();
  const { open } = await started(t, http);
  for (const [code, reason, told] of [
    [4001, "bye", "4001 bye"],
    [1000, "", "1000"],
    // Clients that connect again do so after any other code than 1000.
    [undefined, "", "1005"],
  ] as const) {
    const client = open("/chat");
    const [socket] = (await once(sockets, "connection")) as [WebSocket];
    await once(client, "open");
    client.close(code, reason);
    assert.deepEqual(await Promise.all([codeOf(socket), codeOf(client)]), [told, told]);
    const other = open("/chat");
    const [own] = (await once(sockets, "connection")) as [WebSocket];
    await once(other, "open");
    own.close(code, reason);
    assert.deepEqual(await Promise.all([codeOf(own), codeOf(other)]), [told, told]);
  }
  await until(() => sockets.clients.size === 0);
});

test("one that is ended without a close frame does not look closed: 1011 for the client, 1006 for the application", async (t) => {
  const { http, sockets } = echoing();
  const { open, logged } = await started(t, http);
  const client = open("/chat");
  const [socket] = (await once(sockets, "connection")) as [WebSocket];
  await once(client, "open");
  socket.terminate();
  assert.deepEqual(await Promise.all([codeOf(socket), codeOf(client)]), ["1006", "1011"]);
  await logged(/the application destroyed its WebSocket/);
  const other = open("/chat");
  const [own] = (await once(sockets, "connection")) as [WebSocket];
  await once(other, "open");
  other.terminate();
  assert.equal(await codeOf(own), "1006");
});

test("pings of the application's are answered, also by who has nothing to say", async (t) => {
  const { http, sockets } = echoing();
  const { open } = await started(t, http);
  const client = open("/chat");
  const [socket] = (await once(sockets, "connection")) as [WebSocket];
  await once(client, "open");
  socket.ping("are you there");
  assert.equal(String((await once(socket, "pong"))[0]), "are you there");
});

test("an application that refuses answers by HTTP, and the paths of others are refused by its library", async (t) => {
  const http = createHttp();
  const sockets = new WebSocketServer({
    noServer: true,
    verifyClient: (_, done) => done(false, 401, "not you", { "X-Why": "no" }),
  });
  http.on("request", (_, res) => res.end());
  http.on("upgrade", (req, socket, early) => sockets.handleUpgrade(req, socket, early, () => {}));
  const { open } = await started(t, http);
  const [, refused] = (await once(open("/any"), "unexpected-response")) as [unknown, IncomingMessage];
  assert.deepEqual([refused.statusCode, refused.headers["x-why"]], [401, "no"]);
  assert.equal(String(Buffer.concat(await refused.toArray())), "not you");
  const chat = await started(t, echoing().http);
  const [, other] = (await once(chat.open("/other"), "unexpected-response")) as [unknown, IncomingMessage];
  assert.equal(other.statusCode, 400);
});

test("a client that reads slowly holds the application back, and gets all of it", async (t) => {
  const http = createHttp();
  http.on("request", (_, res) => res.end());
  const sockets = new WebSocketServer({ server: http });
  const { open } = await started(t, http, { limits: { websocket: { compress: false } } });
  const client = open("/");
  const [socket] = (await once(sockets, "connection")) as [WebSocket];
  await once(client, "open");
  client.pause();
  let sent = 0;
  const all = 200;
  const message = Buffer.alloc(262_144);
  for (let i = 0; i < all; i++) socket.send(message, () => sent++);
  await until(() => sent > 0);
  await new Promise((resolve) => setTimeout(resolve, 300));
  assert.ok(sent < all, `${sent} of ${all} were taken from the application`);
  let received = 0;
  client.on("message", () => received++);
  client.resume();
  await until(() => received === all);
  await until(() => sent === all);
});

test("an application that reads slowly holds the client back, and gets all of it", async (t) => {
  const http = createHttp();
  http.on("request", (_, res) => res.end());
  const sockets = new WebSocketServer({ server: http });
  const { open } = await started(t, http, { limits: { websocket: { compress: false } } });
  const client = open("/");
  const [socket] = (await once(sockets, "connection")) as [WebSocket];
  await once(client, "open");
  socket.pause();
  let sent = 0;
  const all = 200;
  for (let i = 0; i < all; i++) client.send(Buffer.alloc(262_144), () => sent++);
  await new Promise((resolve) => setTimeout(resolve, 300));
  assert.ok(sent < all, `${sent} of ${all} were taken from the client`);
  let received = 0;
  socket.on("message", () => received++);
  socket.resume();
  await until(() => received === all);
});

test("over HTTP/2 an application sees the same handshake", async (t) => {
  const { http, seen } = echoing();
  const certificate = makeCertificate();
  t.after(certificate.remove);
  const { cert, key } = certificate;
  const { url } = await started(t, http, { listen: [{ address: "127.0.0.1:0", tls: { cert, key } }] });
  const session = connect(url, { rejectUnauthorized: false });
  t.after(() => session.destroy());
  await once(session, "remoteSettings");
  const stream = session.request(
    {
      ":method": "CONNECT",
      ":protocol": "websocket",
      ":path": "/chat",
      "sec-websocket-version": "13",
      "sec-websocket-protocol": "one",
    },
    { endStream: false },
  );
  const [response] = await once(stream, "response");
  assert.deepEqual([response[":status"], response["sec-websocket-protocol"]], [200, "one"]);
  stream.write(Buffer.from("\x81\x85\0\0\0\0hello", "latin1"));
  const [echo] = (await once(stream, "data")) as [Buffer];
  assert.equal(echo.toString("latin1"), "\x81\x05hello");
  assert.deepEqual([seen[0]?.headers.upgrade, seen[0]?.headers.connection], ["websocket", "Upgrade"]);
});

/** A server whose "upgrade" writes `bytes`. */
function writing(bytes: string): Server {
  const http = createHttp((_, res) => void res.end());
  return http.on("upgrade", (_, socket) => {
    socket.on("error", () => {});
    if (bytes) socket.write(bytes, "latin1");
  });
}

const SWITCHING = "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n";
const WRONG: [string, string, number, RegExp][] = [
  ["nothing in its time", "", 504, /no response within 1 s/],
  ["no HTTP", "hello\r\n\r\n", 500, /has no status line/],
  [
    "an extension that it was not offered",
    `${SWITCHING}Sec-WebSocket-Extensions: x\r\n\r\n`,
    500,
    /has an extension/,
  ],
  [
    "a subprotocol that it was not offered",
    `${SWITCHING}Sec-WebSocket-Protocol: x\r\n\r\n`,
    500,
    /the subprotocol "x"/,
  ],
  ["a malformed header", `${SWITCHING}a b: c\r\n\r\n`, 500, /has a malformed header/],
  ["a head without an end", `${SWITCHING}X: ${"a".repeat(70_000)}`, 500, /is too long/],
];

for (const [what, bytes, status, said] of WRONG)
  test(`an application that answers a handshake with ${what} is told, and the client gets ${status}`, async (t) => {
    const { open, logged } = await started(t, writing(bytes));
    const [, response] = (await once(open(), "unexpected-response")) as [unknown, IncomingMessage];
    assert.equal(response.statusCode, status);
    await logged(said);
  });

test("what is no frame closes the WebSocket", async (t) => {
  const { open, logged } = await started(t, writing(`${SWITCHING}\r\nnonsense`));
  assert.equal(await codeOf(open()), "1011");
  await logged(/what the application wrote is no frame/);
});

test("frames may come together with the head", async (t) => {
  const size = 100_000;
  const length = String.fromCharCode(0, 0, 0, 0, 0, 1, 0x86, 0xa0);
  const frames = `\x82\x7f${length}${"a".repeat(size)}\x81\x02ok`;
  const { open } = await started(t, writing(`${SWITCHING}\r\n${frames}`));
  const client = open();
  const [first] = await next(client);
  assert.equal(first.length, size);
});

test("a client that leaves before there is an answer ends the application's socket", async (t) => {
  const http = createHttp((_, res) => void res.end());
  const { open } = await started(t, http);
  const upgraded = once(http, "upgrade");
  http.on("upgrade", () => {});
  const client = open();
  const [, socket] = (await upgraded) as [IncomingMessage, Duplex];
  const closed = once(socket, "close");
  client.terminate();
  await closed;
});

test("a listener that throws is an application that fails", async (t) => {
  const http = writing("").on("upgrade", () => {
    throw new Error("no upgrades today");
  });
  const { open, logged } = await started(t, http);
  const [, response] = (await once(open(), "unexpected-response")) as [unknown, IncomingMessage];
  assert.equal(response.statusCode, 500);
  await logged(/no upgrades today/);
});

/** As engine.io does. */
function endIfUnanswered(socket: Duplex): void {
  if ((socket as Socket).bytesWritten === 0) socket.end();
}

test("libraries that share a server leave each other's WebSockets alone, and end those that nobody takes", async (t) => {
  const { http } = echoing();
  http.on("upgrade", (_, socket) => setTimeout(() => endIfUnanswered(socket), 100));
  const { open } = await started(t, http);
  const client = open("/chat");
  await once(client, "open");
  http.removeAllListeners("upgrade").on("upgrade", (_, socket) => endIfUnanswered(socket));
  const [error] = await once(open("/chat"), "error");
  assert.match(String(error), /socket hang up|ECONNRESET/);
  client.send("still here");
  assert.equal(`${(await next(client))[0]}`, "still here");
});

test("at a stop both sides are told, and nothing holds the end up", async (t) => {
  const { http, sockets } = echoing();
  const { open, stop } = await started(t, http);
  const client = open("/chat");
  const [socket] = (await once(sockets, "connection")) as [WebSocket];
  await once(client, "open");
  const codes = Promise.all([codeOf(client), codeOf(socket)]);
  await stop(5_000);
  assert.deepEqual(
    (await codes).map((code) => code.split(" ")[0]),
    ["1001", "1006"],
  );
});

test("without a listener for it there is no upgrade, and the request is one like others", async (t) => {
  const http = createHttp(
    (req, res) => void res.writeHead(426, { Upgraded: `${req.headers.upgrade}` }).end(),
  );
  const { open } = await started(t, http);
  const [, response] = (await once(open(), "unexpected-response")) as [unknown, IncomingMessage];
  assert.deepEqual([response.statusCode, response.headers.upgraded], [426, "websocket"]);
});

test("the example of docs/serving.md works as it stands", async (t) => {
  const page = readFileSync(new URL("../../docs/serving.md", import.meta.url), "utf8");
  const example = page.split("```ts\n").find((part) => part.includes("new WebSocketServer")) as string;
  const folder = makeFolder(t);
  symlinkSync(fileURLToPath(new URL("../../node_modules", import.meta.url)), join(folder, "node_modules"));
  writeFileSync(join(folder, "app.mjs"), example.slice(0, example.indexOf("```")));
  const { default: app } = await import(pathToFileURL(join(folder, "app.mjs")).href);
  const { url, open } = await started(t, app);
  assert.equal(await (await fetch(url)).text(), "Hello");
  const client = open();
  await once(client, "open");
  client.send("this");
  assert.equal(`${(await next(client))[0]}`, "You said this");
});

test("the server of a Fastify app has its WebSockets, too", async (t) => {
  const { fastify } = await import("fastify");
  const app = fastify();
  const sockets = new WebSocketServer({ server: app.server });
  sockets.on("connection", (socket) => socket.send("from Fastify"));
  const { open } = await started(t, app);
  assert.equal(`${(await next(open()))[0]}`, "from Fastify");
});
