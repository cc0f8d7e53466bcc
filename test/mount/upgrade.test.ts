// WebSockets of a gateway inside other people's servers, by their "upgrade" event.
import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, get, type Server } from "node:http";
import { type AddressInfo, connect } from "node:net";
import { type TestContext, test } from "node:test";
import express from "express";
import fastify from "fastify";
import { createServer as createViteServer } from "vite";
import { WebSocket } from "ws";
import type { Exchange } from "../../src/exchange/index.ts";
import { toNodeHandler, toUpgradeHandler, type UpgradeMount } from "../../src/mount/index.ts";
import { keepLog } from "../kit/keep-log.ts";
import { answering, says, showing } from "./small-gateways.ts";

/** Says where it is, then sends everything back; what is no handshake gets an ordinary answer. */
const echoing = () =>
  answering((exchange) => {
    const { handshake, request, mount } = exchange;
    if (!handshake) return says(exchange, "ordinary");
    if (request.path.endsWith("/refused"))
      return exchange.respond({ status: 403, reason: "", headers: [] }, "refused");
    const session = handshake.accept(
      { subprotocol: undefined, headers: [] },
      { message: (data, binary) => void session.send(data, binary), closed() {} },
    );
    session.send(Buffer.from(`${request.scheme} ${mount} ${request.path}`), false);
  });

/** Destroys connections that no handler takes, as the manual says. */
function listening(server: Server, handler: UpgradeMount): Server {
  server.on("upgrade", (req, socket, head) => {
    if (!handler(req, socket, head)) socket.destroy();
  });
  return server;
}

async function urlOf(t: TestContext, server: Server): Promise<string> {
  if (!server.listening) await once(server.listen(0, "127.0.0.1"), "listening");
  t.after(() => {
    server.close();
    server.closeAllConnections();
  });
  return `ws://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

/** Opens, sends two messages in one go, closes; gives what came. */
async function talk(url: string): Promise<string[]> {
  const client = new WebSocket(url);
  const got: string[] = [];
  client.on("message", (data) => {
    got.push(String(data));
    if (got.length === 3) client.close(1000);
  });
  client.on("open", () => {
    client.send("one");
    client.send("two");
  });
  await once(client, "close");
  return got;
}

test("an Express app has a gateway's pages and its WebSockets below one path", async (t) => {
  const gateway = echoing();
  const [pages, sockets] = [toNodeHandler(gateway), toUpgradeHandler(gateway, { mount: "/ml" })];
  t.after(() => sockets.close(0));
  const app = express();
  app.use("/ml", pages);
  const url = await urlOf(t, listening(createServer(app), sockets));
  assert.deepEqual(await talk(`${url}/ml/chat?a=b`), ["http /ml /ml/chat", "one", "two"]);
  const page = await fetch(`${url.replace("ws", "http")}/ml/page`);
  assert.equal(await page.text(), "ordinary");
});

test("a Fastify app does", async (t) => {
  const sockets = toUpgradeHandler(echoing(), { mount: "/ml" });
  t.after(() => sockets.close(0));
  const app = fastify();
  t.after(() => app.close());
  await app.ready();
  const url = await urlOf(t, listening(app.server, sockets));
  assert.deepEqual(await talk(`${url}/ml/chat`), ["http /ml /ml/chat", "one", "two"]);
});

test("Vite's dev server does, and keeps its own", async (t) => {
  const sockets = toUpgradeHandler(echoing(), { mount: "/ml" });
  t.after(() => sockets.close(0));
  const vite = await createViteServer({
    configFile: false,
    appType: "custom",
    logLevel: "silent",
    optimizeDeps: { noDiscovery: true },
    server: { host: "127.0.0.1", port: 0, watch: null },
    plugins: [
      {
        name: "sockets",
        configureServer: ({ httpServer }) => void httpServer?.on("upgrade", sockets),
      },
    ],
  });
  t.after(() => vite.close());
  await vite.listen();
  const port = (vite.httpServer?.address() as AddressInfo | undefined)?.port;
  assert.deepEqual(await talk(`ws://127.0.0.1:${port}/ml/chat`), ["http /ml /ml/chat", "one", "two"]);
  const own = new WebSocket(`ws://127.0.0.1:${port}/?token=${vite.config.webSocketToken}`, "vite-hmr");
  const [first] = await once(own, "message");
  assert.deepEqual(JSON.parse(String(first)), { type: "connected" });
  own.terminate();
});

