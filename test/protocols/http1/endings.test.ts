// All the ways a connection ends: the client leaves, half leaves, the response is cut, the listener closes.
import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { connect, createServer, type Server } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { SallyportError } from "../../../src/exchange/index.ts";
import { bodyText, head, outcomeOf, queue } from "../../kit/handlers.ts";
import { bodyOf, Client, echo, headLines, hello, serve, statuses } from "../../kit/serve-http1.ts";

const GET = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
const OLD = "GET / HTTP/1.0\r\n\r\n";
const post = (...headers: string[]): string =>
  ["POST / HTTP/1.1", "Host: a", ...headers, "", ""].join("\r\n");

test("L1: a client that ends its side after its request is still answered", async (t) => {
  const { handler, next } = queue();
  const { client } = await serve(t, handler);
  for (const request of [GET, OLD]) {
    const peer = (await client()).send(request).end();
    const exchange = await next();
    await new Promise((resolve) => setTimeout(resolve, 100));
    assert.equal(exchange.closed, false);
    exchange.respond(head(), "late");
    assert.match(await peer.all(), /HTTP\/1\.1 200 OK\r\n[\s\S]*late$/);
  }
});

test("L1: a client that has ended its side, and leaves after the first of its answers, is noticed by the next exchange", async (t) => {
  const { handler, next } = queue();
  const { client } = await serve(t, handler);
  const peer = (await client({ allowHalfOpen: true })).send(GET, GET).end();
  const first = await next();
  await peer.has("100 Continue\r\n\r\n");
  first.respond(head(), "first");
  const second = await next();
  await peer.has("first");
  peer.socket.destroy();
  assert.equal((await outcomeOf(second)).error?.code, "ERR_SALLYPORT_CLIENT_LEFT");
});

test("L1: a quick answer to a client that ended its side has nothing in front of it", async (t) => {
  const { client } = await serve(t, hello);
  assert.deepEqual(statuses(await (await client()).send(GET).end().all()), ["200"]);
});

test("L1: all pipelined requests of a client that ended its side are answered", async (t) => {
  const { client } = await serve(t, echo);
  const text = await (await client())
    .send(`${post("Content-Length: 2")}ab`, GET, GET)
    .end()
    .all();
  assert.deepEqual(statuses(text), ["200", "200", "200"]);
});

test("L1: an answer that begins while the probe is half sent is still well formed", async (t) => {
  const { handler, next } = queue();
  const { client } = await serve(t, handler);
  const peer = (await client()).send(GET).end();
  const exchange = await next();
  await peer.has("100 Continue\r\n");
  exchange.respond(head(), "now");
  const text = await peer.all();
  assert.ok(text.startsWith("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n"));
});

test("L1: an answer in chunks that has begun is only probed by zeros before a chunk's size", async (t) => {
  const { handler, next } = queue();
  const { client } = await serve(t, handler);
  const peer = (await client()).send(GET).end();
  const exchange = await next();
  exchange.start(head());
  exchange.write(Buffer.from("half"));
  await peer.has("half\r\n00");
  exchange.write(Buffer.from("more"));
  exchange.end();
  const text = await peer.all();
  assert.deepEqual(statuses(text), ["200"]);
  assert.match(bodyOf(text), /^4\r\nhalf\r\n0+4\r\nmore\r\n0+\r\n\r\n$/);
});

test("L1: an answer of announced length that has begun is not probed", async (t) => {
  const { handler, next } = queue();
  const { client } = await serve(t, handler);
  const peer = (await client()).send(GET).end();
  const exchange = await next();
  exchange.start(head(200, "Content-Length", "8"));
  exchange.write(Buffer.from("half"));
  await new Promise((resolve) => setTimeout(resolve, 100));
  exchange.write(Buffer.from("more"));
  exchange.end();
  assert.equal(bodyOf(await peer.all()), "halfmore");
});

