import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, get, IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { test } from "node:test";
import { type NodeHandler, nodeApp } from "../../src/apps/index.ts";
import {
  headerValues,
  type LogFields,
  PushedBody,
  SallyportError,
  silentLog,
  WholeBody,
} from "../../src/exchange/index.ts";
import { type Recorded, RecordedExchange, type RecordedRequest } from "../../src/testing/recorded.ts";

function ask(handler: NodeHandler, request: RecordedRequest = {}): Promise<Recorded> {
  const exchange = new RecordedExchange(request);
  nodeApp(handler).handle(exchange);
  return exchange.done;
}

const source = { pause() {}, resume() {} };
const turn = () => new Promise((resolve) => setImmediate(resolve));

test("the request has what node's own has", async () => {
  const facts = (req: IncomingMessage, res: ServerResponse) =>
    res.end(
      JSON.stringify([
        req instanceof IncomingMessage,
        req.method,
        req.url,
        req.httpVersion,
        req.headers,
        req.headersDistinct["x-a"],
        req.rawHeaders.slice(0, 4),
        req.complete,
      ]),
    );
  const headers = [
    "Host",
    "h",
    "X-A",
    "1",
    "x-a",
    "2",
    "Cookie",
    "a=b",
    "cookie",
    "c=d",
    "Content-Type",
    "t/x",
  ];
  const { body } = await ask(facts, { method: "PUT", target: "/p%20q?x", headers });
  const joined = { host: "h", "x-a": "1, 2", cookie: "a=b; c=d", "content-type": "t/x" };
  const expected = [true, "PUT", "/p%20q?x", "1.1", joined, ["1", "2"], ["Host", "h", "X-A", "1"], true];
  assert.deepEqual(JSON.parse(body.toString()), expected);
});

test("the socket tells where the client is", async () => {
  const facts = ({ socket }: IncomingMessage, res: ServerResponse) =>
    res.end(
      JSON.stringify([
        socket.remoteAddress,
        socket.remotePort,
        socket.remoteFamily,
        socket.localPort,
        (socket as unknown as { encrypted: boolean }).encrypted,
        socket.writable,
        socket.readable,
      ]),
    );
  const { body } = await ask(facts, { scheme: "https" });
  assert.deepEqual(JSON.parse(body.toString()), ["127.0.0.1", 50_000, "IPv4", 8000, true, true, true]);
});

for (const [target, mount, url] of [
  ["/m/x?q=1", "/m", "/x?q=1"],
  ["/m", "/m", "/"],
  ["/m?q", "/m", "/?q"],
  ["/m/", "/m", "/"],
] as const) {
  test(`below the mount ${mount} the target ${target} has the url ${url}`, async () => {
    const { body } = await ask(
      (req, res) => {
        const { originalUrl, baseUrl } = req as IncomingMessage & { originalUrl?: string; baseUrl?: string };
        res.end(JSON.stringify([req.url, originalUrl, baseUrl]));
      },
      { target, mount },
    );
    assert.deepEqual(JSON.parse(body.toString()), [url, target, mount]);
  });
}

for (const [target, path, query, url] of [
  ["/ab?q", "/a", "q", "/a?q"],
  ["/ab", "/a", "", "/a"],
  ["/a?old", "/a", "q", "/a?q"],
  ["/a?xq", "/a", "q", "/a?q"],
  ["/a?old", "/a", "", "/a"],
  ["/a?", "/a", "", "/a?"],
] as const) {
  test(`the target ${target} that was rewritten to ${path} and ${query} has the url ${url}`, async () => {
    const exchange = new RecordedExchange({ target });
    exchange.request = { ...exchange.request, path, query };
    nodeApp((req, res) => res.end(req.url)).handle(exchange);
    assert.equal((await exchange.done).body.toString(), url);
  });
}

test("without a mount there is no originalUrl, as in node", async () => {
  const { body } = await ask((req, res) => res.end(String("originalUrl" in req)));
  assert.equal(body.toString(), "false");
});

