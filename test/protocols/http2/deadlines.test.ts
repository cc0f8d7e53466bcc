// Every wait ends: clients that say nothing, dribble, do not read, or do not leave (edge H21); and nobody else notices.
import assert from "node:assert/strict";
import { test } from "node:test";
import { bodyText, head, outcomeOf, queue } from "../../kit/handlers.ts";
import {
  ACK,
  block,
  data,
  END_STREAM,
  type Frame,
  frame,
  headers,
  post,
  pseudo,
  uint32,
} from "../../kit/http2-frames.ts";
import { echo, hello } from "../../kit/serve-http1.ts";
import { serve } from "./serve-http2.ts";

test("a connection that says nothing is closed", async (t) => {
  const { client } = await serve(t, hello, { headTimeout: 100 });
  await (await client(false)).all();
});

test("a connection that never asks for anything is sent GOAWAY and closed", async (t) => {
  const { client } = await serve(t, hello, { headTimeout: 100 });
  const peer = await client();
  assert.equal(await peer.goawayCode(), 0);
  await peer.all();
});

test("a header block that never ends is closed with its connection (H21, T2)", async (t) => {
  const { client } = await serve(t, hello, { headTimeout: 200 });
  const peer = (await client()).send(frame("HEADERS", END_STREAM, 1, block(pseudo("GET", "/"))));
  await peer.all();
});

test("a connection that stays idle is sent GOAWAY and closed", async (t) => {
  const { client } = await serve(t, hello, { idleTimeout: 100 });
  const peer = (await client()).send(headers(1));
  await peer.next("DATA", 1);
  assert.equal(await peer.goawayCode(), 0);
  await peer.all();
});

test("PING does not make a connection busy", async (t) => {
  const { client } = await serve(t, hello, { headTimeout: 200 });
  const peer = await client();
  const dribble = setInterval(() => peer.send(frame("PING", 0, 0, "12345678")), 20);
  t.after(() => clearInterval(dribble));
  assert.equal(await peer.goawayCode(), 0);
});

test("a connection with a request under way is not idle, however long that takes", async (t) => {
  const { handler, next } = queue();
  const { client } = await serve(t, handler, { headTimeout: 50, idleTimeout: 50, bodyTimeout: 50 });
  const peer = (await client()).send(headers(1));
  const exchange = await next();
  const other = (await client()).send(headers(1));
  (await next()).respond(head(), "");
  await other.all();
  exchange.respond(head(), "late");
  await peer.next("DATA", 1);
  assert.equal(peer.body(1), "late");
});

test("H21: a body that stops coming fails for its reader and is answered 408", async (t) => {
  const { handler, next } = queue();
  const { client } = await serve(t, handler, { bodyTimeout: 100 });
  const peer = (await client()).send(post(1, "content-length", "100000"), data(1, "abc"));
  await assert.rejects(bodyText(await next()), { code: "ERR_SALLYPORT_REQUEST_TIMEOUT" });
  await peer.next("DATA", 1);
  assert.match(peer.body(1), /^408 /);
  assert.equal(await peer.resetCode(1), 0);
  peer.send(headers(3));
  (await next()).respond(head(), "");
  await peer.next("HEADERS", 3);
});

test("a body that keeps coming has all the time it needs", async (t) => {
  const { client } = await serve(t, echo, { bodyTimeout: 1_000 });
  const peer = (await client()).send(post(1));
  let sent = 0;
  const dribble = setInterval(() => {
    if (sent++ < 15) peer.send(data(1, "x"));
    else if (sent === 17) peer.send(data(1, "", END_STREAM));
  }, 100);
  t.after(() => clearInterval(dribble));
  await peer.next("DATA", 1);
  assert.equal(peer.body(1), "x".repeat(15));
});

test("a client that waits for us, for 100 Continue or for room, has no deadline", async (t) => {
  const { handler, next } = queue();
  const { client } = await serve(t, handler, { bodyTimeout: 50, headTimeout: 50, idleTimeout: 50 });
  const peer = await client();
  await peer.next("SETTINGS");
  peer.send(frame("SETTINGS", ACK, 0), post(1, "expect", "100-continue"));
  const polite = await next();
  peer.send(post(3), ...Array(16).fill(data(3, "x".repeat(16_384))));
  const eager = await next();
  const other = (await client()).send(headers(1));
  (await next()).respond(head(), "");
  await other.all();
  const texts = Promise.all([bodyText(polite), bodyText(eager)]);
  await peer.next("HEADERS", 1);
  peer.send(data(1, "x", END_STREAM), data(3, "", END_STREAM));
  assert.deepEqual(
    (await texts).map(({ length }) => length),
    [1, 262_144],
  );
});

/** SETTINGS that give each stream a window of so many bytes (RFC 9113, 6.5.2). */
const windowOf = (bytes: number): Buffer =>
  frame("SETTINGS", 0, 0, Buffer.concat([Buffer.from([0, 4]), uint32(bytes)]));

/** Ends a stream, well or not. */
const isLast = ({ type, flags }: Frame): boolean =>
  type === "RST_STREAM" || (type === "DATA" && (flags & END_STREAM) !== 0);

test("H21: a client that does not read a stream is cut, and its other streams go on", async (t) => {
  const { handler, next } = queue();
  const { client, lines } = await serve(t, handler, { sendTimeout: 200 });
  const peer = (await client()).send(headers(1));
  const exchange = await next();
  const outcome = outcomeOf(exchange);
  exchange.start(head());
  while (exchange.write(Buffer.alloc(10_000)));
  let asked = 3;
  const lively = setInterval(() => {
    peer.send(frame("WINDOW_UPDATE", 0, 0, uint32(1_000)), headers(asked));
    asked += 2;
    void next().then((other) => other.respond(head(), "x"));
  }, 20);
  t.after(() => clearInterval(lively));
  assert.equal((await outcome).error?.code, "ERR_SALLYPORT_CLIENT_STALLED");
  assert.equal(await peer.resetCode(1), 2);
  assert.equal(lines.find(({ message }) => /stopped reading/.test(message))?.level, "info");
  assert.equal(peer.state, "");
});