test("a client that closed the connection in the middle of an answer that rests is noticed", async (t) => {
  const { handler, next } = queue();
  const { client } = await serve(t, handler);
  const peer = (await client()).send(GET);
  const exchange = await next();
  exchange.start(head());
  exchange.write(Buffer.from("half"));
  await peer.has("half");
  peer.socket.destroy();
  const { complete, error } = await outcomeOf(exchange);
  assert.deepEqual([complete, error?.code], [false, "ERR_SALLYPORT_CLIENT_LEFT"]);
});

test("L1: a client that waits with its side ended is asked by one whole interim response", async (t) => {
  const { client } = await serve(t, () => {});
  const peer = (await client()).send(GET).end();
  assert.equal(await peer.has("\r\n\r\n"), "HTTP/1.1 100 Continue\r\n\r\n");
});

for (const [how, leave] of Object.entries({ closed: "end", reset: "resetAndDestroy" } as const)) {
  test(`a client that ${how} the connection while it waits is noticed without anything being written by the gateway`, async (t) => {
    const { handler, next } = queue();
    const { client } = await serve(t, handler);
    // Ended by its own kernel on FIN: a closed socket, not a half-closed one.
    const peer = (await client()).send(GET);
    const exchange = await next();
    if (leave === "end") peer.socket.destroy();
    else peer.socket.resetAndDestroy();
    const outcome = await outcomeOf(exchange);
    assert.deepEqual([outcome.complete, outcome.error?.code], [false, "ERR_SALLYPORT_CLIENT_LEFT"]);
  });
}

test("a client that leaves while it pipelines is noticed", async (t) => {
  const { handler, next } = queue();
  const { client } = await serve(t, handler);
  const peer = (await client()).send(GET.repeat(20));
  const exchange = await next();
  peer.socket.destroy();
  assert.equal((await outcomeOf(exchange)).error?.code, "ERR_SALLYPORT_CLIENT_LEFT");
});

test("a client that leaves in mid-download ends the exchange at the next write", async (t) => {
  const { handler, next } = queue();
  const { client } = await serve(t, handler);
  const peer = (await client()).send(GET);
  const exchange = await next();
  exchange.start(head());
  exchange.write(Buffer.alloc(1000));
  await peer.has("3e8");
  peer.socket.destroy();
  const writing = setInterval(() => exchange.write(Buffer.alloc(1000)), 5);
  t.after(() => clearInterval(writing));
  assert.equal((await outcomeOf(exchange)).error?.code, "ERR_SALLYPORT_CLIENT_LEFT");
});

test("a body whose client ends its side too early fails for its reader and is answered 400", async (t) => {
  const { handler, next } = queue();
  const { client } = await serve(t, handler);
  for (const start of [`${post("Content-Length: 10")}abc`, `${post("Transfer-Encoding: chunked")}a\r\nabc`]) {
    const peer = (await client()).send(start).end();
    const exchange = await next();
    await assert.rejects(bodyText(exchange), { code: "ERR_SALLYPORT_BODY_INCOMPLETE" });
    assert.deepEqual(statuses(await peer.all()), ["400"]);
  }
});

test("a body whose client is reset fails for its reader, and the exchange is over", async (t) => {
  const { handler, next } = queue();
  const { client } = await serve(t, handler);
  const peer = (await client()).send(`${post("Content-Length: 10")}abc`);
  const exchange = await next();
  const [read, ended] = [bodyText(exchange), outcomeOf(exchange)];
  peer.socket.resetAndDestroy();
  await assert.rejects(read, { code: "ERR_SALLYPORT_CLIENT_LEFT" });
  assert.equal((await ended).error?.code, "ERR_SALLYPORT_CLIENT_LEFT");
});

test("a client that ends its side within a head is told", async (t) => {
  const { client } = await serve(t, hello);
  assert.deepEqual(statuses(await (await client()).send("GET / HT").end().all()), ["400"]);
});

test("a chunked response that is cut has no last chunk, and what was written arrives", async (t) => {
  const { handler, next } = queue();
  const { client } = await serve(t, handler);
  const peer = (await client()).send(GET);
  const exchange = await next();
  exchange.start(head());
  exchange.write(Buffer.from("half"));
  exchange.fail(new SallyportError("APP_RAISED", "raised"));
  assert.equal(bodyOf(await peer.all()), "4\r\nhalf\r\n1\r\n", "a chunk is announced and does not come");
});