test("a response given at once leaves in one call", async () => {
  const exchange = new RecordedExchange();
  const started = test.mock.method(exchange, "start");
  nodeApp((_req, res) => {
    res.setHeader("Content-Type", "text/plain");
    res.setHeader("Set-Cookie", ["a=1", "b=2"]);
    res.statusCode = 202;
    res.write("hel");
    res.end();
  }).handle(exchange);
  const { status, reason, headers, body } = await exchange.done;
  assert.deepEqual([status, reason, body.toString(), started.mock.callCount()], [202, "", "hel", 0]);
  assert.deepEqual(headers, ["Content-Type", "text/plain", "Set-Cookie", "a=1", "Set-Cookie", "b=2"]);
});

const HEADS: [string, (res: ServerResponse) => void, readonly string[]][] = [
  [
    "an object",
    (res) => res.writeHead(200, { "X-A": "1", "X-B": ["2", "3"] }),
    ["X-A", "1", "X-B", "2", "X-B", "3"],
  ],
  ["a flat list", (res) => res.writeHead(200, ["X-A", "1", "x-a", "2"]), ["X-A", "1", "x-a", "2"]],
  [
    "a list of pairs",
    (res) =>
      res.writeHead(200, [
        ["X-A", "1"],
        ["X-A", "2"],
      ] as unknown as string[]),
    ["X-A", "1", "X-A", "2"],
  ],
  [
    "an object after setHeader",
    (res) => res.setHeader("X-A", 1).writeHead(200, { "x-b": 2 }),
    ["X-A", "1", "x-b", "2"],
  ],
  [
    "an object after a header was removed",
    (res) => {
      res.setHeader("X-A", "1");
      res.removeHeader("X-A");
      res.writeHead(200, { "X-B": "2" });
    },
    ["X-B", "2"],
  ],
];
for (const [how, write, expected] of HEADS) {
  test(`writeHead takes its fields from ${how}`, async () => {
    const { headers } = await ask((_req, res) => {
      write(res);
      res.end();
    });
    assert.deepEqual(headers, expected);
  });
}

test("a reason of its own passes, and Transfer-Encoding does not", async () => {
  const recorded = await ask((_req, res) => {
    res.writeHead(200, "Fine", { "Transfer-Encoding": "chunked" });
    res.end("x");
  });
  assert.deepEqual([recorded.reason, recorded.headers, recorded.body.toString()], ["Fine", [], "x"]);
});

test("a response in pieces is streamed, each turn's pieces at its end", async () => {
  const exchange = new RecordedExchange();
  const before: string[] = [];
  nodeApp(async (_req, res) => {
    res.write("a");
    before.push(Buffer.concat(exchange.chunks).toString());
    await turn();
    before.push(Buffer.concat(exchange.chunks).toString());
    res.write("62", "hex");
    res.write(Buffer.from("c"));
    res.end("d");
  }).handle(exchange);
  const { body, complete } = await exchange.done;
  assert.deepEqual([body.toString(), complete, before], ["abcd", true, ["", "a"]]);
});

test("flushHeaders sends the head alone", async () => {
  const exchange = new RecordedExchange();
  nodeApp((_req, res) => res.flushHeaders()).handle(exchange);
  await turn();
  assert.deepEqual([exchange.started, exchange.chunks.length], [true, 0]);
  exchange.hangUp();
});

/** What a handler can see of a response's life, up to its end. */
function witness(done: (seen: string[]) => void): NodeHandler {
  return (req, res) => {
    const seen: string[] = [];
    const note = (what: string) =>
      seen.push(`${what} ${res.headersSent} ${res.writableEnded} ${res.writableFinished}`);
    for (const event of ["finish", "close"]) res.on(event, () => note(`res ${event}`));
    for (const event of ["end", "close", "aborted"]) req.on(event, () => note(`req ${event}`));
    note("first");
    res.write("x", () => note("written"));
    note("head");
    res.end(() => note("ended"));
    note("end");
    let closes = 0;
    for (const one of [req, res]) one.on("close", () => ++closes === 2 && done(seen));
  };
}

test("the states and events of a response come as in node's own server", async () => {
  const ours = await new Promise((resolve) => void ask(witness(resolve)));
  const server = createServer();
  const theirs = await new Promise((resolve) => {
    server.on("request", witness(resolve)).listen(0, "127.0.0.1", () => {
      get({ port: (server.address() as AddressInfo).port, agent: false }, (res) => res.resume());
    });
  });
  server.close();
  assert.deepEqual(ours, theirs);
});

