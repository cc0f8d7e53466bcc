// What costs a client nothing and could cost us much is counted, and ends the connection (edges T1, T2; RFC 9113, 10.5).
import assert from "node:assert/strict";
import { test } from "node:test";
import { head, outcomeOf, queue } from "../../kit/handlers.ts";
import {
  ACK,
  block,
  data,
  END_STREAM,
  ENHANCE_YOUR_CALM,
  FLOW_CONTROL_ERROR,
  type FrameClient,
  frame,
  headers,
  NO_ERROR,
  post,
  pseudo,
  REFUSED_STREAM,
  reset,
  uint32,
} from "../../kit/http2-frames.ts";
import { hello } from "../../kit/serve-http1.ts";
import { serve } from "./serve-http2.ts";

const PING = frame("PING", 0, 0, "12345678");
const odd = (i: number): number => 2 * i + 1;

/** The connection still serves. */
async function lives(peer: FrameClient, stream: number): Promise<void> {
  peer.send(headers(stream));
  await peer.next("HEADERS", stream);
  assert.equal(peer.state, "");
}

test("requests that are reset in the same breath end the connection, and start few applications (T1)", async (t) => {
  const started = queue();
  const { client, lines } = await serve(t, started.handler, { resets: 50 });
  const peer = await client();
  for (let i = 0; i < 500; i++) peer.send(headers(odd(i)), reset(odd(i)));
  assert.equal(await peer.goawayCode(), ENHANCE_YOUR_CALM);
  await peer.all();
  assert.ok(started.count <= 100, `${started.count} applications were started`);
  assert.equal(lines.filter(({ message }) => /cancelled requests/.test(message)).length, 1);
});

test("requests that are reset once they run end the connection after so many (T1)", async (t) => {
  const { handler, next } = queue();
  const { client } = await serve(t, handler, { resets: 20 });
  const peer = await client();
  let started = 0;
  for (; peer.state === "" && started < 100; started++) {
    peer.send(headers(odd(started)));
    const exchange = await Promise.race([next(), peer.all()]);
    if (!exchange) break;
    const outcome = outcomeOf(exchange);
    peer.send(reset(odd(started)));
    assert.equal((await outcome).error?.code, "ERR_SALLYPORT_CLIENT_LEFT");
  }
  assert.equal(await peer.goawayCode(), NO_ERROR);
  assert.ok(started >= 16 && started <= 25, `${started} applications were started`);
});

test("requests that we are made to reset count as well (T1, CVE-2025-8671)", async (t) => {
  const { handler, next } = queue();
  const { client } = await serve(t, handler, { resets: 20 });
  const peer = await client();
  let started = 0;
  for (; started < 100 && peer.state === ""; started++) {
    peer.send(post(odd(started), "content-length", "100000"));
    if (!(await Promise.race([next(), peer.all()]))) break;
    peer.send(data(odd(started), "too short", END_STREAM));
    await peer.next("RST_STREAM", odd(started));
  }
  assert.equal(await peer.goawayCode(), NO_ERROR);
  assert.ok(started >= 16 && started <= 25, `${started} applications were started`);
});

test("a client that breaks off few requests is served for ever", async (t) => {
  const { handler, next } = queue();
  const { client } = await serve(t, handler, { resets: 20 });
  const peer = await client();
  for (let i = 0; i < 15; i++) {
    peer.send(headers(odd(i)));
    const exchange = await next();
    const outcome = outcomeOf(exchange);
    peer.send(reset(odd(i)));
    await outcome;
  }
  peer.send(headers(99));
  (await next()).respond(head(), "");
  await peer.next("HEADERS", 99);
  assert.equal(peer.state, "");
});

test("hundreds of requests that are broken off in the middle of their answers leave room for more", async (t) => {
  const answer = Buffer.alloc(100_000, "x");
  const { client, lines } = await serve(t, (exchange) => exchange.respond(head(), answer), {
    resets: 10_000,
  });
  const peer = await client();
  // No window is ever opened, so that all of an answer waits when its request is broken off.
  for (let i = 0; i < 400; i++) {
    peer.send(headers(odd(i)));
    assert.ok(await peer.next("HEADERS", odd(i)), `the connection ended after ${i}`);
    peer.send(reset(odd(i)));
  }
  await lives(peer, odd(400));
  assert.deepEqual(lines, []);
});

