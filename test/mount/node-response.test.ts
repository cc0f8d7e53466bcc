// The node handler, response side: what leaves, how fast, and how a response breaks off.
import assert from "node:assert/strict";
import { EventEmitter, once } from "node:events";
import { request } from "node:http";
import { createServer as createServer2 } from "node:http2";
import type { AddressInfo } from "node:net";
import { describe, type TestContext, test } from "node:test";
import express from "express";
import { type Exchange, type ResponseHead, SallyportError, silentLog } from "../../src/exchange/index.ts";
import { type NodeMount, type NodeMountOptions, toNodeHandler } from "../../src/mount/index.ts";
import { BANNED_TRAILERS, outcomeOf } from "../kit/handlers.ts";
import { keepLog } from "../kit/keep-log.ts";
import { client1, client2, endOf, textOf } from "./clients.ts";
import { answering, answerTo, dial, fill, host, pour, says, TEXT, taking } from "./small-gateways.ts";

const OK: ResponseHead = { status: 200, reason: "", headers: TEXT };
const broken = () => new SallyportError("APP_ABORTED", "it broke off");
const notFound = () => new SallyportError("NOT_FOUND", "nothing there");
const GET = "GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n";
const GET_WITH_TRAILERS = GET.replace("close\r\n", "close, TE\r\nTE: trailers\r\n");

/** As `host`, with a server of node:http2. */
async function host2(t: TestContext, handler: NodeMount): Promise<string> {
  const server = createServer2(handler);
  server.listen(0, "127.0.0.1");
  t.after(() => server.close());
  await once(server, "listening");
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
}

const mounted = (handle: (exchange: Exchange) => void, options: NodeMountOptions = {}) =>
  toNodeHandler(answering(handle), { log: silentLog, ...options });

test("reason, order, repetition and bytes of the head are the application's", async (t) => {
  const headers = ["X-B", "1", "x-a", "caf\u00e9", "Set-Cookie", "a=1", "Set-Cookie", "b=2"];
  const url = await host(
    t,
    mounted((exchange) => exchange.respond({ status: 207, reason: "As It Is", headers }, "x")),
  );
  const text = await answerTo(t, url, GET);
  assert.match(
    text,
    /^HTTP\/1\.1 207 As It Is\r\nX-B: 1\r\nx-a: caf\xe9\r\nSet-Cookie: a=1\r\nSet-Cookie: b=2\r\n/,
  );
  assert.match(text, /\r\nContent-Length: 1\r\n/);
});

test("205 leaves without content, and says so, so that the next response is found (RFC 9110, 15.3.6)", async (t) => {
  const head = { ...OK, status: 205, headers: ["Content-Length", "4"] };
  const handler = mounted((exchange) => {
    if (exchange.request.path === "/last") return says(exchange, "last");
    if (exchange.request.path === "/whole") return exchange.respond(head, "body");
    exchange.start(head);
    exchange.write(Buffer.from("body"));
    exchange.end();
  });
  const url = await host(t, handler);
  for (const path of ["/whole", "/pieces"]) {
    const first = `GET ${path} HTTP/1.1\r\nHost: h\r\n\r\n`;
    const text = await answerTo(t, url, first + GET.replace("/", "/last"));
    assert.match(text, /^HTTP\/1.1 205 [\s\S]*?Content-Length: 0\r\n[\s\S]*?\r\n\r\nHTTP\/1.1 200 /);
  }
  const server = createServer2(handler);
  server.listen(0, "127.0.0.1");
  t.after(() => server.close());
  await once(server, "listening");
  for (const path of ["/whole", "/pieces"]) {
    const answer = await client2(`http://127.0.0.1:${(server.address() as AddressInfo).port}${path}`);
    assert.deepEqual([answer.status, await endOf(answer)], [205, { bytes: 0, cut: false }]);
  }
});

