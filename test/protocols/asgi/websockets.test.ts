// WebSockets between the library's clients and a real ASGI application (ASGI WebSocket 2.5; edge cases K9 to K11).
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import type { IncomingMessage } from "node:http";
import { constants } from "node:http2";
import { test } from "node:test";
import type { WebSocket } from "ws";
import { ending, messages, startAsgi } from "../../kit/start-asgi.ts";
import { settled, until } from "../../kit/until.ts";
import { serve as serveHttp2 } from "../http2/serve-http2.ts";

test("text and bytes of every size come back as they were sent, in order", async (t) => {
  const server = await startAsgi(t);
  const client = await server.open("/");
  for (const size of [0, 1, 125, 126, 65_535, 65_536, 65_537, 1_000_000]) {
    const bytes = Buffer.alloc(size, "x\u00e9");
    const back = messages(client, 2);
    client.send(bytes);
    client.send("é".repeat(size / 2));
    assert.deepEqual(await back, [`<${bytes.toString("hex")}>`, "é".repeat(size / 2)], `${size} bytes`);
  }
});

test("what is sent before the handshake is answered arrives after it (K9)", async (t) => {
  const server = await startAsgi(t);
  const client = await server.client(
    "/",
    "Connection: Upgrade",
    "Upgrade: websocket",
    "Sec-WebSocket-Version: 13",
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
  );
  client.socket.write(Buffer.from([0x81, 0x82, 0, 0, 0, 0, 0x68, 0x69]));
  await client.has("\x81\x02hi");
});

test("the application chooses the subprotocol, and adds headers to the handshake", async (t) => {
  const server = await startAsgi(t);
  const client = server.socket("/", ["chat", "other"]);
  const open = once(client, "open");
  const [response] = (await once(client, "upgrade")) as [IncomingMessage];
  await open;
  assert.deepEqual([client.protocol, response.headers["x-room"]], ["chat", "7"]);
});

test("the code and the reason with which the client closes are the application's", async (t) => {
  const server = await startAsgi(t);
  const client = await server.open("/");
  client.close(4321, "that is änough");
  assert.equal(await server.recorded(/^closed/), "closed 4321 that is änough");
});

/** More than the application may leave unread before its client has to wait. */
const UNREAD = 300;
const MESSAGE = "m".repeat(1_000);

test("an application that sends and does not receive learns that its client has left", async (t) => {
  const server = await startAsgi(t);
  const client = await server.open("/tick");
  for (let i = 0; i < UNREAD; i++) client.send(MESSAGE);
  await messages(client, 20); // by now the application has what it may leave unread
  client.terminate();
  assert.equal(await server.recorded(/^left/), "left Disconnected");
  const [, count] = /received (\d+) closed 1006/.exec(await server.recorded(/^received/)) ?? [];
  assert.ok(Number(count) > 250, `${count} messages`);
  assert.deepEqual(
    server.lines.filter(({ level }) => level === "error"),
    [],
  );
});

test("the same by a reload", async (t) => {
  const server = await startAsgi(t);
  const client = await server.open("/tick");
  for (let i = 0; i < UNREAD; i++) client.send(MESSAGE);
  await messages(client, 20);
  const closed = ending(client);
  await server.gateway.reload?.();
  assert.match(await closed, /^1012/);
  await server.recorded(/^left/);
  await server.recorded(/closed 1012/);
});

test("the same over HTTP/2", async (t) => {
  const server = await startAsgi(t);
  const front = await serveHttp2(t, (exchange) => server.gateway.handle(exchange));
  const session = front.session();
  await once(session, "remoteSettings");
  const opening = {
    ":method": "CONNECT",
    ":protocol": "websocket",
    ":path": "/tick",
    "sec-websocket-version": "13",
  };
  const stream = session.request(opening, { endStream: false });
  stream.on("error", () => {});
  let seen = 0;
  stream.on("data", (chunk: Buffer) => {
    seen += chunk.length;
  });
  // A masked frame of text (RFC 6455, 5.2).
  const head = Buffer.from([0x81, 0x80 | 126, MESSAGE.length >> 8, MESSAGE.length & 255, 0, 0, 0, 0]);
  for (let i = 0; i < UNREAD; i++) stream.write(Buffer.concat([head, Buffer.from(MESSAGE)]));
  await until(() => seen > 20 * "..tick".length);
  stream.close(constants.NGHTTP2_CANCEL);
  assert.equal(await server.recorded(/^left/), "left Disconnected");
  await server.recorded(/closed 1006/);
});