test("a handler is told to wait while its client does not read, and to go on by drain", async () => {
  const exchange = new RecordedExchange();
  exchange.stalled = true;
  let written = 0;
  nodeApp(async (_req, res) => {
    res.flushHeaders();
    await turn();
    while (written < 50) {
      written++;
      if (!res.write(Buffer.alloc(1000))) {
        assert.equal(res.writableNeedDrain, true);
        await once(res, "drain");
        assert.equal(res.writableNeedDrain, false);
      }
    }
    res.end();
  }).handle(exchange);
  for (let i = 0; i < 5; i++) await turn();
  assert.equal(written, 1);
  exchange.release();
  const { body, complete } = await exchange.done;
  assert.deepEqual([body.length, complete], [50_000, true]);
});

test("a stream piped into the response waits for a client that does not read", async () => {
  const exchange = new RecordedExchange();
  exchange.stalled = true;
  let made = 0;
  const chunks = Readable.from(
    (function* () {
      while (made++ < 200) yield Buffer.alloc(10_000);
    })(),
    { highWaterMark: 2 },
  );
  nodeApp((_req, res) => pipeline(chunks, res)).handle(exchange);
  for (let i = 0; i < 50; i++) await turn();
  assert.ok(made < 10, `${made} pieces were made`);
  exchange.release();
  const { body, complete } = await exchange.done;
  assert.deepEqual([body.length, complete], [2_000_000, true]);
});

test("trailers follow the body", async () => {
  const { trailers, body } = await ask((_req, res) => {
    res.writeHead(200, { Trailer: "X-Sum" });
    res.write("body");
    res.addTrailers({ "X-Sum": "42" });
    res.end();
  });
  assert.deepEqual([trailers, body.toString()], [["X-Sum", "42"], "body"]);
});

test("early hints and processing are informational, and 100 is left to the listener", async () => {
  const { informs, status } = await ask((_req, res) => {
    res.writeContinue();
    res.writeProcessing();
    res.writeEarlyHints({ link: "</a.css>; rel=preload" });
    res.end();
  });
  assert.deepEqual(
    informs.map((head) => [head.status, headerValues(head.headers, "link")]),
    [
      [102, []],
      [103, ["</a.css>; rel=preload"]],
    ],
  );
  assert.equal(status, 200);
});

test("no byte of body leaves for HEAD and 304", async () => {
  const head = await ask((_req, res) => res.setHeader("Content-Length", 5).end("hello"), { method: "HEAD" });
  assert.deepEqual(
    [head.bytes, headerValues(head.headers, "content-length"), head.complete],
    [0, ["5"], true],
  );
  const unchanged = await ask((_req, res) => {
    res.statusCode = 304;
    res.end();
  });
  assert.deepEqual([unchanged.status, unchanged.bytes], [304, 0]);
});

test("a body shorter than its Content-Length is a cut, and no finish", async () => {
  let finished = false;
  const { complete, error } = await ask((_req, res) => {
    res.on("finish", () => (finished = true));
    res.setHeader("Content-Length", 10);
    res.end("short");
  });
  await turn();
  assert.deepEqual([complete, error?.code, finished], [false, "ERR_SALLYPORT_APP_SHORT_BODY", false]);
});

test("a whole body is read in one piece, and then it ends", async () => {
  const { body } = await ask(
    async (req, res) => {
      const chunks: Buffer[] = [];
      for await (const chunk of req) chunks.push(chunk);
      res.end(`${chunks.length} ${Buffer.concat(chunks)} ${req.complete}`);
    },
    { method: "POST", body: "hello" },
  );
  assert.equal(body.toString(), "1 hello true");
});

test("a whole body has its trailers at its end", async () => {
  const { body } = await ask(
    async (req, res) => {
      req.resume();
      await once(req, "end");
      res.end(JSON.stringify(req.rawTrailers));
    },
    { method: "POST", body: new WholeBody(Buffer.from("hello"), ["X-Sum", "5"]) },
  );
  assert.equal(body.toString(), '["X-Sum","5"]');
});

