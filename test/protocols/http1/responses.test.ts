// How responses leave: order, framing, what is added and what is kept off the wire.
import assert from "node:assert/strict";
import { test } from "node:test";
import type { Handler } from "../../../src/exchange/index.ts";
import { BANNED_TRAILERS, head, queue } from "../../kit/handlers.ts";
import { bodyOf, headLines, hello, serve, statuses } from "../../kit/serve-http1.ts";
import { settled } from "../../kit/until.ts";

const GET = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
const LAST = "GET /last HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
const WITH_TRAILERS = LAST.replace("close\r\n", "close, TE\r\nTE: trailers\r\n");
const OLD = "GET / HTTP/1.0\r\n\r\n";

const streaming =
  (status = 200, ...headers: string[]): Handler =>
  (exchange) => {
    exchange.start(head(status, ...headers));
    exchange.write(Buffer.from("hello"));
    exchange.write(Buffer.from(" world"));
    exchange.end();
  };

test("requests of one connection are answered in order, however they arrive", async (t) => {
  const { client } = await serve(t, hello);
  const together = (await client()).send("GET /1 HTTP/1.1\r\nHost: a\r\n\r\n", LAST);
  assert.deepEqual((await together.all()).match(/GET \/\w+/g), ["GET /1", "GET /last"]);
  const apart = (await client()).send("GET /1 HTTP/1.1\r\nHost: a\r\n\r\n");
  await apart.has("GET /1");
  apart.send("POST /2 HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi", LAST);
  assert.match(await apart.all(), /POST \/2 hi[\s\S]*GET \/last/);
});

test("a pipelined request is not started before the one in front of it is over", async (t) => {
  const events: string[] = [];
  const { client } = await serve(t, (exchange) => {
    const { path } = exchange.request;
    events.push(`${path} begins`);
    exchange.whenClosed(() => events.push(`${path} is over`));
    exchange.start(head());
    setImmediate(() => exchange.end());
  });
  await (await client()).send(GET + LAST).all();
  assert.deepEqual(events, ["/ begins", "/ is over", "/last begins", "/last is over"]);
});

test("a thousand pipelined requests are answered without the stack growing", async (t) => {
  const { client } = await serve(t, hello);
  const peer = (await client()).send(GET.repeat(1000) + LAST);
  assert.equal(statuses(await peer.all()).length, 1001);
});

test("a client that sends requests and reads no answers does not get ever more of them made", async (t) => {
  let count = 0;
  const body = Buffer.alloc(50_000, "x");
  const handler: Handler = (exchange) => {
    count++;
    exchange.respond(head(), body);
  };
  const { client } = await serve(t, handler, { pipelined: 1000 });
  const peer = await client();
  peer.socket.pause();
  peer.send(GET.repeat(1000), LAST);
  await settled(() => count);
  assert.ok(count > 0 && count < 900, `${count} of 1001 were made`);
  peer.socket.resume();
  assert.equal(statuses(await peer.all()).length, 1001);
});

test("a one-shot response gets Content-Length and Date, and nothing else", async (t) => {
  const { client } = await serve(t, (exchange) =>
    exchange.respond(head(200, "X-A", "1", "x-a", "2"), "h\xe9"),
  );
  const text = await (await client()).send(GET).has("\xc3\xa9");
  assert.deepEqual(headLines(text), ["HTTP/1.1 200 OK", "X-A: 1", "x-a: 2", "Content-Length: 3"]);
  assert.match(text, /^Date: \w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT\r$/m);
});

test("205 has the length 0, whatever its application writes (RFC 9110, 15.3.6)", async (t) => {
  for (const handler of [
    streaming(205),
    streaming(205, "Content-Length", "11"),
    ((exchange) => exchange.respond(head(205, "Content-Length", "5"), "hello")) satisfies Handler,
  ]) {
    const { client } = await serve(t, handler);
    const text = await (await client()).send(GET, LAST).all();
    const heads = text.split("\r\n\r\n");
    assert.deepEqual([heads.length, heads.pop()], [3, ""]);
    for (const each of heads) assert.match(each, /^HTTP\/1.1 205 [\s\S]*\r\nContent-Length: 0(?:\r\n|$)/);
  }
});

test("an application's own Date, reason and Server are left alone", async (t) => {
  const { client } = await serve(t, (exchange) =>
    exchange.respond({ status: 299, reason: "Fine", headers: ["Date", "today", "Server", "mine"] }, ""),
  );
  const text = await (await client()).send(LAST).all();
  assert.match(
    text,
    /^HTTP\/1\.1 299 Fine\r\nDate: today\r\nServer: mine\r\nContent-Length: 0\r\nConnection: close\r\n\r\n$/,
  );
});

