// H21: every wait ends: slow heads, slow bodies, idle connections, slow readers; and nobody else notices.
import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { bodyText, head, outcomeOf, queue } from "../../kit/handlers.ts";
import type { Line } from "../../kit/keep-log.ts";
import { echo, headLines, hello, serve, statuses } from "../../kit/serve-http1.ts";

const GET = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
const post = (...headers: string[]): string =>
  ["POST / HTTP/1.1", "Host: a", ...headers, "", ""].join("\r\n");

test("H21: a head that does not become complete is answered 408, however many bytes dribble", async (t) => {
  const { client, lines } = await serve(t, hello, { headTimeout: 200 });
  const slow = (await client()).send("GET / HTTP/1.1\r\nHost: a\r\n");
  const dribble = setInterval(() => slow.send("X: y\r\n"), 20);
  t.after(() => clearInterval(dribble));
  const other = (await client()).send(GET);
  await other.has("GET /");
  assert.deepEqual(statuses(await slow.all()), ["408"]);
  assert.equal(lines[0]?.fields?.code, "ERR_SALLYPORT_REQUEST_TIMEOUT");
  assert.deepEqual([statuses(other.received), other.state], [["200"], ""]);
});

test("H21: the time for the first head runs from the start of the connection, not from its first byte", async (t) => {
  const { client } = await serve(t, hello, { headTimeout: 1_200 });
  const early = await client();
  setTimeout(() => early.send("GET"), 900);
  // Its time is over between the two points at which that of the first might be.
  await new Promise((resolve) => setTimeout(resolve, 450));
  const between = (await client()).send("GET");
  assert.deepEqual(statuses(await early.all()), ["408"]);
  assert.equal(between.received, "");
  assert.deepEqual(statuses(await between.all()), ["408"]);
});

test("a connection that never says anything is closed without a word", async (t) => {
  const { client } = await serve(t, hello, { headTimeout: 100 });
  assert.equal(await (await client()).all(), "");
});

test("a kept connection that stays idle is closed without a word", async (t) => {
  const { client } = await serve(t, hello, { idleTimeout: 100 });
  const peer = (await client()).send(GET);
  assert.deepEqual([statuses(await peer.all()), peer.state], [["200"], "end"]);
});

test("the head of a later request has its own deadline", async (t) => {
  const { client } = await serve(t, hello, { headTimeout: 100 });
  const peer = (await client()).send(`${GET}GET /`);
  assert.deepEqual(statuses(await peer.all()), ["200", "408"]);
});

test("H21: a body that stops coming fails for its reader and is answered 408", async (t) => {
  const { handler, next } = queue();
  const { client } = await serve(t, handler, { bodyTimeout: 100 });
  const peer = (await client()).send(`${post("Content-Length: 10")}abc`);
  const exchange = await next();
  await assert.rejects(bodyText(exchange), { code: "ERR_SALLYPORT_REQUEST_TIMEOUT" });
  assert.deepEqual(statuses(await peer.all()), ["408"]);
});

test("a body that keeps coming has all the time it needs", async (t) => {
  const { client } = await serve(t, echo, { bodyTimeout: 1000 });
  const peer = (await client()).send(post("Content-Length: 15"));
  let sent = 0;
  const dribble = setInterval(() => (sent++ < 15 ? peer.send("x") : clearInterval(dribble)), 100);
  assert.match(await peer.has("x".repeat(15)), /200/);
});

test("a client that waits for us, for 100 Continue or for room, has no deadline", async (t) => {
  const { handler, next } = queue();
  const { client } = await serve(t, handler, { bodyTimeout: 50, headTimeout: 50 });
  const polite = (await client()).send(post("Content-Length: 2", "Expect: 100-continue"));
  const first = await next();
  const eager = (await client()).send(post("Content-Length: 5000000"), "x".repeat(5_000_000));
  const second = await next();
  await new Promise((resolve) => setTimeout(resolve, 300));
  assert.deepEqual([first.closed, second.closed], [false, false]);
  const read = bodyText(first);
  await polite.has("100 Continue");
  polite.send("ok");
  assert.equal(await read, "ok");
  assert.equal((await bodyText(second)).length, 5_000_000);
  assert.equal(eager.state, "");
});

test("a connection whose request stopped behind the head of its response closes with the response", async (t) => {
  const { handler, next } = queue();
  const { client } = await serve(t, handler, { bodyTimeout: 50 });
  const peer = (await client()).send(post("Content-Length: 10"), "abc");
  const exchange = await next();
  exchange.start(head());
  await assert.rejects(bodyText(exchange), { code: "ERR_SALLYPORT_REQUEST_TIMEOUT" });
  exchange.end();
  assert.deepEqual([statuses(await peer.all()), peer.state], [["200"], "end"]);
});

test("an application may take its time", async (t) => {
  const { handler, next } = queue();
  const { client } = await serve(t, handler, { bodyTimeout: 30, headTimeout: 30, idleTimeout: 30 });
  const peer = (await client()).send(GET);
  const exchange = await next();
  await new Promise((resolve) => setTimeout(resolve, 250));
  exchange.respond(head(), "late");
  assert.match(await peer.has("late"), /200/);
});

