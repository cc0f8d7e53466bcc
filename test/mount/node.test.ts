// The node handler, request side: what an exchange is made of, and what is refused.
import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, request } from "node:http";
import { connect as connect2, createServer as createServer2 } from "node:http2";
import { createServer as createSecureServer, get as getSecurely } from "node:https";
import type { AddressInfo } from "node:net";
import type { Readable } from "node:stream";
import { describe, type TestContext, test } from "node:test";
import { gunzipSync, gzipSync } from "node:zlib";
import express from "express";
import { silentLog } from "../../src/exchange/index.ts";
import { type NodeMount, type NodeMountOptions, toNodeHandler } from "../../src/mount/index.ts";
import { bodyBytes, outcomeOf } from "../kit/handlers.ts";
import { keepLog } from "../kit/keep-log.ts";
import { client1, textOf } from "./clients.ts";
import { answering, answerTo, dial, echoing, host, says, showing, taking } from "./small-gateways.ts";

const show = (options: NodeMountOptions = {}) => toNodeHandler(showing(), { log: silentLog, ...options });
const head = (...lines: string[]) => `${lines.join("\r\n")}\r\nConnection: close\r\n\r\n`;
const bodyIn = (text: string) =>
  JSON.parse(Buffer.from(text.slice(text.indexOf("\r\n\r\n") + 4), "latin1").toString());
const showingBody = () =>
  answering((exchange) => void bodyBytes(exchange).then((body) => says(exchange, body.toString("hex"))));
const statusIn = (text: string) => Number(text.slice(9, 12));

test("header lines keep their order, their case, their repetition and their bytes", async (t) => {
  const url = await host(t, show());
  const text = await answerTo(t, url, head("GET / HTTP/1.1", "Host: h", "X-B: 1", "x-a: caf\xe9", "X-B: 2"));
  assert.deepEqual(bodyIn(text).headers, [
    "Host",
    "h",
    "X-B",
    "1",
    "x-a",
    "caf\u00e9",
    "X-B",
    "2",
    "Connection",
    "close",
  ]);
});

test("the facts of the connection are the socket's", async (t) => {
  const url = await host(t, show());
  const { remote, local, scheme, authority, version } = JSON.parse(await textOf(await client1(url)));
  assert.deepEqual([scheme, version, authority], ["http", "1.1", new URL(url).host]);
  assert.deepEqual(
    [remote.address, local],
    ["127.0.0.1", { address: "127.0.0.1", port: Number(new URL(url).port) }],
  );
  assert.notEqual(remote.port, 0);
});

test("a connection that TLS protects has the scheme https", async (t) => {
  // Anonymous ciphers, so that no certificate is needed.
  const tls = {
    ciphers: "AECDH-AES128-SHA:@SECLEVEL=0",
    maxVersion: "TLSv1.2",
    rejectUnauthorized: false,
  } as const;
  const server = createSecureServer(tls, show());
  server.listen(0, "127.0.0.1");
  t.after(() => server.close());
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const [response] = await once(
    getSecurely(`https://127.0.0.1:${port}/`, { ...tls, agent: false }),
    "response",
  );
  assert.equal(JSON.parse((await response.toArray()).join("")).scheme, "https");
});

test("HTTP/1.0 without a Host is served, with no authority", async (t) => {
  const { version, authority } = bodyIn(await answerTo(t, await host(t, show()), "GET / HTTP/1.0\r\n\r\n"));
  assert.deepEqual([version, authority], ["1.0", ""]);
});

test("an absolute target's host wins over Host, and replaces it (H15)", async (t) => {
  const shown = bodyIn(
    await answerTo(t, await host(t, show()), head("GET http://a.example/x?y HTTP/1.1", "Host: b.example")),
  );
  assert.deepEqual([shown.authority, shown.path, shown.query], ["a.example", "/x", "y"]);
  assert.deepEqual(shown.headers.slice(0, 2), ["Host", "a.example"]);
});

