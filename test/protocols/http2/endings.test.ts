// How streams and connections end: clients that leave, and a listener that closes (RFC 9113, 5.4, 6.8).
import assert from "node:assert/strict";
import { once } from "node:events";
import { test } from "node:test";
import type { Exchange, Outcome } from "../../../src/exchange/index.ts";
import { bodyText, head, outcomeOf, queue } from "../../kit/handlers.ts";
import {
  CANCEL,
  data,
  END_STREAM,
  type Frame,
  type FrameClient,
  frame,
  headers,
  NO_ERROR,
  post,
  pseudo,
  reset,
  uint32,
} from "../../kit/http2-frames.ts";
import { hello } from "../../kit/serve-http1.ts";
import { serve } from "./serve-http2.ts";

const goaway = (code: number): Buffer => frame("GOAWAY", 0, 0, Buffer.concat([uint32(0), uint32(code)]));

/** What its GOAWAY says: the last stream that is served, and the code. */
async function goodbye(peer: FrameClient): Promise<{ last: number; code: number }> {
  const { payload } = (await peer.next("GOAWAY")) as Frame;
  return { last: payload.readUInt32BE(0), code: payload.readUInt32BE(4) };
}

const leavings: readonly [name: string, leave: (peer: FrameClient) => unknown][] = [
  ["resets its stream with CANCEL", (peer) => peer.send(reset(1, CANCEL))],
  ["resets its stream with NO_ERROR", (peer) => peer.send(reset(1, NO_ERROR))],
  ["says GOAWAY with an error", (peer) => peer.send(goaway(2))],
  ["ends its side of the connection", (peer) => peer.socket.end()],
  ["destroys its socket", (peer) => peer.socket.destroy()],
  ["resets the connection", (peer) => peer.socket.resetAndDestroy()],
];

const moments: readonly [name: string, ...bytes: Buffer[]][] = [
  ["before the answer", headers(1)],
  ["before the answer to HEAD", headers(1, pseudo("HEAD", "/"))],
  ["within the request body", post(1, "content-length", "100000"), data(1, "abc")],
];

for (const [name, leave] of leavings)
  for (const [moment, ...bytes] of moments)
    test(`a client that ${name} ${moment} has left`, async (t) => {
      const { handler, next } = queue();
      const { client } = await serve(t, handler);
      const peer = (await client()).send(...bytes);
      const exchange = await next();
      const outcome = outcomeOf(exchange);
      const read = exchange.body.length === 0 ? undefined : bodyText(exchange);
      leave(peer);
      assertLeft(exchange, await outcome);
      if (read) await assert.rejects(read, { fault: "client" });
    });

function assertLeft(exchange: Exchange, { complete, error, status }: Outcome): void {
  assert.deepEqual([complete, error?.code, status], [false, "ERR_SALLYPORT_CLIENT_LEFT", 0]);
  assert.equal(exchange.closed, true);
  // Every call is harmless now.
  exchange.respond(head(), "nobody reads this");
}

for (const [name, leave] of leavings) {
  test(`a client that ${name} within the response has left, and its writer is told`, async (t) => {
    const { handler, next } = queue();
    const { client } = await serve(t, handler);
    const peer = (await client()).send(headers(1));
    const exchange = await next();
    const outcome = outcomeOf(exchange);
    exchange.start(head());
    while (exchange.write(Buffer.alloc(10_000)));
    await peer.next("DATA", 1);
    leave(peer);
    const { complete, error } = await outcome;
    assert.deepEqual([complete, error?.code], [false, "ERR_SALLYPORT_CLIENT_LEFT"]);
  });
}

/** Waits until what `peer` has sent before was taken, and all that it caused. */
async function settled(peer: FrameClient): Promise<void> {
  const count = (): number => peer.frames.filter(({ type }) => type === "PING").length;
  for (let i = 0; i < 3; i++) {
    const before = count();
    peer.send(frame("PING", 0, 0, "12345678"));
    await peer.until(() => count() > before);
  }
}

/** Starts the response to a HEAD on `stream`; the client has all of it then. */
async function startHead(
  peer: FrameClient,
  stream: number,
  next: () => Promise<Exchange>,
): Promise<Exchange> {
  peer.send(headers(stream, pseudo("HEAD", "/")));
  const exchange = await next();
  exchange.start(head());
  await peer.next("HEADERS", stream);
  await settled(peer);
  return exchange;
}