test("a response that ends with the connection is cut by a reset", async (t) => {
  const { handler, next } = queue();
  const { client } = await serve(t, handler);
  const peer = (await client()).send(OLD);
  const exchange = await next();
  exchange.start(head());
  exchange.write(Buffer.from("half"));
  await peer.has("half");
  exchange.fail(new SallyportError("APP_RAISED", "raised"));
  await peer.all();
  assert.equal(peer.state, "reset");
});

test("a Unix socket is served, has no address, and its response can be cut", async (t) => {
  const { handler, next } = queue();
  const { listener } = await serve(t, handler);
  const folder = mkdtempSync(join(tmpdir(), "sallyport-"));
  const path = join(folder, "s");
  const server = createServer({ allowHalfOpen: true }, (socket) => listener.accept(socket)).listen(path);
  t.after(() => {
    server.close();
    rmSync(folder, { recursive: true });
  });
  const peer = new Client(connect(path)).send(GET, OLD);
  const first = await next();
  assert.deepEqual(first.request.remote, { address: "", port: 0 });
  first.respond(head(), "first");
  const second = await next();
  second.start(head());
  second.write(Buffer.from("half"));
  await peer.has("half");
  second.fail(new SallyportError("APP_RAISED", "raised"));
  assert.deepEqual(statuses(await peer.all()), ["200", "200"]);
});

test("a response shorter than its Content-Length is cut, and the connection not used again", async (t) => {
  const { client } = await serve(t, (exchange) => {
    exchange.start(head(200, "Content-Length", "10"));
    exchange.write(Buffer.from("short"));
    exchange.end();
  });
  assert.equal(bodyOf(await (await client()).send(GET, GET).all()), "short");
});

test("close ends idle connections at once, lets exchanges finish, and resolves when all sockets are gone", async (t) => {
  const { handler, next } = queue();
  const { client, listener } = await serve(t, handler);
  const [fresh, idle, busy] = [await client(), (await client()).send(GET), await client()];
  (await next()).respond(head(), "x");
  await idle.has("x");
  busy.send(GET, GET);
  const exchange = await next();
  let closed = false;
  const closing = listener.close(Number.POSITIVE_INFINITY).then(() => {
    closed = true;
  });
  assert.deepEqual([await fresh.all(), statuses(await idle.all())], ["", ["200"]]);
  await delay(20); // a timer of more than 2^31-1 ms would have fired
  assert.deepEqual([closed, busy.received], [false, ""]);
  exchange.respond(head(), "done");
  const text = await busy.all();
  assert.deepEqual([statuses(text), headLines(text).includes("Connection: close")], [["200"], true]);
  await closing;
});

test("a listener that leaves answers new and kept connections once more, and says that it is the last time", async (t) => {
  const { client, listener } = await serve(t, hello);
  const [fresh, kept] = [await client(), (await client()).send(GET)];
  await kept.has("\r\n\r\n");
  listener.leave?.();
  for (const peer of [fresh, kept, await client()]) {
    const text = await peer.send(GET).all();
    assert.equal(statuses(text).length, peer === kept ? 2 : 1, text);
    assert.equal(text.match(/^Connection: close\r$/gm)?.length, 1, text);
  }
});

test("a listener that closes gives a client that still uploads the time to read its answer", async (t) => {
  const { client, listener } = await serve(t, (exchange) => exchange.respond(head(), "early"));
  const peer = await client({ allowHalfOpen: true });
  peer.send(post("Content-Length: 1000"), "some");
  await peer.has("early");
  const closed = listener.close(10_000);
  assert.equal(await goesOn(peer), undefined);
  await closed;
});

test("a listener that closes lets a client that has sent many requests ahead read whole answers", async (t) => {
  const size = 3_000_000;
  const { client, listener } = await serve(t, (exchange) => exchange.respond(head(), Buffer.alloc(size)));
  const peer = await client({ allowHalfOpen: true });
  peer.socket.pause();
  peer.send(GET);
  await delay(50);
  peer.send(GET.repeat(20_000));
  await delay(100);
  const closed = listener.close(10_000);
  await delay(100);
  peer.socket.resume();
  await peer.all();
  peer.end();
  const answer = size + peer.received.indexOf("\r\n\r\n") + 4;
  assert.equal(peer.received.length, statuses(peer.received).length * answer);
  await closed;
});