test("what concerns the connection is the host's to say", async (t) => {
  const headers = [
    "Connection",
    "x-secret",
    "Keep-Alive",
    "timeout=99",
    "Transfer-Encoding",
    "gzip",
    "Upgrade",
    "x",
  ];
  const url = await host(
    t,
    mounted((exchange) => exchange.respond({ ...OK, headers }, "x")),
  );
  assert.doesNotMatch(await answerTo(t, url, GET), /x-secret|=99|gzip|Upgrade/i);
});

test("what the host's middleware has set stays, unless the application says otherwise; cookies and Vary add up", async (t) => {
  const headers = ["vary", "Cookie", "Set-Cookie", "app=1", "Content-Type", "text/css"];
  const app = express().use(
    (_req, res, next) => {
      res
        .set({ Vary: "Origin", "Access-Control-Allow-Origin": "*", "Content-Length": "999" })
        .cookie("host", "1");
      next();
    },
    mounted((exchange) => exchange.respond({ ...OK, headers }, "x")),
  );
  const answer = await client1(await host(t, app));
  assert.equal(answer.headers["access-control-allow-origin"], "*");
  assert.deepEqual([answer.headers.vary, answer.headers["content-type"]], ["Origin, Cookie", "text/css"]);
  assert.deepEqual(answer.headers["set-cookie"], ["host=1; Path=/", "app=1"]);
  assert.equal(await textOf(answer), "x");
});

describe("a response without a body", () => {
  for (const [method, status, length] of [
    ["HEAD", 200, "42"],
    ["GET", 304, "42"],
    ["GET", 204, undefined],
  ] as const) {
    for (const how of ["in one call", "in pieces"]) {
      test(`to ${method}, ${status}, ${how}, has no body, and says the length only where it may (H20)`, async (t) => {
        const head = { status, reason: "", headers: ["Content-Length", "42"] };
        const handler = mounted((exchange) => {
          if (how === "in one call") return exchange.respond(head, "x".repeat(42));
          exchange.start(head);
          exchange.write(Buffer.alloc(42));
          exchange.end();
        });
        const url = await host(t, handler);
        const text = await answerTo(t, url, GET.replace("GET", method));
        assert.equal(/content-length: (\d+)/i.exec(text)?.[1], length);
        assert.match(text, /\r\n\r\n$/);
      });
    }
  }
});

test("the head of a response in pieces leaves before its first piece exists", async (t) => {
  const { gateway, taken } = taking();
  const url = await host(t, toNodeHandler(gateway));
  const answering = client1(url);
  const exchange = await taken();
  exchange.start(OK);
  const answer = await answering;
  exchange.write(Buffer.from("late"));
  exchange.end();
  assert.equal(await textOf(answer), "late");
});

test("interim responses reach the client: 102 and 103, but none that node cannot send (H18)", async (t) => {
  const { log, lines } = keepLog();
  const handler = mounted(
    (exchange) => {
      exchange.inform({
        status: 103,
        reason: "",
        headers: ["Link", "</a>; rel=preload", "Link", "</b>; rel=preload"],
      });
      exchange.inform({ status: 103, reason: "", headers: ["Link", "no link"] });
      exchange.inform({ status: 199, reason: "", headers: [] });
      exchange.inform({ status: 102, reason: "", headers: [] });
      says(exchange, "final");
    },
    { log },
  );
  const url = await host(t, handler);
  const text = await answerTo(t, url, GET);
  assert.deepEqual(text.match(/HTTP\/1\.1 \d+/g), ["HTTP/1.1 103", "HTTP/1.1 102", "HTTP/1.1 200"]);
  assert.match(text, /Link: <\/a>; rel=preload, <\/b>; rel=preload/i);
  assert.match(lines[0]?.message ?? "", /informational response was dropped/);
  assert.doesNotMatch(await answerTo(t, url, "GET / HTTP/1.0\r\n\r\n"), /HTTP\/1\.1 10/);
});

