// How requests come in: bodies, expectations, what is left unread, what is refused.
import assert from "node:assert/strict";
import { once } from "node:events";
import type { Server, Socket } from "node:net";
import { test } from "node:test";
import { connect } from "node:tls";
import { type Handler, SallyportError } from "../../../src/exchange/index.ts";
import { bodyText, head, outcomeOf, queue } from "../../kit/handlers.ts";
import { bodyOf, echo, headLines, hello, serve, statuses } from "../../kit/serve-http1.ts";
import { settled } from "../../kit/until.ts";

const LAST = "GET /last HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
const post = (...headers: string[]): string =>
  ["POST / HTTP/1.1", "Host: a", ...headers, "", ""].join("\r\n");

test("a body that came with its head is whole, announced or chunked", async (t) => {
  const { client } = await serve(t, hello);
  const chunked = `${post("Transfer-Encoding: chunked")}3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n`;
  const text = await (await client()).send(`${post("Content-Length: 3")}abc${chunked}${LAST}`).all();
  assert.deepEqual(text.match(/POST \/ \w+/g), ["POST / abc", "POST / abcde"]);
});

test("a body that comes later is read piece by piece, with its trailers", async (t) => {
  const { handler, next } = queue();
  const { client } = await serve(t, handler);
  const peer = (await client()).send(post("Transfer-Encoding: chunked"));
  const exchange = await next();
  assert.deepEqual([exchange.body.whole, exchange.body.length], [undefined, undefined]);
  const first = exchange.body.read();
  peer.send("3\r\nabc\r\n");
  assert.equal(String(await first), "abc");
  const second = exchange.body.read();
  peer.send("1\r\nd\r\n0\r\nX-Sum: 7\r\nHost: evil\r\n\r\n");
  assert.equal(String(await second), "d");
  assert.equal(await exchange.body.read(), undefined);
  assert.deepEqual(exchange.body.trailers, ["X-Sum", "7"]);
});

test("many tiny chunks of one segment are handed on together", async (t) => {
  const { handler, next } = queue();
  const { client } = await serve(t, handler);
  const peer = (await client()).send(post("Transfer-Encoding: chunked"));
  const exchange = await next();
  const first = exchange.body.read();
  peer.send("1\r\nx\r\n".repeat(100));
  assert.equal((await first)?.length, 100);
});

/** What the server has read from its newest connection so far. */
function bytesTaken(server: Server): () => number {
  let newest: Socket | undefined;
  server.on("connection", (socket) => {
    newest = socket;
  });
  return () => newest?.bytesRead ?? 0;
}

test("a client is not read from faster than its body is", async (t) => {
  const { handler, next } = queue();
  const { client, server } = await serve(t, handler);
  const taken = bytesTaken(server);
  const size = 50_000_000;
  const peer = (await client()).send(post(`Content-Length: ${size}`));
  const exchange = await next();
  peer.socket.write(Buffer.alloc(size, "x"));
  await exchange.body.read();
  // The kernel's buffers fill, and then nothing moves any more.
  await settled(taken);
  assert.ok(taken() < 1_000_000, `${taken()} bytes were taken`);
  assert.ok((await bodyText(exchange)).length > size - 200_000);
});

test("a client that pipelines more than may wait is not read from until its turn comes", async (t) => {
  const { handler, next } = queue();
  const { client, server } = await serve(t, handler);
  const taken = bytesTaken(server);
  const requests = 2_000;
  const filler = `X-Filler: ${"x".repeat(1000)}`;
  const peer = (await client()).send(
    ["GET / HTTP/1.1", "Host: a", filler, "", ""].join("\r\n").repeat(requests),
  );
  const exchange = await next();
  await settled(taken);
  assert.ok(taken() < 500_000, `${taken()} bytes were taken`);
  exchange.respond(head(), "first");
  for (let i = 1; i < requests; i++) (await next()).respond(head(), "");
  await peer.until(() => statuses(peer.received).length === requests);
});