test("a thousand resets after complete responses end a connection in peace, before nghttp2 ends it by force", async (t) => {
  const { client, lines } = await serve(t, (exchange) => exchange.respond(head(), ""));
  const peer = await client();
  let answered = 0;
  for (; answered < 1_500; answered++) {
    peer.send(post(odd(answered), "content-length", "5"));
    await peer.until(() => peer.frames.at(-1)?.stream === odd(answered) || peer.find("GOAWAY") !== undefined);
    if (!peer.find("HEADERS", odd(answered))) break;
    peer.send(reset(odd(answered)));
  }
  assert.ok(answered >= 800 && answered < 1_500, `${answered} were answered`);
  assert.equal(await peer.goawayCode(), NO_ERROR);
  assert.deepEqual(lines, []);
});

test("a client that breaks off ever more requests is told to go on elsewhere, and loses none of the others", async (t) => {
  const { handler, next } = queue();
  const { client, lines } = await serve(t, handler, { resets: 20 });
  const peer = (await client()).send(headers(1));
  const other = await next();
  for (let i = 1; peer.find("GOAWAY") === undefined; i++) {
    peer.send(headers(odd(i)));
    const exchange = await Promise.race([next(), peer.next("GOAWAY")]);
    if (!exchange || !("request" in exchange)) break;
    const outcome = outcomeOf(exchange);
    peer.send(reset(odd(i)));
    await outcome;
  }
  assert.equal(await peer.goawayCode(), NO_ERROR);
  other.respond(head(), "all of it");
  await peer.next("DATA", 1);
  assert.equal(peer.body(1), "all of it");
  assert.deepEqual(lines, []);
});

test("why a connection ended is told in the log, and that it is the client's doing", async (t) => {
  const { client, lines } = await serve(t, hello, { invalidFrames: 50 });
  const peer = (await client()).send(post(1), ...Array(1_000).fill(data(1, "")));
  await peer.all();
  while (lines.length === 0) await new Promise((resolve) => setTimeout(resolve, 10));
  const messages = lines.map(({ level, message, fields }) => `${level} ${fields?.code}: ${message}`);
  assert.deepEqual(messages, [
    "info ERR_SALLYPORT_BAD_REQUEST: an HTTP/2 connection ended: Too many invalid HTTP/2 frames (-902)",
  ]);
});

test("a reset after the response is complete is not counted", async (t) => {
  const { client } = await serve(t, hello, { resets: 3 });
  const peer = await client();
  for (let i = 0; i < 20; i++) {
    peer.send(post(odd(i), "content-length", "5"));
    await peer.next("DATA", odd(i));
    peer.send(reset(odd(i)));
  }
  await lives(peer, 99);
});

test("endless CONTINUATION ends the connection, and memory is bounded (T2)", async (t) => {
  const { client } = await serve(t, hello);
  const peer = await client();
  peer.send(frame("HEADERS", END_STREAM, 1, block(pseudo("GET", "/"))));
  const piece = frame("CONTINUATION", 0, 1, block(["x-a", "a".repeat(8_000)]));
  let sent = 0;
  for (; sent < 10_000 && peer.state === ""; sent++) {
    peer.send(piece);
    if (peer.socket.writableNeedDrain) await Promise.race([peer.all(), drained(peer)]);
  }
  await peer.all();
  await lives(await client(), 1);
});

const drained = (peer: FrameClient): Promise<unknown> =>
  new Promise((resolve) => peer.socket.once("drain", resolve));

test("CONTINUATION with nothing in it, again and again, ends the connection (T2)", async (t) => {
  const { client } = await serve(t, hello);
  const peer = await client();
  peer.send(frame("HEADERS", END_STREAM, 1, block(pseudo("GET", "/"))));
  peer.send(...Array(50).fill(frame("CONTINUATION", 0, 1)));
  assert.equal(await peer.goawayCode(), ENHANCE_YOUR_CALM);
});

test("a client that leaves within CONTINUATION is forgotten (T2)", async (t) => {
  const { client } = await serve(t, hello);
  const peer = await client();
  peer.send(frame("HEADERS", END_STREAM, 1, block(pseudo("GET", "/"))), frame("CONTINUATION", 0, 1, "\0"));
  peer.socket.resetAndDestroy();
  await lives(await client(), 1);
});

test("a header list far too large is reset, and the connection lives on", async (t) => {
  const { client } = await serve(t, hello, { headerCount: 10 });
  const fields = Array.from({ length: 500 }, (_, i) => [`x-${i}`, "y"]).flat();
  const peer = (await client()).send(headers(1, [...pseudo("GET", "/"), ...fields]));
  assert.equal(await peer.resetCode(1), ENHANCE_YOUR_CALM);
  await lives(peer, 3);
});