test("trailers follow the body", async (t) => {
  const url = await host(
    t,
    mounted((exchange) => {
      exchange.start(OK);
      exchange.write(Buffer.from("body"));
      exchange.end(["X-Sum", "1", "X-Sum", "2"]);
    }),
  );
  assert.match(await answerTo(t, url, GET_WITH_TRAILERS), /\r\n0\r\nx-sum: 1\r\nx-sum: 2\r\n\r\n$/);
  assert.match(await answerTo(t, url, GET), /\r\n0\r\n\r\n$/);
});

test("trailers that may not be sent are left out, and repeated ones harm no host of HTTP/2", async (t) => {
  const handler = mounted((exchange) => {
    exchange.start(OK);
    exchange.write(Buffer.from("body"));
    exchange.end([...BANNED_TRAILERS, "ETag", '"a"', "ETag", '"b"']);
  });
  const text = await answerTo(t, await host(t, handler), GET_WITH_TRAILERS);
  assert.match(text, /\r\n0\r\nx-sum: 2\r\netag: "a"\r\netag: "b"\r\n\r\n$/);
  const answer = await client2(await host2(t, handler), { headers: { te: "trailers" } });
  const trailers = once(answer.body, "trailers");
  assert.equal(await textOf(answer), "body");
  assert.deepEqual(Object.entries((await trailers)[0]), [
    ["x-sum", "2"],
    ["etag", '"a", "b"'],
  ]);
});

test("values have no blanks at their edges, which a host of HTTP/2 would send as they are", async (t) => {
  const handler = mounted((exchange) => {
    exchange.inform({ status: 103, reason: "", headers: ["Link", " </a>; rel=preload ", "X-A", " 1"] });
    exchange.start({ ...OK, headers: [" 1 ", "\t", ""].flatMap((value, i) => [`X-${i}`, value]) });
    exchange.end(["X-Sum", "1 "]);
  });
  const answer = await client2(await host2(t, handler), { headers: { te: "trailers" } });
  const trailers = once(answer.body, "trailers");
  assert.deepEqual(
    [0, 1, 2].map((i) => answer.headers[`x-${i}`]),
    ["1", "", ""],
  );
  await textOf(answer);
  assert.equal((await trailers)[0]["x-sum"], "1");
});

test("a repeated field is one line where a host of HTTP/2 takes no second one, as from our own listener", async (t) => {
  const headers = ["ETag", '"a"', "ETag", '"b"', "Set-Cookie", "a=1", "Set-Cookie", "b=2"];
  const url = await host2(
    t,
    mounted((exchange) => exchange.respond({ ...OK, headers }, "x")),
  );
  const answer = await client2(url);
  assert.deepEqual([answer.status, answer.headers.etag], [200, '"a", "b"']);
  assert.deepEqual(answer.headers["set-cookie"], ["a=1", "b=2"]);
  await textOf(answer);
});

describe("a client that does not read", () => {
  test("holds the application back, until it reads again", async (t) => {
    const { gateway, taken } = taking();
    const url = await host(t, toNodeHandler(gateway, { log: silentLog }));
    const answering = client1(url);
    const exchange = await taken();
    exchange.start(OK);
    const bytes = fill(exchange);
    const drained = new Promise<void>((resolve) => exchange.whenDrained(resolve));
    const end = endOf(await answering);
    await drained;
    exchange.end();
    assert.deepEqual(await end, { bytes, cut: false });
  });

  test("is cut when it takes nothing for too long", async (t) => {
    const { gateway, taken } = taking();
    const { log, lines } = keepLog();
    const url = await host(t, toNodeHandler(gateway, { sendTimeout: 50, log }));
    const socket = await dial(t, url, GET);
    const exchange = await taken();
    exchange.start(OK);
    pour(exchange);
    assert.equal((await outcomeOf(exchange)).error?.code, "ERR_SALLYPORT_CLIENT_STALLED");
    assert.match(lines[0]?.message ?? "", /took nothing for 0.05 s/);
    assert.doesNotMatch((await socket.toArray().catch(() => [])).join(""), /\r\n0\r\n\r\n$/);
  });
});