test("L5: control characters of a request never reach the log", async (t) => {
  const { client, lines } = await serve(t, hello);
  for (const text of ["GET /\x1b[31m HTTP/1.1\r\n\r\n", "GET / HTTP/1.1\r\nHost: a\r\nX\x1b: \x9b\r\n\r\n"])
    assert.deepEqual(statuses(await (await client()).send(text).all()), ["400"]);
  assert.equal(lines.length, 2);
  assert.ok(!/\\u00|[^\x20-\x7e]/.test(JSON.stringify(lines)));
});

test("a client that speaks TLS, where we do not, is told from others in the log", async (t) => {
  const { port, lines } = await serve(t, hello);
  await assert.rejects(once(connect({ port, host: "127.0.0.1" }), "secureConnect"), {
    code: "ERR_SSL_WRONG_VERSION_NUMBER",
  });
  assert.match(JSON.stringify(lines), /"a TLS handshake, where this listener speaks plain HTTP"/);
});

test("H18: 100 Continue is sent when the body is first read, and once", async (t) => {
  const { handler, next } = queue();
  const { client } = await serve(t, handler);
  const peer = (await client()).send(post("Content-Length: 4", "Expect: 100-continue"));
  const exchange = await next();
  assert.equal(peer.received, "");
  const first = exchange.body.read();
  assert.equal(await peer.has("\r\n\r\n"), "HTTP/1.1 100 Continue\r\n\r\n");
  peer.send("ab");
  await first;
  const second = exchange.body.read();
  peer.send(`cd${LAST}`);
  await second;
  exchange.respond(head(), "done");
  (await next()).respond(head(), "last");
  assert.deepEqual(statuses(await peer.all()), ["100", "200", "200"]);
});

test("H18: no 100 Continue when bytes of the body have come already", async (t) => {
  const { client } = await serve(t, echo);
  const peer = (await client()).send(`${post("Content-Length: 2", "Expect: 100-continue")}a`);
  peer.send(`b${LAST}`);
  assert.deepEqual(statuses(await peer.all()), ["200", "200"]);
});

test("H18: who never reads answers without 100, and what the client sends then is no request", async (t) => {
  const { handler, next } = queue();
  const { client } = await serve(t, handler);
  const peer = (await client()).send(post(`Content-Length: ${LAST.length}`, "Expect: 100-continue"));
  const exchange = await next();
  exchange.respond(head(401), "no");
  peer.send(LAST).end();
  const text = await peer.all();
  assert.deepEqual(statuses(text), ["401"]);
  assert.ok(headLines(text).includes("Connection: close"));
});

test("H18: nothing informational goes to HTTP/1.0", async (t) => {
  const { client } = await serve(t, echo);
  const peer = (await client()).send("POST / HTTP/1.0\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n");
  setTimeout(() => peer.send("ab"), 20);
  assert.deepEqual(statuses(await peer.all()), ["200"]);
});

test("H19: the small rest of a body that nobody read is drained, and the next request is answered", async (t) => {
  const { handler, next } = queue();
  const { client } = await serve(t, handler);
  const peer = (await client()).send(`${post("Content-Length: 100000")}abc`);
  (await next()).respond(head(), "early");
  await peer.has("early");
  peer.send("G".repeat(99_997) + LAST);
  (await next()).respond(head(), "last");
  assert.deepEqual(statuses(await peer.all()), ["200", "200"]);
});

test("H19: an answer to a body that was held back lets the rest of it come, and the next request is answered", async (t) => {
  const { handler, next } = queue();
  const { server, client } = await serve(t, handler);
  const accepted = once(server, "connection") as Promise<[Socket]>;
  const size = 200_000; // more than waits for a reader, less than is read for nothing
  const peer = (await client()).send(`${post(`Content-Length: ${size}`)}${"x".repeat(size)}`);
  const [socket] = await accepted;
  const exchange = await next();
  while (!socket.isPaused()) await new Promise((resolve) => setTimeout(resolve, 5));
  exchange.fail(new SallyportError("WORKER_DIED", "the worker was killed"));
  assert.doesNotMatch(await peer.has("WORKER_DIED"), /Connection: close/);
  peer.send(LAST);
  void next().then((last) => last.respond(head(), "last"));
  assert.deepEqual(statuses(await peer.all()), ["502", "200"]);
});