test("OPTIONS * has the path *", async (t) => {
  const shown = bodyIn(await answerTo(t, await host(t, show()), head("OPTIONS * HTTP/1.1", "Host: h")));
  assert.deepEqual([shown.path, shown.mount], ["*", ""]);
});

for (const [fault, ...lines] of [
  ["two Hosts (H14)", "GET / HTTP/1.1", "Host: a", "Host: a"],
  ["a Host with userinfo (H14)", "GET / HTTP/1.1", "Host: me@a"],
  ["two Content-Types", "GET / HTTP/1.1", "Host: a", "Content-Type: a/b", "Content-Type: c/d"],
  ["a fragment in the target", "GET /#x HTTP/1.1", "Host: a"],
  ["both lengths (H1)", "POST / HTTP/1.1", "Host: a", "Content-Length: 1", "Transfer-Encoding: chunked"],
  ["Transfer-Encoding on HTTP/1.0 (H13)", "POST / HTTP/1.0", "Host: a", "Transfer-Encoding: chunked"],
]) {
  test(`a request with ${fault} is refused`, async (t) => {
    assert.equal(statusIn(await answerTo(t, await host(t, show()), head(...lines))), 400);
  });
}

test("a version of HTTP that is none is refused (H16)", async (t) => {
  const status = statusIn(await answerTo(t, await host(t, show()), head("GET / HTTP/2.0", "Host: a")));
  assert.ok(status === 400 || status === 505, String(status));
});

describe("the mount", () => {
  test("is what the host's routers stripped, all of them together", async (t) => {
    const inner = express.Router().use("/b", show());
    const url = await host(t, express().use("/a%20a", inner));
    const shown = JSON.parse(await textOf(await client1(`${url}/a%20a/b/c%2Fd/?q=/b`)));
    assert.deepEqual([shown.mount, shown.path, shown.query], ["/a%20a/b", "/a%20a/b/c%2Fd/", "q=/b"]);
  });

  for (const [sent, path] of [
    ["/ml", "/ml"],
    ["/ml/", "/ml/"],
    ["/ml?x", "/ml"],
  ] as const) {
    test(`is found without anything below it: ${sent}`, async (t) => {
      const url = await host(t, express().use("/ml", show()));
      const shown = JSON.parse(await textOf(await client1(url + sent)));
      assert.deepEqual([shown.mount, shown.path, shown.target], ["/ml", path, sent]);
    });
  }

  test("is empty at the root of a router", async (t) => {
    const shown = JSON.parse(await textOf(await client1(`${await host(t, express().use(show()))}/x`)));
    assert.deepEqual([shown.mount, shown.path], ["", "/x"]);
  });

  test("stays, when something rewrites what is below it", async (t) => {
    const app = express();
    app.use(
      "/ml",
      (req, _res, next) => {
        req.url = "/index?new";
        next();
      },
      show(),
    );
    const shown = JSON.parse(await textOf(await client1(`${await host(t, app)}/ml/old?old`)));
    assert.deepEqual([shown.mount, shown.path, shown.query], ["/ml", "/ml/index", "new"]);
    assert.equal(shown.target, "/ml/old?old");
  });

  test("is a whole segment: what only begins like it is not below it", async (t) => {
    const handler = show({ mount: "/ml/" });
    const url = await host(t, handler);
    assert.equal((await client1(`${url}/mlx`)).status, 404);
    const shown = JSON.parse(await textOf(await client1(`${url}/ml/x`)));
    assert.deepEqual([shown.mount, shown.path], ["/ml", "/ml/x"]);
  });

  test("leaves what is outside of it to the host's next handler", async (t) => {
    const app = express().use(show({ mount: "/ml" }), (_req, res) => void res.send("the host's own"));
    assert.equal(await textOf(await client1(`${await host(t, app)}/other`)), "the host's own");
  });
});