test("a close without a code is 1005, a connection that breaks 1006 (K11)", async (t) => {
  const server = await startAsgi(t);
  const [polite, gone] = [await server.open("/"), await server.open("/")];
  polite.close();
  await server.recorded(/^closed 1005/);
  gone.terminate();
  await server.recorded(/^closed 1006/);
});

test("a client that goes away before the handshake is answered is a disconnect 1006", async (t) => {
  const server = await startAsgi(t);
  const client = server.socket("/never");
  await server.recorded(/connecting/);
  client.terminate();
  await server.recorded(/^closed 1006/);
});

for (const [how, page, expected, logged] of [
  ["returns", "/return", "1000", undefined],
  ["raises", "/fail", "1011 The application failed.", /told to fail in a WebSocket/],
  ["closes", "/close", "4001 enough", undefined],
] as const) {
  test(`an application that ${how} while the WebSocket is open closes it with ${expected}`, async (t) => {
    const server = await startAsgi(t);
    assert.equal(await ending(server.socket(page)), expected);
    if (logged) await server.logged(logged);
  });
}

test("an application may refuse with a response of its own", async (t) => {
  const server = await startAsgi(t);
  const client = server.socket("/deny");
  const [, response] = (await once(client, "unexpected-response")) as [unknown, IncomingMessage];
  const body = Buffer.concat(await response.toArray()).toString();
  assert.deepEqual([response.statusCode, body], [418, "short and stout\n"]);
});

test("a client is held back while the application takes nothing, and nothing is lost", async (t) => {
  const server = await startAsgi(t);
  const client = await server.open(`/idle?file=${server.file}`);
  let sent = 0;
  const bytes = randomBytes(32_768);
  while (client.bufferedAmount < 1_000_000) {
    for (let i = 0; i < 50; i++, sent += bytes.length) client.send(bytes);
    await new Promise((resolve) => setImmediate(resolve));
    assert.ok(sent < 200_000_000, "two hundred million bytes were taken that nobody receives");
  }
  server.touch();
  const counted = messages(client, 1);
  client.send("end");
  assert.deepEqual(await counted, [String(sent + 3)]);
});

test("messages without bytes are counted, too: a hundred thousand held back, none lost", async (t) => {
  const server = await startAsgi(t);
  const client = await server.open(`/idle?file=${server.file}`);
  for (let i = 0; i < 100_000; i++) client.send(Buffer.of(1));
  server.touch();
  const counted = messages(client, 1);
  client.send("end");
  assert.deepEqual(await counted, ["100003"]);
});

test("an application that sends without end is made to wait for a client that does not read (A9)", async (t) => {
  const server = await startAsgi(t);
  // Compressed, a gigabyte of this would fit into the kernel's buffers.
  const client = await server.open("/flood", [], { perMessageDeflate: false });
  client.pause();
  const last = (): number =>
    Number(
      server
        .records()
        .findLast((line) => line.startsWith("sent "))
        ?.slice(5) ?? 0,
    );
  const sent = await settled(last);
  assert.ok(sent < 30_000_000, `${sent} bytes were sent to a client that reads none`);
  client.resume();
  await until(() => last() > sent + 4_000_000);
  client.terminate();
  await server.recorded(/^left/);
});

test("a handshake with thousands of headers is refused, and the worker lives (K10)", async (t) => {
  const server = await startAsgi(t);
  const headers = Object.fromEntries(Array.from({ length: 5000 }, (_, i) => [`x-${i}`, "y"]));
  const client = server.socket("/", [], { headers });
  const [, response] = (await once(client, "unexpected-response")) as [unknown, IncomingMessage];
  assert.equal(response.statusCode, 431);
  assert.deepEqual(await chat(await server.open("/"), "still here"), "still here");
});

test("a thousand WebSockets in one worker are all served", async (t) => {
  const server = await startAsgi(t);
  const clients = await Promise.all(Array.from({ length: 1000 }, () => server.open("/")));
  const answers = await Promise.all(clients.map((client, i) => chat(client, String(i))));
  assert.deepEqual(
    answers,
    clients.map((_, i) => String(i)),
  );
});

async function chat(client: WebSocket, text: string): Promise<string | undefined> {
  const back = messages(client, 1);
  client.send(text);
  return (await back)[0];
}