describe("a client that leaves", () => {
  test("ends the exchange, whoever waits for what", async (t) => {
    const { gateway, taken } = taking();
    const url = await host(t, toNodeHandler(gateway));
    const socket = await dial(t, url, GET);
    const exchange = await taken();
    socket.destroy();
    const { complete, error } = await outcomeOf(exchange);
    assert.deepEqual([complete, error?.code], [false, "ERR_SALLYPORT_CLIENT_LEFT"]);
    says(exchange, "to nobody");
  });

  test("ends also those exchanges whose responses wait behind another one, however many", async (t) => {
    const { gateway, taken } = taking();
    const url = await host(t, toNodeHandler(gateway));
    const warnings: Error[] = [];
    const warned = (warning: Error): void => void warnings.push(warning);
    process.on("warning", warned);
    t.after(() => process.off("warning", warned));
    const count = 20;
    const socket = await dial(t, url, "GET / HTTP/1.1\r\nHost: h\r\n\r\n".repeat(count));
    const exchanges: Exchange[] = [];
    while (exchanges.length < count) exchanges.push(await taken());
    socket.destroy();
    for (const exchange of exchanges)
      assert.equal((await outcomeOf(exchange)).error?.code, "ERR_SALLYPORT_CLIENT_LEFT");
    assert.deepEqual(warnings, []);
  });
});

describe("a response that breaks off", () => {
  test("shows what there was of it, without an end", async (t) => {
    const url = await host(
      t,
      mounted((exchange) => {
        exchange.start(OK);
        exchange.write(Buffer.from("so far"));
        exchange.fail(broken());
      }),
    );
    const text = await answerTo(t, url, GET);
    assert.match(text, /^HTTP\/1\.1 200 OK\r\n/);
    assert.match(text, /so far\r\n$/);
  });

  test("resets the connection where its end would be the body's end", async (t) => {
    const { gateway, taken } = taking();
    const url = await host(t, toNodeHandler(gateway, { log: silentLog }));
    const socket = await dial(t, url, "GET / HTTP/1.0\r\n\r\n");
    const exchange = await taken();
    exchange.start(OK);
    exchange.write(Buffer.from("so far"));
    await once(socket, "data");
    exchange.fail(broken());
    const [error] = await once(socket, "error");
    assert.equal(error.code, "ECONNRESET");
  });

  test("resets its stream in HTTP/2, and no other one", async (t) => {
    const { gateway, taken } = taking();
    const answering = client2(await host2(t, toNodeHandler(gateway, { log: silentLog })));
    const exchange = await taken();
    exchange.start(OK);
    exchange.write(Buffer.from("so far"));
    const answer = await answering;
    await once(answer.body, "readable");
    exchange.fail(broken());
    assert.deepEqual(await endOf(answer), { bytes: "so far".length, cut: true });
  });
});

test("what HTTP/2 forbids does not leave by it, and trailers and responses without a body do (RFC 9113, 8.2.2)", async (t) => {
  const fields = [
    "Connection",
    "x",
    "Keep-Alive",
    "timeout=9",
    "Transfer-Encoding",
    "gzip",
    "Upgrade",
    "x",
    "TE",
    "x",
  ];
  const handler = mounted((exchange) => {
    exchange.start({
      ...OK,
      status: Number(exchange.request.path.slice(1)),
      headers: [...fields, "X-Own", "1"],
    });
    exchange.write(Buffer.from("body"));
    exchange.end(["X-Sum", "1"]);
  });
  const url = (await host2(t, handler)).slice(0, -1);
  for (const [method, status, body] of [
    ["GET", 200, "body"],
    ["HEAD", 200, ""],
    ["GET", 204, ""],
    ["GET", 205, ""],
    ["GET", 304, ""],
  ] as const) {
    const answer = await client2(`${url}/${status}`, { method, headers: { te: "trailers" } });
    const trailers = once(answer.body, "trailers").catch(() => []);
    assert.equal(await textOf(answer), body, `${method} ${status}`);
    const names = Object.keys(answer.headers).filter((name) => !name.startsWith(":") && name !== "date");
    assert.deepEqual(
      [answer.status, names],
      [status, status === 205 ? ["x-own", "content-length"] : ["x-own"]],
    );
    if (body !== "") assert.equal((await trailers)[0]["x-sum"], "1");
  }
});