test("H19: the large rest of a body that nobody read ends the connection, and is never a request", async (t) => {
  const seen: string[] = [];
  const handler: Handler = (exchange) => {
    seen.push(exchange.request.path);
    exchange.respond(head(), "early");
  };
  const { client } = await serve(t, handler, { drain: 1000 });
  const announced = (await client()).send(post("Content-Length: 1001"));
  assert.match(await announced.has("early"), /Connection: close/);
  announced.send(LAST.repeat(100)).end();
  await announced.all();
  const chunked = (await client()).send(post("Transfer-Encoding: chunked"));
  assert.match(await chunked.has("early"), /Connection: close/);
  chunked.send(`800\r\n${"x".repeat(2048)}\r\n0\r\n\r\n${LAST}`).end();
  await chunked.all();
  assert.deepEqual(seen, ["/", "/"]);
});

test("H19: whoever still reads a body when the response is complete is not told that it was complete", async (t) => {
  const { handler, next } = queue();
  const { client } = await serve(t, handler);
  (await client()).send(post("Content-Length: 10"));
  const exchange = await next();
  const read = exchange.body.read();
  exchange.respond(head(), "early");
  await assert.rejects(read, { code: "ERR_SALLYPORT_BODY_INCOMPLETE" });
  await assert.rejects(exchange.body.read(), { code: "ERR_SALLYPORT_BODY_INCOMPLETE" });
});

test("H17: what is malformed behind a good request is refused after its answer, and nothing later runs", async (t) => {
  const { handler, next } = queue();
  const { client, lines } = await serve(t, handler);
  const peer = (await client()).send(
    `GET /1 HTTP/1.1\r\nHost: a\r\n\r\nGET /2 HTTP/1.1\r\nHost : a\r\n\r\n${LAST}`,
  );
  const exchange = await next();
  assert.equal(peer.received, "");
  exchange.respond(head(), "first");
  const text = await peer.all();
  assert.deepEqual(statuses(text), ["200", "400"]);
  assert.ok(text.endsWith("\r\n\r\n400 The request is not valid HTTP.\nERR_SALLYPORT_BAD_REQUEST\n"));
  assert.equal(lines.length, 1);
  const [{ level, fields } = { level: "", fields: undefined }] = lines;
  assert.deepEqual([level, fields?.code, fields?.remote], ["info", "ERR_SALLYPORT_BAD_REQUEST", "127.0.0.1"]);
});