test("a stream without length is chunked, and the connection is kept", async (t) => {
  const { client } = await serve(t, streaming());
  const text = await (await client()).send(GET + LAST).all();
  assert.equal(statuses(text).length, 2);
  assert.deepEqual(headLines(text), ["HTTP/1.1 200 OK", "Transfer-Encoding: chunked"]);
  assert.ok(bodyOf(text).startsWith("5\r\nhello\r\n6\r\n world\r\n0\r\n\r\nHTTP/1.1"));
});

test("a stream with its length is sent as it is", async (t) => {
  const { client } = await serve(t, streaming(200, "content-length", "11"));
  const text = await (await client()).send(LAST).all();
  assert.deepEqual(headLines(text), ["HTTP/1.1 200 OK", "Content-Length: 11", "Connection: close"]);
  assert.equal(bodyOf(text), "hello world");
});

test("a status above all that are defined is an error of the application", async (t) => {
  for (const status of [600, 999]) {
    const { client } = await serve(t, (exchange) => exchange.respond(head(status), "secret"));
    assert.match(await (await client()).send(LAST).all(), /^HTTP\/1\.1 500 /);
  }
});

test("a stream without length to HTTP/1.0 ends with the connection", async (t) => {
  const { client } = await serve(t, streaming());
  const keep = "GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n";
  const text = await (await client()).send(keep).all();
  assert.deepEqual(headLines(text), ["HTTP/1.1 200 OK", "Connection: close"]);
  assert.equal(bodyOf(text), "hello world");
});

test("HTTP/1.0 is kept only when it asks, and is told so", async (t) => {
  const { client } = await serve(t, hello);
  const kept = await (await client()).send(`GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n${OLD}`).all();
  assert.deepEqual(kept.match(/Connection: [\w-]+/g), ["Connection: keep-alive", "Connection: close"]);
});

for (const [request, status] of [
  ["HEAD", 200],
  ["GET", 204],
  ["GET", 304],
] as const) {
  test(`H20: no body bytes follow ${request} ${status}, and the next response follows at once`, async (t) => {
    const answers: Handler[] = [
      (exchange) => exchange.respond(head(status, "Content-Length", "5"), "hello"),
      streaming(status, "Content-Length", "11"),
      streaming(status),
    ];
    for (const answer of answers) {
      const { client } = await serve(t, (exchange) =>
        exchange.request.path === "/last" ? exchange.respond(head(), "last") : answer(exchange),
      );
      const text = await (await client()).send(`${request} / HTTP/1.1\r\nHost: a\r\n\r\n${LAST}`).all();
      assert.deepEqual(statuses(text), [String(status), "200"]);
      assert.ok(bodyOf(text).startsWith("HTTP/1.1 200 OK"));
      assert.ok(!headLines(text).includes("Transfer-Encoding: chunked"));
      const announced = headLines(text).some((line) => line.startsWith("Content-Length"));
      assert.equal(
        announced,
        status !== 204 && answer !== answers[2],
        "Content-Length stays, but never on 204",
      );
    }
  });
}

test("hop-by-hop fields of an application never leave, but its Connection: close is granted", async (t) => {
  const { client } = await serve(t, (exchange) =>
    exchange.respond(
      head(
        200,
        "Connection",
        "X-A, Close",
        "Keep-Alive",
        "1",
        "Transfer-Encoding",
        "gzip",
        "Upgrade",
        "x",
        "TE",
        "y",
      ),
      "x",
    ),
  );
  const text = await (await client()).send(GET).all();
  assert.deepEqual(headLines(text), ["HTTP/1.1 200 OK", "Content-Length: 1", "Connection: close"]);
});

test("a false Content-Length of an application is replaced by ours", async (t) => {
  const { client } = await serve(t, (exchange) =>
    exchange.respond(head(200, "Content-Length", "five", "Content-Length", "5"), "abc"),
  );
  const text = await (await client()).send(LAST).all();
  assert.deepEqual(headLines(text), ["HTTP/1.1 200 OK", "Content-Length: 3", "Connection: close"]);
});

test("trailers follow a chunked body; what could split it is left out", async (t) => {
  const { client } = await serve(t, (exchange) => {
    exchange.start(head());
    exchange.write(Buffer.from("x"));
    exchange.end(["X-Sum", "1", "X-Bad", "1\r\nY: 2", "X Y", "3"]);
  });
  assert.equal(bodyOf(await (await client()).send(WITH_TRAILERS).all()), "1\r\nx\r\n0\r\nX-Sum: 1\r\n\r\n");
});

test("a client that does not say that it takes trailers is offered and sent none (RFC 9110, 10.1.4)", async (t) => {
  const { client } = await serve(t, (exchange) => {
    exchange.start(head(200, "X-Offered", String(exchange.takesTrailers)));
    exchange.end(["X-Sum", "1"]);
  });
  const sent = async (...te: string[]): Promise<string> => {
    const text = await (await client())
      .send(LAST.replace("Host: a\r\n", ["Host: a", ...te, ""].join("\r\n")))
      .all();
    return `${/X-Offered: (\w+)/.exec(text)?.[1]} ${bodyOf(text).includes("X-Sum")}`;
  };
  assert.equal(await sent(), "false false");
  assert.equal(await sent("TE: gzip, trailersome"), "false false");
  assert.equal(await sent("TE: gzip;q=0.5", "TE: deflate, Trailers"), "true true");
});