describe("a URL that the host has rewritten", () => {
  const rewriting = (req: { url: string }, _res: unknown, next: () => void) => {
    req.url = req.url.replace(/^\/(ml\/)?old/, "/$1new").replace("/client/", "/");
    next();
  };
  const facts = async (url: string) => {
    const { mount, path, target } = JSON.parse(await textOf(await client1(url)));
    return [mount, path, target];
  };

  test("is below the mount of the host's router, and not below what the client's path happens to begin with", async (t) => {
    const url = await host(t, express().use(rewriting).use("/ml", show()).use(show()));
    assert.deepEqual(await facts(`${url}/client/x`), ["", "/x", "/client/x"]);
    assert.deepEqual(await facts(`${url}/client/ml/x`), ["/ml", "/ml/x", "/client/ml/x"]);
    assert.deepEqual(await facts(`${url}/ml/old`), ["/ml", "/ml/new", "/ml/old"]);
    assert.deepEqual(await facts(`${url}/ml?x`), ["/ml", "/ml", "/ml?x"]);
  });
});

describe("a proxy in front of the host", () => {
  const forwarded = { headers: { "X-Forwarded-For": "192.0.2.7", "X-Forwarded-Proto": "https" } };

  test("that the host does not trust changes nothing (L4)", async (t) => {
    const url = await host(t, express().use(show()));
    const { scheme, remote } = JSON.parse(await textOf(await client1(url, forwarded)));
    assert.deepEqual([scheme, remote.address], ["http", "127.0.0.1"]);
  });

  test("that the host trusts names the client and its scheme", async (t) => {
    const url = await host(t, express().set("trust proxy", true).use(show()));
    const { scheme, remote } = JSON.parse(await textOf(await client1(url, forwarded)));
    assert.deepEqual([scheme, remote], ["https", { address: "192.0.2.7", port: 0 }]);
  });
});

describe("the request body", () => {
  test("is not taken from the client before the gateway reads it, nor faster", async (t) => {
    const { gateway, taken } = taking();
    const url = await host(t, toNodeHandler(gateway, { log: silentLog }));
    const size = 64 * 1024 * 1024;
    const upload = request(url, { method: "POST", headers: { "Content-Length": size } });
    t.after(() => upload.destroy());
    assert.equal(upload.write(Buffer.alloc(size / 2)), false);
    upload.end(Buffer.alloc(size / 2));
    const exchange = await taken();
    let drained = false;
    upload.once("finish", () => {
      drained = true;
    });
    assert.ok(await exchange.body.read());
    assert.equal(drained, false);
    const rest = (await bodyBytes(exchange)).length;
    assert.ok(rest < size && rest > 0);
    const answered = once(upload, "response");
    says(exchange, "done");
    await answered;
  });

  test("ends with its trailer, of which only harmless fields are kept (H12)", async (t) => {
    let trailers: readonly string[] = [];
    const gateway = answering((exchange) => {
      bodyBytes(exchange).then((body) => {
        trailers = exchange.body.trailers;
        says(exchange, body.toString());
      });
    });
    const url = await host(t, toNodeHandler(gateway));
    const trailer = "X-Sum: 5\r\nHost: evil\r\nAuthorization: evil\r\n\r\n";
    const text = await answerTo(
      t,
      url,
      `${head("POST / HTTP/1.1", "Host: h", "Transfer-Encoding: chunked")}5\r\nhello\r\n0\r\n${trailer}`,
    );
    assert.match(text, /hello$/);
    assert.deepEqual(trailers, ["X-Sum", "5"]);
  });

  test("that never comes to its end rejects, and closes the exchange", async (t) => {
    const { gateway, taken } = taking();
    const url = await host(t, toNodeHandler(gateway));
    const socket = await dial(t, url, `${head("POST / HTTP/1.1", "Host: h", "Content-Length: 10")}12345`);
    const exchange = await taken();
    assert.equal(String(await exchange.body.read()), "12345");
    const rest = exchange.body.read();
    socket.destroy();
    await assert.rejects(rest, { code: "ERR_SALLYPORT_CLIENT_LEFT" });
    assert.equal((await outcomeOf(exchange)).error?.code, "ERR_SALLYPORT_CLIENT_LEFT");
  });

  test("larger than the limit is 413, announced or not (H22)", async (t) => {
    const url = await host(t, toNodeHandler(echoing(), { maxBody: 5, log: silentLog }));
    const sent = async (...lines: string[]) =>
      statusIn(await answerTo(t, url, head("POST / HTTP/1.1", "Host: h", ...lines)));
    assert.equal(await sent("Content-Length: 6", "", "123456"), 413);
    const chunked = (body: string) =>
      answerTo(t, url, `${head("POST / HTTP/1.1", "Host: h", "Transfer-Encoding: chunked")}${body}`);
    assert.equal(statusIn(await chunked("6\r\n123456\r\n0\r\n\r\n")), 413);
    assert.match(await chunked("5\r\n12345\r\n0\r\n\r\n"), /12345$/);
  });

  test("that nobody reads does not spoil the connection for the next request", async (t) => {
    const gateway = answering((exchange) => says(exchange, "unread"));
    const url = await host(t, toNodeHandler(gateway));
    const post = `POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1000000\r\n\r\n${"x".repeat(1_000_000)}`;
    const text = await answerTo(t, url, post + head("GET / HTTP/1.1", "Host: h"));
    assert.equal(text.match(/unread/g)?.length, 2);
  });

  test("that waits for 100 Continue gets it from the host, and the application hears no more of it", async (t) => {
    const gateway = answering((exchange) => {
      bodyBytes(exchange).then((body) =>
        says(exchange, `${body} ${exchange.request.headers.includes("100-continue")}`),
      );
    });
    const url = await host(t, toNodeHandler(gateway));
    const socket = await dial(
      t,
      url,
      head("POST / HTTP/1.1", "Host: h", "Expect: 100-continue", "Content-Length: 5"),
    );
    const [interim] = await once(socket, "data");
    assert.match(String(interim), /^HTTP\/1\.1 100 /);
    socket.write("hello");
    assert.match((await socket.toArray()).join(""), /hello false$/);
  });
});