for (const [status, request] of [
  ["400", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n"],
  ["413", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 101\r\n\r\n"],
  ["413", "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n65\r\n"],
  ["414", `GET /${"a".repeat(200)} HTTP/1.1\r\nHost: a\r\n\r\n`],
  ["417", "GET / HTTP/1.1\r\nHost: a\r\nExpect: x\r\n\r\n"],
  ["431", `GET / HTTP/1.1\r\nHost: a\r\nX: ${"a".repeat(400)}\r\n\r\n`],
  ["501", "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n"],
  ["501", "CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\n"],
  ["505", "GET / HTTP/2.0\r\nHost: a\r\n\r\n"],
] as const) {
  test(`H22: ${status} to ${JSON.stringify(request.slice(0, 70))}, the connection ends and no handler runs`, async (t) => {
    const asked = queue();
    const { client } = await serve(t, asked.handler, { body: 100, target: 100, headerBytes: 200 });
    const text = await (await client()).send(request).all();
    assert.deepEqual(statuses(text), [status]);
    assert.ok(headLines(text).includes("Connection: close"));
    assert.equal(asked.count, 0);
  });
}

for (const [status, request] of [
  ["400", "HEAD / HTTP/1.1\r\n\r\n"],
  ["400", "HEAD / HTTP/1.1\r\nHost"],
  ["414", `HEAD /${"a".repeat(200)}`],
  ["414", `\r\nHEAD /${"a".repeat(100)} HTTP/1.1\r\nHost: a\r\n\r\n`],
  ["431", `HEAD / HTTP/1.1\r\nHost: a\r\nX: ${"a".repeat(400)}`],
] as const) {
  test(`a refusal with ${status} of ${JSON.stringify(request.slice(0, 30))} has no body, as no answer to HEAD has (RFC 9110, 9.3.2)`, async (t) => {
    const { client } = await serve(t, hello, { target: 100, headerBytes: 200 });
    const text = await (await client()).send(request).end().all();
    assert.deepEqual([statuses(text), bodyOf(text)], [[status], ""]);
    assert.match(text, /\r\nContent-Length: [1-9]/);
  });
}

test("what comes behind a request that is refused does not take its body away", async (t) => {
  const { client } = await serve(t, hello);
  const upgrade = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 12\r\n\r\n";
  const text = await (await client())
    .send(`GET / HTTP/1.1\r\nHost: a\r\n${upgrade}HEAD / HTTP/1.1\r\n`)
    .all();
  assert.match(bodyOf(text), /ERR_SALLYPORT_WEBSOCKET_VERSION/);
});

test("a refused client that goes on sending still gets to read why", async (t) => {
  const { client } = await serve(t, hello, { body: 100 });
  const peer = (await client()).send(post("Content-Length: 5000000"));
  peer.socket.write(Buffer.alloc(5_000_000, "x"));
  await peer.all();
  assert.deepEqual([statuses(peer.received), peer.state], [["413"], "end"]);
});

test("H9: a chunk that is malformed in mid-body fails the body and answers 400", async (t) => {
  const { handler, next } = queue();
  const { client } = await serve(t, handler);
  const peer = (await client()).send(`${post("Transfer-Encoding: chunked")}3\r\nabc\r\n`);
  const exchange = await next();
  const read = bodyText(exchange);
  const ended = outcomeOf(exchange);
  peer.send(`0x1\r\n${LAST}`);
  await assert.rejects(read, { code: "ERR_SALLYPORT_BAD_REQUEST" });
  assert.equal((await ended).status, 400);
  assert.deepEqual(statuses(await peer.all()), ["400"]);
});

test("H22: a chunked body that grows too large in mid-stream answers 413", async (t) => {
  const { client } = await serve(t, echo, { body: 10 });
  const peer = (await client()).send(`${post("Transfer-Encoding: chunked")}a\r\n0123456789\r\n`);
  peer.send("1\r\nx\r\n");
  assert.deepEqual(statuses(await peer.all()), ["413"]);
});

test("a body that is discarded is thrown away, and the connection is kept", async (t) => {
  const { handler, next } = queue();
  const { client } = await serve(t, handler);
  const size = 200_000;
  const peer = (await client()).send(post(`Content-Length: ${size}`));
  const exchange = await next();
  exchange.body.discard();
  peer.send("x".repeat(size), LAST);
  exchange.respond(head(), "done");
  (await next()).respond(head(), "last");
  assert.equal(bodyOf(await peer.all()).includes("last"), true);
});

test("what the client says of itself reaches the exchange", async (t) => {
  const { handler, next } = queue();
  const { client, port } = await serve(t, handler);
  const peer = (await client()).send("GET http://b:1/p?q HTTP/1.1\r\nHost: a\r\nX-Y: z\r\n\r\n");
  const { request } = await next();
  const { remote, local, ...plain } = request;
  assert.deepEqual(plain, {
    method: "GET",
    target: "http://b:1/p?q",
    path: "/p",
    query: "q",
    version: "1.1",
    headers: ["Host", "b:1", "X-Y", "z"],
    scheme: "http",
    authority: "b:1",
    tls: undefined,
    repeated: undefined,
  });
  assert.deepEqual(local, { address: "127.0.0.1", port });
  assert.deepEqual(remote, { address: "127.0.0.1", port: peer.socket.localPort });
});