test("H21: the rest of a response that was answered whole is cut for a client that does not read it", async (t) => {
  const { client } = await serve(t, (exchange) => exchange.respond(head(), Buffer.alloc(1_000_000)), {
    sendTimeout: 100,
  });
  const peer = (await client()).send(headers(1));
  assert.equal(await peer.resetCode(1), 2);
  assert.doesNotMatch(peer.story(1), /\./);
});

test("H21: a client that does not read its only stream is cut, whatever else it sends", async (t) => {
  const sent: Record<string, Buffer> = {
    pings: frame("PING", 0, 0, "12345678"),
    settings: frame("SETTINGS", 0, 0),
    "room for other streams": frame("WINDOW_UPDATE", 0, 0, uint32(1_000)),
    "a body": data(1, "x".repeat(2_000)),
  };
  const stories = Object.entries(sent).map(async ([what, bytes]) => {
    const { handler, next } = queue();
    const { client } = await serve(t, handler, { sendTimeout: 400, window: 20_000 });
    const peer = (await client()).send(post(1));
    const exchange = await next();
    const read = bodyText(exchange).catch(() => {});
    exchange.start(head());
    exchange.write(Buffer.alloc(60_000 + 65_535));
    const lively = setInterval(() => peer.send(bytes), 20);
    t.after(() => clearInterval(lively));
    assert.equal(await peer.resetCode(1), 2, what);
    await read;
  });
  await Promise.all(stories);
});

test("H21: a client that reads slowly has all the time it needs, whatever the size of the response", async (t) => {
  // In each timeout it takes a fraction of what is handed to node:http2 at once.
  const stories = [40_000, 100_000].map(async (size) => {
    const { client } = await serve(t, (exchange) => exchange.respond(head(), Buffer.alloc(size)), {
      sendTimeout: 800,
    });
    const peer = (await client()).send(windowOf(2_000), headers(1));
    const sip = setInterval(() => {
      for (const stream of [0, 1]) peer.send(frame("WINDOW_UPDATE", 0, stream, uint32(2_000)));
    }, 100);
    t.after(() => clearInterval(sip));
    await peer.until(({ frames }) => frames.some(isLast));
    assert.equal(peer.body(1).length, size);
  });
  await Promise.all(stories);
});

for (const sendTimeout of [0, Number.POSITIVE_INFINITY])
  test(`without a limit (${sendTimeout}), a client that reads nothing for a while is not cut, alone or not`, async (t) => {
    const size = 200_000;
    const { client } = await serve(t, (exchange) => exchange.respond(head(), Buffer.alloc(size)), {
      sendTimeout,
      headTimeout: 100,
    });
    const alone = (await client()).send(headers(1));
    const both = (await client()).send(headers(1), headers(3));
    await (await client(false)).all();
    for (const [peer, streams] of [
      [alone, [1]],
      [both, [1, 3]],
    ] as const) {
      for (const stream of [0, ...streams]) peer.send(frame("WINDOW_UPDATE", 0, stream, uint32(2 * size)));
      await peer.until(({ frames }) => frames.filter(isLast).length === streams.length);
      for (const stream of streams) assert.equal(peer.body(stream).length, size);
    }
  });

test("H21: a client that takes the responses of many streams one after the other has all the time it needs", async (t) => {
  const streams = Array.from({ length: 40 }, (_, i) => 2 * i + 1);
  const { client } = await serve(t, (exchange) => exchange.respond(head(), Buffer.alloc(100_000)), {
    sendTimeout: 1_000,
  });
  const peer = await client();
  peer.send(windowOf(2 ** 20), ...streams.map((stream) => headers(stream)));
  const sip = setInterval(() => peer.send(frame("WINDOW_UPDATE", 0, 0, uint32(40_000))), 40);
  t.after(() => clearInterval(sip));
  const ended = ({ type, flags }: Frame): boolean => type === "DATA" && (flags & END_STREAM) !== 0;
  await peer.until(
    ({ frames }) =>
      frames.filter(ended).length === streams.length || frames.some(({ type }) => type === "RST_STREAM"),
  );
  assert.deepEqual(
    peer.frames.filter(({ type }) => type === "RST_STREAM"),
    [],
  );
});

test("H21: a client that reads one stream and not another is sent no more of the other, whichever window is shut", async (t) => {
  for (const connection of [10_000, 20_000]) {
    const { client } = await serve(t, (exchange) => exchange.respond(head(), Buffer.alloc(2 ** 24)), {
      sendTimeout: 200,
    });
    const peer = (await client()).send(headers(1), headers(3));
    const sip = setInterval(() => {
      peer.send(frame("WINDOW_UPDATE", 0, 0, uint32(connection)));
      peer.send(frame("WINDOW_UPDATE", 0, 3, uint32(10_000)));
    }, 5);
    assert.equal(await peer.resetCode(1), 2);
    clearInterval(sip);
    peer.socket.destroy();
  }
});

test("a client that does not close after GOAWAY is destroyed", async (t) => {
  const { client } = await serve(t, hello, { headTimeout: 50, lingerTimeout: 50 });
  const peer = await client();
  await peer.until(() => peer.state === "end");
  // Our side stays open; what is sent now meets nobody.
  const poke = setInterval(() => peer.send(frame("PING", 0, 0, "12345678")), 20);
  t.after(() => clearInterval(poke));
  await new Promise((resolve) => peer.socket.once("close", resolve));
});