test("a header list that grows by compression alone is refused", async (t) => {
  const { client } = await serve(t, hello);
  // One large field enters the dynamic table, and is then named by one byte each time (RFC 7541, 6.1).
  const field = block(["x-large", "a".repeat(4_000)]);
  field[0] = 0x40;
  const bomb = Buffer.concat([block(pseudo("GET", "/")), field, Buffer.alloc(8_000, 0x80 | 62)]);
  const peer = (await client()).send(frame("HEADERS", 5, 1, bomb));
  await peer.until(
    () => peer.find("RST_STREAM", 1) !== undefined || peer.body(1) !== "" || peer.state !== "",
  );
  assert.match(`${peer.story(1)} ${peer.body(1)}`, /RST_STREAM\(11\)|431 /);
  await lives(await client(), 1);
});

test("a flood of PING ends the connection", async (t) => {
  const { client } = await serve(t, hello, { controls: 100 });
  const peer = await client();
  peer.send(...Array(500).fill(PING));
  assert.equal(await peer.goawayCode(), ENHANCE_YOUR_CALM);
});

test("more PING at once than answers are kept for ends the connection", async (t) => {
  const { client } = await serve(t, hello, { controls: Number.POSITIVE_INFINITY });
  const peer = await client();
  peer.send(...Array(20_000).fill(PING));
  assert.equal(await peer.goawayCode(), ENHANCE_YOUR_CALM);
});

test("a flood of SETTINGS ends the connection", async (t) => {
  const { client } = await serve(t, hello, { controls: 100 });
  const peer = await client();
  peer.send(...Array(500).fill(frame("SETTINGS", 0, 0)));
  assert.equal(await peer.goawayCode(), ENHANCE_YOUR_CALM);
});

test("a few PING and SETTINGS are answered", async (t) => {
  const { client } = await serve(t, hello, { controls: 100 });
  const peer = (await client()).send(PING, frame("SETTINGS", 0, 0), PING);
  await peer.until(
    () => peer.frames.filter(({ type, flags }) => type === "PING" && flags === ACK).length === 2,
  );
  await lives(peer, 1);
});

test("a flood of empty DATA ends the connection", async (t) => {
  const { handler, next } = queue();
  const { client } = await serve(t, handler, { invalidFrames: 50 });
  const peer = (await client()).send(post(1));
  const outcome = outcomeOf(await next());
  peer.send(...Array(1_000).fill(data(1, "")));
  assert.equal(await peer.goawayCode(), ENHANCE_YOUR_CALM);
  await peer.all();
  assert.equal((await outcome).complete, false);
});

test("WINDOW_UPDATE of 0 on a stream ends it, and its application is told", async (t) => {
  const { handler, next } = queue();
  const { client } = await serve(t, handler);
  const peer = (await client()).send(headers(1));
  const outcome = outcomeOf(await next());
  peer.send(frame("WINDOW_UPDATE", 0, 1, uint32(0)));
  assert.equal((await outcome).complete, false);
  await peer.until(() => peer.find("RST_STREAM", 1) !== undefined || peer.find("GOAWAY") !== undefined);
});

test("a window that grows beyond 2^31-1 ends its stream, and its application is told", async (t) => {
  const { handler, next } = queue();
  const { client } = await serve(t, handler);
  const peer = (await client()).send(headers(1));
  const outcome = outcomeOf(await next());
  peer.send(frame("WINDOW_UPDATE", 0, 1, uint32(2 ** 31 - 1)));
  assert.equal(await peer.endCode(1), FLOW_CONTROL_ERROR);
  assert.equal((await outcome).complete, false);
});

test("more requests at once than allowed are refused, to be tried again, and no application runs", async (t) => {
  const started = queue();
  const { client } = await serve(t, started.handler, { streams: 3 });
  const peer = (await client()).send(...[1, 3, 5, 7].map((stream) => headers(stream)));
  assert.equal(await peer.resetCode(7), REFUSED_STREAM);
  assert.equal(started.count, 3);
  (await started.next()).respond(head(), "");
  await peer.next("HEADERS", 1);
  peer.send(headers(9));
  for (let i = 0; i < 3; i++) (await started.next()).respond(head(), "");
  await peer.next("HEADERS", 9);
});

test("more connections than allowed are turned away", async (t) => {
  const { client } = await serve(t, hello, { connections: 1 });
  await lives(await client(), 1);
  const second = await client();
  assert.equal(await second.goawayCode(), ENHANCE_YOUR_CALM);
  await second.all();
});