test("what frames, routes or authenticates a response is left out of its trailers (RFC 9110, 6.5.1)", async (t) => {
  const { client } = await serve(t, (exchange) => {
    exchange.start(head());
    exchange.end(BANNED_TRAILERS);
  });
  assert.equal(bodyOf(await (await client()).send(WITH_TRAILERS).all()), "0\r\nX-Sum: 2\r\n\r\n");
});

test("informational responses go before the answer, never to HTTP/1.0, never broken", async (t) => {
  const { client } = await serve(t, (exchange) => {
    exchange.inform(head(103, "Link", "</a>"));
    exchange.inform(head(103, "Link", "</a>\r\nX: y"));
    exchange.inform(head(101));
    exchange.respond(head(), "x");
  });
  const text = await (await client()).send(LAST).all();
  assert.ok(text.startsWith("HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 200 OK\r\n"));
  assert.deepEqual(statuses(await (await client()).send(OLD).all()), ["200"]);
});

for (const [what, answer] of Object.entries({
  "CR LF in a value": head(200, "X", "a\r\nSet-Cookie: b"),
  "LF in a value": head(200, "X", "a\nb"),
  "NUL in a value": head(200, "X", "a\0b"),
  "a character above latin-1": head(200, "X", "\u0100"),
  "a name with a space": head(200, "X Y", "a"),
  "an empty name": head(200, "", "a"),
  "CR LF in the reason": { status: 200, reason: "OK\r\nX: y", headers: [] },
  "a status below 200": head(199),
  "a status of four digits": head(1000),
  "a status that is no integer": head(Number.NaN),
})) {
  test(`a response head with ${what} never reaches the wire: 500, and a line in the log`, async (t) => {
    const { client, lines } = await serve(t, (exchange) => {
      if (exchange.request.path === "/last") exchange.start(answer);
      else exchange.respond(answer, "x");
    });
    const text = await (await client()).send(GET + LAST).all();
    assert.deepEqual(statuses(text), ["500", "500"]);
    assert.equal(text.match(/ERR_SALLYPORT_APP_PROTOCOL/g)?.length, 2);
    assert.deepEqual(
      lines.map(({ level }) => level),
      ["error", "error"],
    );
  });
}

test("a handler that throws costs its own request only", async (t) => {
  const { client, lines } = await serve(t, (exchange) => {
    if (exchange.request.path === "/") throw new Error("oops");
    hello(exchange);
  });
  const text = await (await client()).send(GET + LAST).all();
  assert.deepEqual(statuses(text), ["500", "200"]);
  assert.ok(!text.includes("oops"));
  assert.equal(lines[0]?.message, "oops");
});

test("bytes of any value and any size arrive as they were sent", async (t) => {
  const all = Buffer.from(Array.from({ length: 256 }, (_, i) => i));
  for (const times of [1, 64, 65, 4000]) {
    const body = Buffer.concat(Array.from({ length: times }, () => all));
    const { client } = await serve(t, (exchange) => {
      if (exchange.request.path === "/last") return exchange.respond(head(), body);
      exchange.start(head(200, "Content-Length", String(body.length)));
      exchange.write(body);
      exchange.end();
    });
    const text = await (await client()).send(GET + LAST).all();
    const [, first, second] = text.split(/HTTP\/1\.1 200 OK\r\n/).map(bodyOf);
    assert.ok(first === body.toString("latin1") && second === first, `${body.length} bytes`);
  }
});

test("write says when the client is slower, and whenDrained when it has caught up", async (t) => {
  const { handler, next } = queue();
  const { client } = await serve(t, handler, { unsent: 50_000 });
  const peer = (await client()).send(LAST);
  const exchange = await next();
  peer.socket.pause();
  exchange.start(head());
  const chunk = Buffer.alloc(65_536, "x");
  let sent = 1;
  while (exchange.write(chunk)) sent++;
  const drained = new Promise<void>((resolve) => exchange.whenDrained(resolve));
  peer.socket.resume();
  await drained;
  exchange.end();
  assert.equal((await peer.all()).match(/x+/g)?.join("").length, sent * chunk.length);
});

test("head, pieces and end that are given in one turn leave in one write", async (t) => {
  const { client, server } = await serve(t, streaming());
  let writes = 0;
  server.on("connection", (socket) => {
    const { _write, _writev } = socket;
    socket._write = (...rest) => {
      writes++;
      _write.apply(socket, rest);
    };
    socket._writev = (...rest) => {
      writes++;
      _writev?.apply(socket, rest);
    };
  });
  await (await client()).send(LAST).all();
  assert.equal(writes, 1);
});
