// Every host that a gateway is mounted in, each the way its own documentation would have it: below /ml, on a free port.
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createServer, type Server } from "node:http";
import { createServer as createServer2, createSecureServer as createServer2Tls } from "node:http2";
import { type AddressInfo, createServer as createTcpServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import middie from "@fastify/middie";
import { type HttpBindings, serve as serveHono } from "@hono/node-server";
import express from "express";
import fastify from "fastify";
import { H3, serve as serveH3 } from "h3";
import { Hono } from "hono";
import Koa from "koa";
import { serve as serveSrvx } from "srvx";
import { createServer as createViteServer } from "vite";
import { nodeApp } from "../../src/apps/index.ts";
import type { Gateway, Log } from "../../src/exchange/index.ts";
import { type Lifecycle, toFetchHandler, toNodeHandler } from "../../src/mount/index.ts";
import { httpListener } from "../../src/protocols/http1/index.ts";
import { http2Listener } from "../../src/protocols/http2/index.ts";
import { makeCertificate } from "../kit/make-certificate.ts";
import { type Client, client1, client2 } from "./clients.ts";

export interface Host {
  /** Where the gateway's root is: "http://127.0.0.1:40123/ml". */
  readonly url: string;
  readonly handler: Lifecycle;
  close(): Promise<void>;
}

export interface HostKind {
  readonly name: string;
  readonly client: Client;
  open(gateway: Gateway, log: Log): Promise<Host>;
}

const kind = (name: string, open: HostKind["open"], client: Client = client1): HostKind => ({
  name,
  open,
  client,
});

export const HOSTS: readonly HostKind[] = [
  kind("node:http", async (gateway, log) => {
    const handler = toNodeHandler(gateway, { mount: "/ml", log });
    return opened(handler, createServer(handler));
  }),
  kind(
    "node:http2",
    async (gateway, log) => {
      const handler = toNodeHandler(gateway, { mount: "/ml", log });
      return opened(handler, createServer2(handler) as unknown as Server);
    },
    client2,
  ),
  ...[client1, client2].map((client) =>
    kind(
      `node:http2 with TLS, for ${client === client1 ? "HTTP/1.1" : "HTTP/2"}`,
      async (gateway, log) => {
        const handler = toNodeHandler(gateway, { mount: "/ml", log });
        const { cert, key, remove } = makeCertificate();
        const pair = { cert: readFileSync(cert), key: readFileSync(key) };
        remove();
        const server = createServer2Tls({ ...pair, allowHTTP1: true }, handler);
        return opened(handler, server as unknown as Server, undefined, "https");
      },
      client,
    ),
  ),
  ...[client1, client2].map((client) =>
    kind(
      `a node handler of ours behind our HTTP/${client === client1 ? "1.1" : "2"}`,
      async (gateway, log) => {
        const handler = toNodeHandler(gateway, { mount: "/ml", log });
        const app = nodeApp(handler, { log });
        const make = client === client1 ? httpListener : http2Listener;
        const listener = make({ handler: (exchange) => app.handle(exchange), log });
        const server = createTcpServer({ allowHalfOpen: true }, (socket) => listener.accept(socket));
        return opened(handler, server as unknown as Server, async () => {
          server.close();
          await listener.close(0);
        });
      },
      client,
    ),
  ),
  kind("Express", async (gateway, log) => {
    const handler = toNodeHandler(gateway, { log });
    const app = express();
    app.use("/ml", handler);
    return opened(handler, createServer(app));
  }),
  kind("Fastify with middie", async (gateway, log) => {
    const handler = toNodeHandler(gateway, { log });
    const app = fastify();
    await app.register(middie);
    app.use("/ml", handler);
    await app.ready();
    return opened(handler, app.server, () => app.close());
  }),
  kind("Fastify by a route", async (gateway, log) => {
    const handler = toNodeHandler(gateway, { mount: "/ml", log });
    const app = fastify();
    app.register(async (scope) => {
      scope.removeAllContentTypeParsers();
      scope.addContentTypeParser("*", (_request, _payload, done) => done(null));
      scope.all("/ml/*", (request, reply) => {
        reply.hijack();
        handler(request.raw, reply.raw);
      });
    });
    await app.ready();
    return opened(handler, app.server, () => app.close());
  }),
  kind("Koa", async (gateway, log) => {
    const handler = toNodeHandler(gateway, { mount: "/ml", log });
    const app = new Koa();
    app.silent = true;
    app.use(async (ctx, next) => {
      if (!ctx.path.startsWith("/ml/")) return next();
      ctx.respond = false;
      handler(ctx.req, ctx.res);
    });
    return opened(handler, createServer(app.callback()));
  }),
  kind("Hono", async (gateway, log) => {
    const handler = toFetchHandler(gateway, { mount: "/ml", log });
    const app = new Hono<{ Bindings: HttpBindings }>();
    app.all("/ml/*", (c) => handler(c.req.raw, c.env));
    const server = serveHono({ fetch: app.fetch, port: 0, hostname: "127.0.0.1" }) as Server;
    return opened(handler, server);
  }),
  kind("h3", async (gateway, log) => {
    const handler = toFetchHandler(gateway, { mount: "/ml", log });
    const app = new H3();
    app.all("/ml/**", (event) => handler(event.req));
    const server = serveH3(app, { port: 0, hostname: "127.0.0.1", silent: true });
    await server.ready();
    return { handler, url: `${server.url}ml`, close: () => server.close(true) };
  }),
  kind("srvx", async (gateway, log) => {
    const handler = toFetchHandler(gateway, { mount: "/ml", log });
    const server = serveSrvx({ fetch: handler, port: 0, hostname: "127.0.0.1", silent: true });
    await server.ready();
    return { handler, url: `${server.url}ml`, close: () => server.close(true) };
  }),
  kind("Vite", async (gateway, log) => {
    const handler = toNodeHandler(gateway, { log });
    const root = mkdtempSync(join(tmpdir(), "sallyport-vite-"));
    const vite = await createViteServer({
      root,
      configFile: false,
      logLevel: "silent",
      server: { host: "127.0.0.1", port: 0, hmr: false, ws: false, watch: null },
      optimizeDeps: { noDiscovery: true },
      plugins: [{ name: "ml", configureServer: ({ middlewares }) => void middlewares.use("/ml", handler) }],
    });
    return opened(handler, vite.httpServer as Server, async () => {
      await vite.close();
      rmSync(root, { recursive: true, force: true });
    });
  }),
];

async function opened(
  handler: Lifecycle,
  server: Server,
  close?: () => Promise<unknown>,
  scheme = "http",
): Promise<Host> {
  if (!server.listening) await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  const { port } = server.address() as AddressInfo;
  const stop = async (): Promise<void> => {
    server.closeAllConnections?.();
    if (close) await close();
    else await new Promise((done) => server.close(done));
  };
  return { handler, url: `${scheme}://127.0.0.1:${port}/ml`, close: stop };
}