for (const [method, status] of [
  ["HEAD", 200],
  ["GET", 204],
  ["GET", 304],
  ["GET", 205],
  ["POST", 204],
] as const) {
  test(`an application that answers ${method} with ${status} works on after the client has its head`, async (t) => {
    const { handler, next } = queue();
    const { client, listener } = await serve(t, handler);
    const peer = await client();
    if (method === "POST") peer.send(post(1), data(1, "x".repeat(10_000)), data(1, "", END_STREAM));
    else peer.send(headers(1, pseudo(method, "/")));
    const exchange = await next();
    const outcome = outcomeOf(exchange);
    if (method === "POST") await bodyText(exchange);
    exchange.start(head(status));
    await peer.next("HEADERS", 1);
    await settled(peer);
    assert.equal(exchange.closed, false);
    assert.equal(exchange.write(Buffer.from("never")), true, "nothing is waited for");
    assert.equal(listener.load?.()?.inFlight, 1);
    exchange.end();
    assert.deepEqual([(await outcome).complete, (await outcome).status], [true, status]);
    assert.equal(listener.load?.()?.inFlight, 0);
    assert.equal(peer.story(1), "HEADERS.");
  });
}

test("a response that was complete with its head is no cancelled request", async (t) => {
  const { handler, next } = queue();
  const { client } = await serve(t, handler, { resets: 5 });
  const peer = await client();
  for (let stream = 1; stream < 41; stream += 2) (await startHead(peer, stream, next)).end();
  assert.deepEqual([peer.find("GOAWAY"), peer.state], [undefined, ""]);
});

test("a client that leaves with its response complete has left for an application that works on", async (t) => {
  for (const leave of [
    (peer: FrameClient) => peer.socket.end(),
    (peer: FrameClient) => peer.socket.destroy(),
  ]) {
    const { handler, next } = queue();
    const { client } = await serve(t, handler);
    const peer = await client();
    const outcome = outcomeOf(await startHead(peer, 1, next));
    leave(peer);
    assert.equal((await outcome).error?.code, "ERR_SALLYPORT_CLIENT_LEFT");
  }
});

test("no more requests than streams go on after their responses; a further one has its client left", async (t) => {
  const { handler, next } = queue();
  const { client } = await serve(t, handler, { streams: 2, resets: 1 });
  const peer = await client();
  const first = await startHead(peer, 1, next);
  const second = await startHead(peer, 3, next);
  const third = await outcomeOf(await startHead(peer, 5, next));
  assert.equal(third.error?.code, "ERR_SALLYPORT_CLIENT_LEFT");
  assert.deepEqual([first.closed, second.closed], [false, false]);
  first.end();
  const fourth = await startHead(peer, 7, next);
  assert.deepEqual([fourth.closed, peer.find("GOAWAY")], [false, undefined]);
});

for (const grace of [60_000, 50]) {
  test(`an application that works on after its response has the grace of a listener that closes: ${grace} ms`, async (t) => {
    const { handler, next } = queue();
    const { client, listener } = await serve(t, handler);
    const peer = await client();
    const exchange = await startHead(peer, 1, next);
    const outcome = outcomeOf(exchange);
    const closed = listener.close(grace);
    await peer.all();
    peer.socket.end();
    if (grace > 1_000) exchange.end();
    assert.equal((await outcome).error?.code, grace > 1_000 ? undefined : "ERR_SALLYPORT_STOPPING");
    await closed;
  });
}

test("a client that says GOAWAY without an error gets what it has asked for, and then the end", async (t) => {
  const { handler, next } = queue();
  const { client } = await serve(t, handler);
  const peer = (await client()).send(headers(1), goaway(NO_ERROR));
  (await next()).respond(head(), "last");
  await peer.all();
  assert.equal(peer.body(1), "last");
});