describe("the request body, beside a body parser", () => {
  test("that a body parser has taken is an error that says what to do", async (t) => {
    const { log, lines } = keepLog();
    const url = await host(t, express().use(express.json(), toNodeHandler(echoing(), { log })));
    const headers = { "Content-Type": "application/json" };
    const answer = await client1(url, { method: "POST", headers, body: "{}" });
    assert.equal(answer.status, 500);
    assert.match(await textOf(answer), /ERR_SALLYPORT_CONFIG_INVALID/);
    assert.match(lines[0]?.message ?? "", /mount the gateway before body parsers/);
  });

  test("that a body parser did not care for is still there", async (t) => {
    const url = await host(t, express().use(express.json(), toNodeHandler(echoing())));
    assert.equal(await textOf(await client1(url, { method: "POST", body: "hello" })), "hello");
  });

  test("that a parser keeps as bytes is used", async (t) => {
    const raw = express().use(express.raw({ type: "*/*" }), toNodeHandler(echoing()));
    assert.equal(await textOf(await client1(await host(t, raw), { method: "POST", body: "hello" })), "hello");
    const verify = (req: object, _res: object, bytes: Buffer) => void Object.assign(req, { rawBody: bytes });
    const json = express().use(express.json({ verify }), toNodeHandler(echoing()));
    const headers = { "Content-Type": "application/json" };
    assert.equal(
      await textOf(await client1(await host(t, json), { method: "POST", headers, body: '{"a":1}' })),
      '{"a":1}',
    );
  });

  test("that a parser keeps inflated is not what was sent, and one that it keeps as it was is", async (t) => {
    const keeping =
      (inflate: boolean) => (req: Readable & { rawBody?: Buffer }, _res: unknown, next: () => void) => {
        req.toArray().then((pieces) => {
          const sent = Buffer.concat(pieces);
          req.rawBody = inflate ? gunzipSync(sent) : sent;
          next();
        });
      };
    const asked = { method: "POST", headers: { "Content-Encoding": "gzip" }, body: gzipSync("hello") };
    const mount = toNodeHandler(showingBody(), { log: silentLog });
    const inflated = await client1(await host(t, express().use(keeping(true), mount)), asked);
    assert.deepEqual([inflated.status, /CONFIG_INVALID/.test(await textOf(inflated))], [500, true]);
    const kept = await client1(await host(t, express().use(keeping(false), mount)), asked);
    assert.equal(await textOf(kept), asked.body.toString("hex"));
  });
});