test("a refused connection is not reset before its client has read why, whatever it has sent", async (t) => {
  const { client } = await serve(t, () => {}, { connections: 1 });
  await (await client()).send(GET).has("");
  const refused = (await client({ allowHalfOpen: true })).send(post("Content-Length: 1000"), "some");
  assert.equal(await goesOn(refused), undefined);
  assert.deepEqual(statuses(refused.received), ["503"]);
});

/** Uploads on after the server has ended its side; gives the error that it then meets. */
async function goesOn(peer: Client): Promise<Error | undefined> {
  let met: Error | undefined;
  peer.socket.on("error", (error) => (met = error));
  await peer.all();
  for (let i = 0; i < 5; i++) {
    peer.send("more");
    await delay(10);
  }
  if (peer.socket.destroyed) return met;
  peer.end();
  await once(peer.socket, "close");
  return met;
}

test("close cuts what is not over when the grace is: 503 before the head, a visible cut after it", async (t) => {
  const { handler, next } = queue();
  const { client, listener } = await serve(t, handler);
  const [waiting, started] = [(await client()).send(GET), await client()];
  const first = await next();
  started.send(GET);
  const second = await next();
  second.start(head());
  second.write(Buffer.from("half"));
  const outcomes = Promise.all([outcomeOf(first), outcomeOf(second)]);
  await listener.close(50);
  assert.match(await waiting.all(), /^HTTP\/1\.1 503 [\s\S]*ERR_SALLYPORT_STOPPING\n$/);
  assert.equal(bodyOf(await started.all()), "4\r\nhalf\r\n1\r\n");
  assert.deepEqual(
    (await outcomes).map(({ complete }) => complete),
    [true, false],
  );
});

test("close twice is close once, and a connection that comes later is answered 503", async (t) => {
  const { client, listener } = await serve(t, hello);
  await Promise.all([listener.close(10), listener.close(10)]);
  assert.match(await (await client()).all(), /^HTTP\/1\.1 503 /);
});

test("L2: two thousand clients that connect and vanish, at any moment, leave nothing behind", async (t) => {
  const { client, port, server } = await serve(t, (exchange) => {
    if (exchange.request.method === "POST") return echo(exchange);
    exchange.start(head());
    const more = () => {
      while (!exchange.closed && exchange.write(Buffer.alloc(20_000)));
      exchange.whenDrained(more);
    };
    more();
  });
  const before = descriptors();
  const starts = [
    "",
    "GET / HT",
    GET,
    `${post("Content-Length: 1000000")}abc`,
    post("Transfer-Encoding: chunked"),
  ];
  for (let round = 0; round < 40; round++) {
    await Promise.all(
      Array.from({ length: 50 }, (_, i) => vanish(port, starts[i % starts.length] as string, i % 3 === 0)),
    );
  }
  await until(async () => (await connections(server)) === 0 && descriptors() <= before);
  const last = (await client()).send(`${post("Content-Length: 2", "Connection: close")}ok`);
  assert.equal(bodyOf(await last.all()), "ok");
});

function vanish(port: number, start: string, reset: boolean): Promise<void> {
  return new Promise((resolve) => {
    const socket = connect({ port, host: "127.0.0.1" });
    socket.on("error", () => {});
    socket.on("close", () => resolve());
    socket.on("connect", () => {
      socket.write(start, () => (reset ? socket.resetAndDestroy() : socket.destroy()));
    });
  });
}

const descriptors = (): number => (process.platform === "linux" ? readdirSync("/proc/self/fd").length : 0);

const connections = (server: Server): Promise<number> =>
  new Promise((resolve) => server.getConnections((_, count) => resolve(count)));

async function until(condition: () => Promise<boolean>): Promise<void> {
  while (!(await condition())) await new Promise((resolve) => setTimeout(resolve, 20));
}