test("a status above all that are defined is an error of the application's", async (t) => {
  const handler = mounted((exchange) => exchange.respond({ ...OK, status: 700 }, ""));
  const answer = await client2(await host2(t, handler));
  assert.equal(answer.status, 500);
  assert.match(await textOf(answer), /ERR_SALLYPORT_APP_PROTOCOL/);
  const url = await host(t, handler);
  assert.equal((await client1(url)).status, 500);
});

describe("fallthrough", () => {
  const app = (options: NodeMountOptions, answer: (exchange: Exchange) => void) =>
    express().use(mounted(answer, options), (_req, res) => void res.send("the host's own"));
  const says404 = (exchange: Exchange) => exchange.respond({ ...OK, status: 404 }, "the gateway's");

  test("is off: a 404 is the gateway's answer", async (t) => {
    const answer = await client1(await host(t, app({}, says404)));
    assert.deepEqual([answer.status, await textOf(answer)], [404, "the gateway's"]);
  });

  for (const [how, answer] of [
    ["in one call", says404],
    ["in pieces", (exchange: Exchange) => exchange.start({ ...OK, status: 404 })],
    ["as an error", (exchange: Exchange) => exchange.fail(notFound())],
  ] as const) {
    test(`gives a 404 ${how} to the host's next handler`, async (t) => {
      const given = await client1(await host(t, app({ fallthrough: true }, answer)));
      assert.deepEqual([given.status, await textOf(given)], [200, "the host's own"]);
    });
  }

  test("leaves a request with a body where it is, since the next handler could not read it", async (t) => {
    const answer = await client1(await host(t, app({ fallthrough: true }, says404)), {
      method: "POST",
      body: "x",
    });
    assert.deepEqual([answer.status, await textOf(answer)], [404, "the gateway's"]);
  });
});

describe("a host", () => {
  test("that answered by itself meanwhile ends the exchange, and nothing is sent twice", async (t) => {
    const { gateway, taken } = taking();
    const { log, lines } = keepLog();
    const handler = toNodeHandler(gateway, { log });
    const timeout = new EventEmitter();
    const url = await host(t, (req, res) => {
      handler(req, res);
      timeout.once("over", () => res.writeHead(503).end("too late"));
    });
    const answering = client1(url);
    const exchange = await taken();
    timeout.emit("over");
    says(exchange, "the application's");
    assert.equal(await textOf(await answering), "too late");
    assert.match(lines[0]?.message ?? "", /the host answered before/);
  });

  test("whose own wrapping throws costs one connection, not the process", async (t) => {
    const { log, lines } = keepLog();
    const { gateway, taken } = taking();
    const handler = toNodeHandler(gateway, { log });
    const url = await host(t, (req, res) => {
      res.writeHead = () => {
        throw new Error("the host's own bug");
      };
      handler(req, res);
    });
    const asked = request(url, { agent: false });
    asked.end();
    const failing = once(asked, "error");
    const exchange = await taken();
    says(exchange, "x");
    assert.equal((await outcomeOf(exchange)).complete, false);
    assert.equal((await failing)[0].code, "ECONNRESET");
    assert.match(lines[0]?.message ?? "", /the host's own bug/);
  });
});