test("a streamed body is pulled with its trailers, and complete only at its end", async () => {
  const body = new PushedBody(undefined, source);
  const seen: unknown[] = [];
  const answer = ask(
    async (req, res) => {
      seen.push(req.complete);
      let text = "";
      for await (const chunk of req) text += chunk;
      seen.push(req.complete, text, req.trailers);
      res.end();
    },
    { method: "POST", body },
  );
  body.push(Buffer.from("in "));
  await turn();
  body.push(Buffer.from("pieces"));
  body.end(["X-Sum", "1"]);
  assert.equal((await answer).status, 200);
  assert.deepEqual(seen, [false, true, "in pieces", { "x-sum": "1" }]);
});

test("a streamed body flows on for as long as it comes", async () => {
  const body = new PushedBody(undefined, source);
  const answer = ask(
    (req, res) => {
      let data = 0;
      req.on("data", (chunk) => {
        data += chunk.length;
      });
      req.on("end", () => res.end(String(data)));
    },
    { method: "POST", body },
  );
  for (let i = 0; i < 50; i++) {
    body.push(Buffer.alloc(1000));
    await turn();
  }
  body.end();
  assert.equal((await answer).body.toString(), "50000");
});

test("a handler that does not read holds its client back", async () => {
  let paused = false;
  const body = new PushedBody(
    undefined,
    { pause: () => (paused = true), resume: () => (paused = false) },
    100,
  );
  const exchange = new RecordedExchange({ method: "POST", body });
  let request: IncomingMessage | undefined;
  nodeApp((req) => {
    request = req;
  }).handle(exchange);
  for (let i = 0; i < 4; i++) body.push(Buffer.alloc(60));
  await turn();
  assert.equal(paused, true);
  request?.resume();
  for (let i = 0; i < 5; i++) await turn();
  assert.equal(paused, false);
  exchange.hangUp();
});

test("a body that nobody read is thrown away after the response", async () => {
  const body = new PushedBody(100, source);
  await ask((_req, res) => res.end("no, thanks"), { method: "POST", body });
  await turn();
  assert.equal(body.discarded, true);
});

test("a body over the limit is answered with 413 when the handler reads it", async () => {
  const body = new PushedBody(undefined, source);
  const answer = ask((req) => void req.resume(), { method: "POST", body });
  body.fail(new SallyportError("BODY_TOO_LARGE", "too much"));
  assert.equal((await answer).status, 413);
});

for (const [how, handler] of [
  [
    "throws",
    () => {
      throw new Error("secret reason");
    },
  ],
  [
    "rejects",
    async () => {
      throw new Error("secret reason");
    },
  ],
  [
    "calls next with an error",
    (_req: unknown, _res: unknown, next: (error: Error) => void) => next(new Error("secret reason")),
  ],
] as [string, NodeHandler][]) {
  test(`a handler that ${how} is a 500 that keeps the reason, and the stack, for the log`, async () => {
    const lines: [string, LogFields | undefined][] = [];
    const log = {
      ...silentLog,
      error: (message: string, fields?: LogFields) => lines.push([message, fields]),
    };
    const { status, body } = await ask(handler, { log });
    assert.equal(status, 500);
    assert.doesNotMatch(body.toString(), /secret/);
    assert.match(lines[0]?.[0] ?? "", /secret reason/);
    assert.match(String(lines[0]?.[1]?.detail), /node\.test\.ts/);
  });
}

test("a handler that throws after its head cuts the response", async () => {
  const { status, complete } = await ask(async (_req, res) => {
    res.write("some");
    await turn();
    throw new Error("midway");
  });
  assert.deepEqual([status, complete], [200, false]);
});

test("a handler that passes on is a 404", async () => {
  assert.equal((await ask((_req, _res, next) => next())).status, 404);
});

for (const target of ["/", "/a/%20b?x=1&x=%3F", "//a?", "/a?b?c"]) {
  test(`a handler that makes its URL of a third parameter, as Next.js's does, keeps ${target}`, async () => {
    const handler = (req: IncomingMessage, res: ServerResponse, parsedUrl?: Partial<URL>) => {
      if (parsedUrl)
        req.url = `${parsedUrl.host ?? ""}${parsedUrl.pathname}${parsedUrl.search}${parsedUrl.hash ?? ""}`;
      res.end(req.url);
    };
    const { body } = await ask(handler as unknown as NodeHandler, { target });
    assert.equal(body.toString(), target);
  });
}

