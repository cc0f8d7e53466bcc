// Unmodified frameworks at their newest, behind the real listener, asked by real clients.
import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import { once } from "node:events";
import { get } from "node:http";
import { after, before, describe, test } from "node:test";
import { gunzipSync } from "node:zlib";
import bodyParser from "body-parser";
import compression from "compression";
import express from "express";
import fastify from "fastify";
import { H3, readBody } from "h3";
import { Hono } from "hono";
import { streamSSE } from "hono/streaming";
import Koa from "koa";
import multer from "multer";
import { gatewayOfExport } from "../../src/apps/load-kind.ts";
import { type ServedGateway, serveGateway } from "../kit/serve-gateway.ts";

const MEGABYTES_10 = randomBytes(10 * 1024 * 1024);
const sum = (data: Uint8Array) => createHash("sha256").update(data).digest("hex");

/** Serves an app for the tests of one suite, and gives its URL. */
function served(app: unknown): () => string {
  let site: ServedGateway | undefined;
  before(async () => {
    site = await serveGateway(await gatewayOfExport(app, "a test"));
  });
  after(() => site?.close());
  return () => site?.url ?? "";
}

const json = (value: unknown): RequestInit => ({
  method: "POST",
  headers: { "Content-Type": "application/json" },
  body: JSON.stringify(value),
});

function expressApp() {
  const app = express();
  app.use(compression({ threshold: 0 }));
  app.get("/facts", (req, res) => {
    res.json({ url: req.originalUrl, ip: req.ip, host: req.hostname, secure: req.secure, fresh: req.fresh });
  });
  app.use("/below", (req, res) => void res.send(`${req.baseUrl} ${req.url}`));
  app.post("/json", bodyParser.json(), (req, res) => void res.json(req.body));
  app.post("/raw", express.raw({ limit: "20mb", type: "*/*" }), (req, res) => void res.send(sum(req.body)));
  app.post("/upload", multer({ storage: multer.memoryStorage() }).single("file"), (req, res) => {
    res.json({
      title: req.body.title,
      name: req.file?.originalname,
      sum: sum(req.file?.buffer ?? Buffer.of()),
    });
  });
  app.get("/cookies", (_req, res) => void res.cookie("a", "1").cookie("b", "2").redirect("/facts"));
  app.get("/large", (_req, res) => void res.set("Cache-Control", "no-transform").send(MEGABYTES_10));
  app.get("/file", (_req, res) => res.sendFile(import.meta.filename));
  app.get("/events", (_req, res) => {
    res.set({ "Content-Type": "text/event-stream", "Cache-Control": "no-transform" });
    res.write("data: 1\n\n");
    setImmediate(() => res.end("data: 2\n\n"));
  });
  app.get("/throws", () => {
    throw new Error("the handler's own");
  });
  app.use((error: Error, _req: express.Request, res: express.Response, _next: express.NextFunction) => {
    res.status(418).send(error.message);
  });
  return app;
}

describe("express", () => {
  const url = served(expressApp());

  test("knows its request", async () => {
    const facts = await (await fetch(`${url()}/facts?x=1`)).json();
    const expected = { url: "/facts?x=1", ip: "127.0.0.1", host: "127.0.0.1", secure: false, fresh: false };
    assert.deepEqual(facts, expected);
  });

  test("answers with its own pages for what it does not know, and for errors", async () => {
    const unknown = await fetch(`${url()}/unknown`);
    assert.equal(unknown.status, 404);
    assert.match(await unknown.text(), /Cannot GET \/unknown/);
    const error = await fetch(`${url()}/throws`);
    assert.deepEqual([error.status, await error.text()], [418, "the handler's own"]);
  });

  test("routes below a path of its own", async () => {
    assert.equal(await (await fetch(`${url()}/below/x?y`)).text(), "/below /x?y");
  });

  test("parses JSON", async () => {
    assert.deepEqual(await (await fetch(`${url()}/json`, json({ a: [1] }))).json(), { a: [1] });
  });

  test("takes 10 MB of body whole", async () => {
    const response = await fetch(`${url()}/raw`, {
      method: "POST",
      headers: { "Content-Type": "application/octet-stream" },
      body: MEGABYTES_10,
    });
    assert.equal(await response.text(), sum(MEGABYTES_10));
  });

  test("takes an upload of a form", async () => {
    const form = new FormData();
    form.set("title", "ten");
    form.set("file", new Blob([MEGABYTES_10]), "ten.bin");
    const response = await fetch(`${url()}/upload`, { method: "POST", body: form });
    assert.deepEqual(await response.json(), { title: "ten", name: "ten.bin", sum: sum(MEGABYTES_10) });
  });

  test("gives 10 MB", async () => {
    const response = await fetch(`${url()}/large`);
    assert.equal(response.headers.get("content-length"), String(MEGABYTES_10.length));
    assert.equal(sum(new Uint8Array(await response.arrayBuffer())), sum(MEGABYTES_10));
  });

  test("redirects, with two cookies", async () => {
    const response = await fetch(`${url()}/cookies`, { redirect: "manual" });
    assert.deepEqual([response.status, response.headers.get("location")], [302, "/facts"]);
    assert.deepEqual(response.headers.getSetCookie(), ["a=1; Path=/", "b=2; Path=/"]);
  });

  test("answers conditions with 304, and ranges of files with 206", async () => {
    const etag = (await fetch(`${url()}/facts`)).headers.get("etag") ?? "";
    const unchanged = await fetch(`${url()}/facts`, {
      headers: { "If-None-Match": etag, "Cache-Control": "" },
    });
    assert.equal(unchanged.status, 304);
    const part = await fetch(`${url()}/file`, {
      headers: { Range: "bytes=0-13", "Accept-Encoding": "identity" },
    });
    assert.deepEqual([part.status, await part.text()], [206, "// Unmodified "]);
  });

  test("compresses through its middleware", async () => {
    const request = get(`${url()}/facts`, { headers: { "Accept-Encoding": "gzip" }, agent: false });
    const [response] = await once(request, "response");
    const chunks: Buffer[] = [];
    for await (const chunk of response) chunks.push(chunk);
    assert.equal(response.headers["content-encoding"], "gzip");
    assert.match(gunzipSync(Buffer.concat(chunks)).toString(), /"url":"\/facts"/);
  });

  test("sends events", async () => {
    assert.equal(await (await fetch(`${url()}/events`)).text(), "data: 1\n\ndata: 2\n\n");
  });

  test("answers HEAD as GET, without the body", async () => {
    const response = await fetch(`${url()}/large`, { method: "HEAD" });
    assert.equal(response.headers.get("content-length"), String(MEGABYTES_10.length));
    assert.equal(await response.text(), "");
  });
});