test("a listener that closes says GOAWAY, finishes what is under way, and takes nothing new (L3)", async (t) => {
  const { handler, next } = queue();
  const { client, listener } = await serve(t, handler);
  const peer = (await client()).send(headers(1));
  const exchange = await next();
  const idle = await client();
  await idle.next("SETTINGS");
  const closed = listener.close(10_000);
  assert.equal(await peer.goawayCode(), 0);
  await idle.all();
  peer.send(headers(3));
  const late = await client();
  assert.equal(await late.goawayCode(), 0);
  exchange.respond(head(), "last");
  await peer.all();
  assert.equal(peer.body(1), "last");
  assert.equal(peer.find("HEADERS", 3), undefined);
  peer.socket.end();
  idle.socket.end();
  await closed;
});

test("a listener that leaves says GOAWAY on the connections that it has, and lets their streams finish", async (t) => {
  const { handler, next } = queue();
  const { client, listener } = await serve(t, handler);
  const idle = (await client()).send(headers(1));
  (await next()).respond(head(), "before");
  const busy = (await client()).send(headers(1), headers(3));
  const [first, second] = [await next(), await next()];
  await idle.until(() => idle.body(1) === "before");
  listener.leave?.();
  assert.deepEqual(await goodbye(idle), { last: 1, code: NO_ERROR });
  assert.deepEqual(await goodbye(busy), { last: 3, code: NO_ERROR });
  await idle.all();
  busy.send(headers(5));
  first.respond(head(), "first");
  await busy.until(() => busy.body(1) === "first");
  second.respond(head(), "second");
  await busy.all();
  assert.equal(busy.body(3), "second");
  assert.equal(busy.find("HEADERS", 5), undefined);
});

test("a connection that is new when the listener leaves has its first requests answered", async (t) => {
  const { client, listener } = await serve(t, (exchange) => exchange.respond(head(), "served"));
  const before = await client();
  await before.next("SETTINGS");
  listener.leave?.();
  const after = await client();
  for (const peer of [before, after]) {
    peer.send(headers(1), headers(3));
    assert.deepEqual(await goodbye(peer), { last: 3, code: NO_ERROR });
    await peer.all();
    assert.deepEqual([peer.body(1), peer.body(3)], ["served", "served"]);
  }
});

test("a listener that left closes like any other", async (t) => {
  const { handler, next } = queue();
  const { client, listener } = await serve(t, handler);
  const peer = (await client()).send(headers(1));
  const exchange = await next();
  listener.leave?.();
  await peer.goawayCode();
  const closed = listener.close(10_000);
  exchange.respond(head(), "last");
  await peer.all();
  assert.equal(peer.body(1), "last");
  peer.socket.end();
  await closed;
});

test("a listener whose grace is over answers 503 where it can, and cuts the rest (L3)", async (t) => {
  const { handler, next } = queue();
  const { client, listener } = await serve(t, handler);
  const peer = (await client()).send(headers(1), headers(3));
  const [waiting, started] = [await next(), await next()];
  started.start(head());
  started.write(Buffer.from("part"));
  await peer.until(() => peer.body(3) === "part");
  const outcomes = Promise.all([outcomeOf(waiting), outcomeOf(started)]);
  await listener.close(50);
  const [first, second] = await outcomes;
  assert.equal(first.status, 503);
  assert.equal(second.error?.code, "ERR_SALLYPORT_STOPPING");
  assert.match(peer.body(1), /^503 /);
  assert.doesNotMatch(peer.story(3), /\./);
});

test("a listener closes for a client that neither reads nor leaves", async (t) => {
  const { handler, next } = queue();
  const { client, listener } = await serve(t, handler);
  const peer = (await client()).send(headers(1));
  const exchange = await next();
  exchange.respond(head(), Buffer.alloc(1_000_000));
  await peer.next("DATA", 1);
  await listener.close(0);
});

test("connections that come and go leave nothing behind (L2)", async (t) => {
  const { client, listener, server } = await serve(t, hello);
  for (let i = 0; i < 50; i++) {
    const peer = await client();
    if (i % 2 === 0) peer.send(headers(1));
    if (i % 4 === 0) await peer.next("DATA", 1);
    peer.socket.destroy();
  }
  const left = (): Promise<number> =>
    new Promise((resolve) => server.getConnections((_, count) => resolve(count)));
  while ((await left()) > 0) await once(server, "close", { signal: AbortSignal.timeout(20) }).catch(() => {});
  await listener.close(0);
});