for (const [what, destroy] of [
  ["response", (_req: IncomingMessage, res: ServerResponse) => res.destroy()],
  ["request", (req: IncomingMessage) => req.destroy()],
  ["socket", (req: IncomingMessage) => req.socket.destroy(new Error("enough"))],
] as [string, NodeHandler][]) {
  test(`a handler that destroys its ${what} cuts the response, with no head either`, async () => {
    const { status, complete, error } = await ask(destroy);
    assert.deepEqual([status, complete, error?.code], [0, false, "ERR_SALLYPORT_APP_ABORTED"]);
  });
}

test("who listens for errors of the socket hears why it was destroyed, before it closes", async () => {
  const heard: unknown[] = [];
  await new Promise<void>((resolve) => {
    void ask(({ socket }) => {
      socket.on("error", (error) => heard.push(error.message));
      socket.on("close", (hadError) => resolve(void heard.push(hadError)));
      socket.destroy(new Error("enough"));
      heard.push("destroyed");
    });
  });
  assert.deepEqual(heard, ["destroyed", "enough", true]);
});

test("a raw write to the socket is refused, and cuts the response", async () => {
  const { complete, error } = await ask((req) => req.socket.write("HTTP/1.1 200 OK\r\n\r\n"));
  assert.equal(complete, false);
  assert.match(error?.message ?? "", /write to the response/);
});

test("whoever writes raw to the socket hears that it was refused", async () => {
  const heard: unknown[] = [];
  await new Promise<void>((resolve) => {
    void ask(({ socket }) => {
      socket.on("close", (hadError: boolean) => heard.push(hadError, socket.destroyed, socket.writable));
      socket.end("raw", "latin1", ((error?: Error) => {
        heard.push(error?.message);
        setImmediate(resolve);
      }) as () => void);
    });
  });
  assert.match(String(heard.find((what) => typeof what === "string")), /no raw socket/);
  assert.deepEqual(
    heard.filter((what) => typeof what === "boolean"),
    [true, true, false],
  );
});

test("what belongs to the connection may be asked of the socket, and changes nothing", async () => {
  const { body, complete } = await ask(({ socket }, res) => {
    for (const same of [socket.setNoDelay(), socket.setKeepAlive(), socket.ref(), socket.unref()])
      assert.equal(same, socket);
    for (const same of [socket.pause(), socket.resume(), socket.end()]) assert.equal(same, socket);
    socket.cork();
    socket.uncork();
    // Node 20 adds the socket's count to the response's own.
    assert.equal(res.writableCorked, 0);
    res.end(`${socket.writableLength} ${res.writableHighWaterMark} ${res.writableNeedDrain}`);
  });
  assert.deepEqual([body.toString(), complete], ["0 16384 false", true]);
});

test("the socket of a complete response closes, without an error", async () => {
  const closed = new Promise<unknown>((resolve) => {
    void ask(({ socket }, res) => {
      socket.on("close", (hadError) =>
        resolve([hadError, socket.destroyed, socket.closed, res.writableFinished]),
      );
      res.end("all");
    });
  });
  assert.deepEqual(await closed, [false, true, true, true]);
});

test("a write after the end harms nobody", async () => {
  const { body, complete } = await ask((_req, res) => {
    res.end("all");
    res.write("more");
  });
  assert.deepEqual([body.toString(), complete], ["all", true]);
  await turn();
});

test("a header after the head throws into the handler, as in node", async () => {
  const { body } = await ask((_req, res) => {
    res.write("x");
    assert.throws(() => res.setHeader("X-Late", "1"), { code: "ERR_HTTP_HEADERS_SENT" });
    res.end();
  });
  assert.equal(body.toString(), "x");
});

for (const [what, misuse] of [
  ["a line break in a field of writeHead", (res) => res.writeHead(200, { "X-A": "a\r\nX-B: b" })],
  ["a line break in setHeader", (res) => res.setHeader("X-A", "a\r\nX-B: b")],
  ["a space in a field name", (res) => res.writeHead(200, ["X A", "1"])],
  ["the status 101", (res) => res.writeHead(101)],
] as [string, (res: ServerResponse) => void][]) {
  test(`${what} throws into the handler, and nothing of it leaves`, async () => {
    const { status, headers } = await ask((_req, res) => misuse(res));
    assert.equal(status, 500);
    assert.deepEqual(headerValues(headers, "x-a"), []);
  });
}