test("what is not below the mount is left alone", async (t) => {
  const sockets = toUpgradeHandler(echoing(), { mount: "/ml" });
  t.after(() => sockets.close(0));
  const answers: boolean[] = [];
  const server = createServer();
  server.on("upgrade", (req, socket, head) => {
    answers.push(sockets(req, socket, head));
    socket.end("HTTP/1.1 418 Teapot\r\nConnection: close\r\n\r\n");
  });
  const url = await urlOf(t, server);
  for (const [path, upgrade] of [
    ["/mlx", "websocket"],
    ["/", "websocket"],
    ["/", "h2c"],
  ]) {
    const request = get(`${url.replace("ws", "http")}${path}`, {
      headers: { Connection: "Upgrade", Upgrade: upgrade },
    });
    const [response] = await once(request, "response");
    assert.equal(response.resume().statusCode, 418);
  }
  assert.deepEqual(answers, [false, false, false]);
});

test("a request that offers another protocol is answered as if it did not (RFC 9110, 7.8)", async (t) => {
  const sockets = toUpgradeHandler(showing(), { mount: "/ml" });
  t.after(() => sockets.close(0));
  const url = (await urlOf(t, listening(createServer(), sockets))).replace("ws", "http");
  const headers = {
    Connection: "Upgrade, HTTP2-Settings",
    Upgrade: "h2c",
    "HTTP2-Settings": "AAMAAABkAAQAAP__",
  };
  const [response] = await once(get(`${url}/ml/x`, { headers }), "response");
  assert.deepEqual([response.statusCode, response.headers.connection], [200, "close"]);
  const { mount, path } = JSON.parse((await response.toArray()).join(""));
  assert.deepEqual([mount, path], ["/ml", "/ml/x"]);
});

test("an application may refuse, a bad handshake is refused for it, and the connection then ends", async (t) => {
  const sockets = toUpgradeHandler(echoing(), { mount: "/ml", log: keepLog().log });
  t.after(() => sockets.close(0));
  const url = await urlOf(t, listening(createServer(), sockets));
  const refused = new WebSocket(`${url}/ml/refused`);
  const [, response] = await once(refused, "unexpected-response");
  assert.deepEqual([response.statusCode, response.headers.connection], [403, "close"]);
  response.resume();
  const old = new WebSocket(`${url}/ml`, { protocolVersion: 8 });
  const [error] = await once(old, "error");
  assert.match(error.message, /426/);
});

test("K9: frames that came with the handshake are delivered", async (t) => {
  const sockets = toUpgradeHandler(echoing());
  t.after(() => sockets.close(0));
  const url = new URL(await urlOf(t, listening(createServer(), sockets)));
  const socket = connect(Number(url.port), url.hostname);
  t.after(() => socket.destroy());
  const head =
    "GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";
  socket.write(Buffer.from(`${head}\x81\x82\0\0\0\0hi\x88\x80\0\0\0\0`, "latin1"));
  const text = Buffer.concat(await socket.toArray()).toString("latin1");
  assert.ok(text.endsWith("\x81\x02hi\x88\x00"), JSON.stringify(text));
});

test("closing tells the gateway to leave, says 1001 to the WebSockets that are left, and then ends it", async (t) => {
  const calls: string[] = [];
  const exchanges: Exchange[] = [];
  const gateway = answering(
    (exchange) => {
      exchanges.push(exchange);
      exchange.handshake?.accept({ subprotocol: undefined, headers: [] }, { message() {}, closed() {} });
    },
    { leave: () => void calls.push("leave"), close: async () => void calls.push("close") },
  );
  const sockets = toUpgradeHandler(gateway);
  const url = await urlOf(t, listening(createServer(), sockets));
  const client = new WebSocket(url);
  await once(client, "open");
  const closed = once(client, "close").then(([code]) => calls.push(`client ${code}`));
  await sockets.close(100);
  await closed;
  assert.deepEqual(calls.toSorted(), ["client 1001", "close", "leave"]);
  assert.equal(calls[0], "leave");
  assert.equal(exchanges[0]?.closed, true);
});