test("H21: a client that stops reading a stream is cut, and the gateway is told", async (t) => {
  const { handler, next } = queue();
  const { client, lines } = await serve(t, handler, { sendTimeout: 200 });
  const peer = (await client()).send(GET);
  const exchange = await next();
  peer.socket.pause();
  exchange.start(head());
  const write = (): void => {
    while (exchange.write(Buffer.alloc(65_536)));
    exchange.whenDrained(write);
  };
  write();
  const outcome = await outcomeOf(exchange);
  assert.deepEqual([outcome.complete, outcome.error?.code], [false, "ERR_SALLYPORT_CLIENT_STALLED"]);
  assert.equal(lines.at(-1)?.fields?.code, "ERR_SALLYPORT_CLIENT_STALLED");
});

test("H21: a client that stops reading a one-shot response is cut", async (t) => {
  const { handler, next } = queue();
  const { client, lines, listener } = await serve(t, handler, { sendTimeout: 200, idleTimeout: 50 });
  const peer = (await client()).send(GET);
  peer.socket.pause();
  (await next()).respond(head(), Buffer.alloc(50_000_000));
  await listenerEmpty(() => lines.length > 0);
  assert.deepEqual(
    lines.map(({ fields }) => fields?.code),
    ["ERR_SALLYPORT_CLIENT_STALLED"],
  );
  await listener.close(60_000);
});

test("H21: a client that reads nothing is cut, though it goes on sending its next request", async (t) => {
  const { handler, next } = queue();
  const { client, lines } = await serve(t, handler, { sendTimeout: 300 });
  const peer = (await client()).send(GET);
  peer.socket.pause();
  (await next()).respond(head(), Buffer.alloc(50_000_000));
  await cutDespite(t, () => peer.send("G"), lines);
});

test("H21: a client that reads nothing is cut, though it goes on sending its body", async (t) => {
  const { handler, next } = queue();
  const { client, lines } = await serve(t, handler, { sendTimeout: 300 });
  const peer = (await client()).send(post("Content-Length: 1000000"), "x");
  const exchange = await next();
  peer.socket.pause();
  exchange.start(head());
  exchange.write(Buffer.alloc(50_000_000));
  const outcome = outcomeOf(exchange);
  await cutDespite(t, () => peer.send("x"), lines);
  assert.equal((await outcome).error?.code, "ERR_SALLYPORT_CLIENT_STALLED");
});

test("a slow client that does read gets a one-shot response whole, though it takes longer than any limit", async (t) => {
  const { handler, next } = queue();
  const { client } = await serve(t, handler, { sendTimeout: 1000, idleTimeout: 50, lingerTimeout: 50 });
  const peer = (await client()).send("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
  const toggling = setInterval(
    () => (peer.socket.isPaused() ? peer.socket.resume() : peer.socket.pause()),
    50,
  );
  t.after(() => clearInterval(toggling));
  (await next()).respond(head(), Buffer.alloc(20_000_000, "x"));
  const text = await peer.all();
  assert.equal(peer.state, "end");
  assert.equal(text.length - text.indexOf("\r\n\r\n") - 4, 20_000_000);
});

test("the rest of a body that nobody wants does not come forever", async (t) => {
  const { client } = await serve(t, hello, { drainTimeout: 100 });
  const peer = (await client()).send(`${post("Content-Length: 1000")}abc`);
  assert.deepEqual([statuses(await peer.all()), peer.state], [["200"], "end"]);
});

test("a client that does not end its side after we ended ours is not waited for without end", async (t) => {
  const { client, listener } = await serve(t, hello, { lingerTimeout: 100 });
  const peer = (await client({ allowHalfOpen: true })).send("BAD\r\n\r\n");
  await peer.all();
  // Resolves by the linger timeout alone: the grace is longer than this test may take.
  await listener.close(60_000);
});

test("beyond the limit of connections the answer is 503, and room that is made is used", async (t) => {
  const { client } = await serve(t, hello, { connections: 2 });
  const first = await client();
  const second = (await client()).send(GET);
  await second.has("GET /");
  const third = await client();
  assert.ok(headLines(await third.all()).includes("Retry-After: 1"));
  assert.match(third.received, /^HTTP\/1\.1 503 [\s\S]*ERR_SALLYPORT_QUEUE_FULL\n$/);
  second.socket.end();
  await second.all();
  const fourth = (await client()).send(GET);
  await fourth.has("GET /");
  assert.equal(first.state, "");
});

async function listenerEmpty(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 20));
}

/** What is sent all the while keeps nothing alive. */
async function cutDespite(t: TestContext, send: () => unknown, lines: Line[]): Promise<void> {
  const sending = setInterval(send, 20);
  t.after(() => clearInterval(sending));
  await listenerEmpty(() => lines.length > 0);
  assert.deepEqual(
    lines.map(({ fields }) => fields?.code),
    ["ERR_SALLYPORT_CLIENT_STALLED"],
  );
}