describe("koa", () => {
  const app = new Koa({ proxy: false });
  app.silent = true;
  app.use(async (ctx, next) => {
    if (ctx.path === "/throws") ctx.throw(403, "not you");
    ctx.set("X-Took", "0");
    await next();
  });
  app.use(async (ctx) => {
    let text = "";
    for await (const chunk of ctx.req) text += chunk;
    if (ctx.path !== "/none") ctx.body = { method: ctx.method, url: ctx.url, ip: ctx.ip, text };
  });
  const url = served(app);

  test("answers through its middleware", async () => {
    const response = await fetch(`${url()}/x?y`, { method: "POST", body: "hello" });
    assert.equal(response.headers.get("x-took"), "0");
    assert.deepEqual(await response.json(), { method: "POST", url: "/x?y", ip: "127.0.0.1", text: "hello" });
  });

  test("answers what it throws, and what it does not know", async () => {
    assert.equal((await fetch(`${url()}/throws`)).status, 403);
    assert.equal((await fetch(`${url()}/none`)).status, 404);
  });
});

describe("fastify", () => {
  const app = fastify();
  let closed = false;
  app.register(async (plugin) => {
    plugin.get("/plugin", async (request) => ({ ip: request.ip, host: request.host }));
  });
  app.post("/json", async (request) => request.body);
  app.get("/throws", async () => {
    throw new Error("mine");
  });
  app.get("/stream", (_request, reply) => reply.send(new Blob([MEGABYTES_10]).stream()));
  app.addHook("onClose", async () => {
    closed = true;
  });
  const url = served(app);
  after(() => assert.equal(closed, true));

  test("answers from a plugin that had to be loaded first", async () => {
    const response = await fetch(`${url()}/plugin`);
    assert.deepEqual(await response.json(), { ip: "127.0.0.1", host: new URL(url()).host });
  });

  test("parses JSON, answers errors and unknown paths", async () => {
    assert.deepEqual(await (await fetch(`${url()}/json`, json({ a: 1 }))).json(), { a: 1 });
    assert.match(await (await fetch(`${url()}/throws`)).text(), /"message":"mine"/);
    assert.equal((await fetch(`${url()}/unknown`)).status, 404);
  });

  test("streams 10 MB", async () => {
    const data = await (await fetch(`${url()}/stream`)).arrayBuffer();
    assert.equal(sum(new Uint8Array(data)), sum(MEGABYTES_10));
  });
});

describe("hono", () => {
  const app = new Hono<{ Bindings: { remote: { address: string } } }>();
  app.get("/facts", (c) => c.json({ q: c.req.query("q"), ip: c.env.remote.address }));
  app.post("/echo", async (c) => c.body(await c.req.arrayBuffer()));
  app.post("/pipe", (c) => new Response(c.req.raw.body));
  app.get("/throws", () => {
    throw new Error("mine");
  });
  app.onError((error, c) => c.text(error.message, 500));
  app.get("/events", (c) =>
    streamSSE(c, async (stream) => {
      await stream.writeSSE({ data: "1" });
      await stream.writeSSE({ data: "2" });
    }),
  );
  const url = served(app);

  test("answers with the facts of its connection", async () => {
    assert.deepEqual(await (await fetch(`${url()}/facts?q=1`)).json(), { q: "1", ip: "127.0.0.1" });
  });

  test("answers errors and unknown paths by itself", async () => {
    assert.equal(await (await fetch(`${url()}/throws`)).text(), "mine");
    assert.equal(await (await fetch(`${url()}/unknown`)).text(), "404 Not Found");
  });

  for (const path of ["/echo", "/pipe"]) {
    test(`gives 10 MB back through ${path}`, async () => {
      const response = await fetch(url() + path, { method: "POST", body: MEGABYTES_10 });
      assert.equal(sum(new Uint8Array(await response.arrayBuffer())), sum(MEGABYTES_10));
    });
  }

  test("sends events", async () => {
    assert.equal(await (await fetch(`${url()}/events`)).text(), "data: 1\n\ndata: 2\n\n");
  });
});

describe("h3", () => {
  const app = new H3();
  app.get("/facts", (event) => ({ path: event.url.pathname, ip: event.req.ip }));
  app.post("/json", (event) => readBody(event));
  const url = served(app);

  test("answers, with the client's address", async () => {
    assert.deepEqual(await (await fetch(`${url()}/facts`)).json(), { path: "/facts", ip: "127.0.0.1" });
  });

  test("parses JSON, and answers unknown paths", async () => {
    assert.deepEqual(await (await fetch(`${url()}/json`, json({ a: 1 }))).json(), { a: 1 });
    assert.equal((await fetch(`${url()}/unknown`)).status, 404);
  });
});