describe("HTTP/2", () => {
  const opened = async (t: TestContext, handler: NodeMount) => {
    const server = createServer2(handler);
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    const host = `127.0.0.1:${(server.address() as AddressInfo).port}`;
    const session = connect2(`http://${host}`);
    t.after(() => {
      session.destroy();
      server.close();
    });
    return { session, host };
  };

  test("names its host for applications that look at Host, and has no pseudo-headers", async (t) => {
    const { session, host } = await opened(t, show());
    const stream = session.request({ ":path": "/x?y" });
    const shown = JSON.parse((await stream.toArray()).join(""));
    assert.deepEqual([shown.version, shown.path, shown.query, shown.authority], ["2", "/x", "y", host]);
    assert.deepEqual(shown.headers, ["host", host]);
  });

  test("has the crumbs of its Cookie joined (RFC 9113, 8.2.3)", async (t) => {
    const { session, host } = await opened(t, show());
    const stream = session.request({ cookie: ["a=1", "b=2"], "x-a": "1" });
    const shown = JSON.parse((await stream.toArray()).join(""));
    assert.deepEqual(shown.headers, ["host", host, "cookie", "a=1; b=2", "x-a", "1"]);
  });

  test("is refused with a Host that differs from :authority, as two hosts are two requests", async (t) => {
    const { session } = await opened(t, show());
    const answered = async (host: string) => {
      const stream = session.request({ ":authority": "a.example", host });
      const [{ ":status": status }] = await once(stream, "response");
      return [status, (await stream.toArray()).join("")];
    };
    const [refused, why] = await answered("b.example");
    assert.deepEqual([refused, /BAD_HOST/.test(String(why))], [400, true]);
    const [status, text] = await answered("A.example");
    assert.deepEqual([status, JSON.parse(String(text)).authority], [200, "A.example"]);
  });

  test("has bodies without a length", async (t) => {
    const stream = (await opened(t, toNodeHandler(echoing()))).session.request({ ":method": "POST" });
    stream.write("one ");
    stream.end("two");
    assert.equal((await stream.toArray()).join(""), "one two");
  });

  test("resets an upload: that is no end of it", async (t) => {
    const { gateway, taken } = taking();
    const stream = (await opened(t, toNodeHandler(gateway))).session.request({ ":method": "POST" });
    stream.write("one");
    const exchange = await taken();
    assert.equal(String(await exchange.body.read()), "one");
    const rest = exchange.body.read();
    // Not close(): that ends the request before it resets the stream.
    stream.once("error", () => {});
    stream.destroy(new Error("the client gave up"));
    await assert.rejects(rest, { code: "ERR_SALLYPORT_CLIENT_LEFT" });
    assert.equal((await outcomeOf(exchange)).error?.code, "ERR_SALLYPORT_CLIENT_LEFT");
  });
});

test("a client that left while the host was still busy costs the application nothing", async (t) => {
  const { gateway, taken } = taking();
  const handler = toNodeHandler(gateway, { log: silentLog });
  const server = createServer();
  const busy = once(server, "busy");
  const handled = once(server, "handled");
  const url = await host(
    t,
    (req, res) => {
      if (req.url === "/now") return handler(req, res);
      server.emit("busy");
      res.once("close", () => server.emit("handled", handler(req, res)));
    },
    server,
  );
  const socket = await dial(t, url, head("GET /late HTTP/1.1", "Host: h"));
  await busy;
  socket.destroy();
  await handled;
  client1(`${url}/now`).catch(() => {});
  assert.equal((await taken()).request.path, "/now");
});