test("a client that leaves is told to request and response", async () => {
  const exchange = new RecordedExchange();
  const seen: string[] = [];
  let response: ServerResponse | undefined;
  nodeApp((req, res) => {
    response = res;
    req.on("aborted", () => seen.push("req aborted"));
    req.on("error", (error) => seen.push(`req ${(error as NodeJS.ErrnoException).code}`));
    req.on("close", () => seen.push("req close"));
    res.on("close", () => seen.push(`res close ${res.writableFinished}`));
    res.on("finish", () => seen.push("res finish"));
    res.write("some");
  }).handle(exchange);
  await turn();
  exchange.hangUp();
  assert.equal(response?.write("more"), false);
  await turn();
  response?.end();
  await turn();
  assert.deepEqual(seen.sort(), ["req ECONNRESET", "req aborted", "req close", "res close false"]);
});

test("a client that leaves is no error of the socket, which libraries (on-finished, in Koa) would tell the log of", async () => {
  const exchange = new RecordedExchange();
  const seen: string[] = [];
  nodeApp(({ socket }) => {
    socket.on("error", ({ message }) => seen.push(message));
    socket.on("close", () => seen.push(`close ${socket.destroyed}`));
  }).handle(exchange);
  exchange.hangUp();
  await turn();
  await turn();
  assert.deepEqual(seen, ["close true"]);
});

test("a client that leaves breaks a pipeline off", async () => {
  const exchange = new RecordedExchange();
  exchange.stalled = true;
  let failure: Promise<unknown> | undefined;
  const endless = Readable.from(
    (function* () {
      while (true) yield Buffer.alloc(1000);
    })(),
  );
  nodeApp((_req, res) => {
    failure = pipeline(endless, res).catch((error) => error.code);
  }).handle(exchange);
  await turn();
  exchange.hangUp();
  assert.equal(await failure, "ERR_STREAM_PREMATURE_CLOSE");
  assert.equal(endless.destroyed, true);
});

test("a timeout set on the response is told to it, and cuts when nobody listens", async () => {
  const heard = await ask((_req, res) => {
    res.setTimeout(5, () => res.end("late"));
    const alive = setInterval(() => {}, 1000);
    res.on("close", () => clearInterval(alive));
  });
  assert.equal(heard.body.toString(), "late");
  const unheard = await ask((req, res) => {
    req.socket.setTimeout(5);
    const alive = setInterval(() => {}, 1000);
    res.on("close", () => clearInterval(alive));
  });
  assert.equal(unheard.error?.code, "ERR_SALLYPORT_APP_ABORTED");
});

test("a handler that gives no head in its time is answered for with 504", async () => {
  const exchange = new RecordedExchange();
  nodeApp(() => {}, { timeout: 0.01 }).handle(exchange);
  // The deadline does not keep a process alive by itself.
  const alive = setInterval(() => {}, 1000);
  const { status } = await exchange.done;
  clearInterval(alive);
  assert.equal(status, 504);
});

test("a fetch handler that looks like a node handler is told from its Response, and does not hang", async () => {
  const returns = (request: IncomingMessage, _info: unknown) => new Response(request.url);
  for (const handler of [returns, async (req: IncomingMessage, info: unknown) => returns(req, info)]) {
    const { failure } = await ask(handler);
    assert.equal(failure?.code, "ERR_SALLYPORT_APP_PROTOCOL");
    assert.match(failure?.message ?? "", /exported as \{ fetch: handler \}/);
  }
});

test("a Response that a node handler returns is nobody's when it answers itself", async () => {
  const later = async (_: IncomingMessage, res: ServerResponse) => {
    const response = new Response("proxied");
    pipeline(Readable.fromWeb(response.body as never), res);
    return response;
  };
  const answered = (_: IncomingMessage, res: ServerResponse) => {
    res.end("own");
    return new Response("other");
  };
  assert.equal(String((await ask(later)).body), "proxied");
  assert.equal(String((await ask(answered)).body), "own");
});
