// The life of an open WebSocket on a real port: both directions, closing by either side, silence, and every way to go.
import assert from "node:assert/strict";
import { once } from "node:events";
import { test } from "node:test";
import { constants, deflateRawSync } from "node:zlib";
import { SallyportError } from "../../src/exchange/index.ts";
import {
  accepting,
  closeFrame,
  echo,
  frame,
  handshake,
  type RawClient,
  type Seen,
  type Serving,
  serve,
} from "../kit/serve-websocket.ts";

const TEXT = 0x1;
const BINARY = 0x2;
const MEBIBYTE = 2 ** 20;

interface Pair {
  readonly client: RawClient;
  readonly seen: Seen;
}

/** One open WebSocket, seen from both sides. */
async function pair(serving: Serving, next: () => Promise<Seen>, options = {}): Promise<Pair> {
  const client = await serving.raw(handshake(), options);
  await client.accepted();
  return { client, seen: await next() };
}

async function open(t: Parameters<typeof serve>[0], websocket = {}): Promise<Pair & { serving: Serving }> {
  const { handler, next } = accepting();
  const serving = await serve(t, handler, { websocket });
  return { ...(await pair(serving, next)), serving };
}

/** Sends pieces until the client has stopped taking them. Gives how many. */
async function fill({ session }: Seen, piece: Uint8Array): Promise<number> {
  for (let sent = 1; ; sent++) {
    if (session.send(piece, true)) continue;
    const drained = new Promise<boolean>((resolve) => session.whenDrained(() => resolve(true)));
    const waited = new Promise<boolean>((resolve) => setTimeout(resolve, 150, false));
    if (!(await Promise.race([drained, waited]))) return sent;
  }
}

const errorOf = ({ outcome }: Seen): string | undefined => outcome?.error?.code;
const LEFT = "ERR_SALLYPORT_CLIENT_LEFT";

// Messages.

test("messages of one turn leave in order, and a client of the library's takes them", async (t) => {
  const { handler, next } = accepting();
  const serving = await serve(t, handler);
  const client = await serving.open();
  const got: string[] = [];
  client.on("message", (data, binary) => got.push(`${binary} ${data}`));
  const { session } = await next();
  session.send(Buffer.from("one"), false);
  session.send(Buffer.from("two"), true);
  session.send(Buffer.alloc(0), true);
  session.close(4000, "enough");
  const [code, reason] = await once(client, "close");
  assert.deepEqual(got, ["false one", "true two", "true "]);
  assert.deepEqual([code, String(reason)], [4000, "enough"]);
});

test("a slow client makes send answer false, and is waited for", async (t) => {
  const { client, seen } = await open(t, { unsent: 2 ** 17, pingInterval: 0 });
  client.socket.pause();
  const piece = Buffer.alloc(2 ** 16);
  assert.equal(seen.session.send(piece, true), true);
  const sent = 1 + (await fill(seen, piece));
  let drained = 0;
  seen.session.whenDrained(() => drained++);
  client.socket.resume();
  await client.until(({ received }) => received.length > sent * piece.length);
  assert.equal(drained, 1);
  assert.equal(seen.session.send(Buffer.from("more"), true), true);
});

test("a compressed message that is slow to leave counts as well", async (t) => {
  const { handler, next } = accepting();
  const serving = await serve(t, handler, { websocket: { unsent: 2 ** 17 } });
  const client = await serving.open();
  const { session } = await next();
  let got = 0;
  client.on("message", () => got++);
  let sent = 1;
  while (session.send(Buffer.alloc(2 ** 16), true)) sent++;
  await new Promise<void>((resolve) => session.whenDrained(resolve));
  while (got < sent) await once(client, "message");
});

test("a paused session gives out nothing, holds the client back, and loses nothing", async (t) => {
  const { client, seen } = await open(t);
  seen.session.pause();
  const message = frame(BINARY, Buffer.alloc(2 ** 16));
  let sent = 0;
  for (; client.socket.writableLength < MEBIBYTE; sent++) client.send(message);
  await new Promise((resolve) => setTimeout(resolve, 100));
  assert.deepEqual(seen.sizes, []);
  assert.ok(client.socket.writableLength > 0, "all of it was read");
  seen.session.resume();
  await seen.until(({ sizes }) => sizes.length === sent);
});

test("a session paused by a message gives out none of those that came with it, and resumes in order", async (t) => {
  const { client, seen } = await open(t);
  seen.session.pause();
  client.send(...Array.from({ length: 100 }, (_, i) => frame(TEXT, `${i}`)));
  for (let wanted = 1; wanted <= 100; wanted += 33) {
    const message = seen.message.bind(seen);
    seen.message = (data, binary) => {
      message(data, binary);
      if (seen.messages.length === wanted) seen.session.pause();
    };
    seen.session.resume();
    await seen.until(({ messages }) => messages.length === wanted);
    await new Promise((resolve) => setTimeout(resolve, 10));
    assert.equal(seen.messages.length, wanted);
    seen.message = message;
  }
  assert.deepEqual(
    seen.messages,
    Array.from({ length: 100 }, (_, i) => `${i}`),
  );
});

test("K8: when a session pauses, no compressed message is inflated beyond the next", async (t) => {
  const { handler, next } = accepting();
  const serving = await serve(t, handler);
  const client = await serving.raw(handshake({ "Sec-WebSocket-Extensions": "permessage-deflate" }));
  await client.accepted();
  const seen = await next();
  const message = seen.message.bind(seen);
  seen.message = (data, binary) => {
    message(Buffer.alloc(0), binary);
    seen.session.pause();
    assert.equal(data.length, 4 * MEBIBYTE);
  };
  const bomb = deflateRawSync(Buffer.alloc(4 * MEBIBYTE), { finishFlush: constants.Z_SYNC_FLUSH });
  const before = process.memoryUsage().arrayBuffers;
  // All in one segment: what is behind the first is here when the session pauses.
  client.send(frame(BINARY, bomb.subarray(0, -4), { rsv: 4 }).repeat(15));
  await seen.until(({ sizes }) => sizes.length === 1);
  await new Promise((resolve) => setTimeout(resolve, 300));
  const grown = process.memoryUsage().arrayBuffers - before;
  assert.ok(grown < 16 * MEBIBYTE, `${grown} bytes`);
  seen.message = message;
  seen.session.resume();
  await seen.until(({ sizes }) => sizes.length === 15);
});

test("the answer to pings that nobody reads is one pong, to the last", async (t) => {
  const { client, seen } = await open(t, { pingInterval: 0 });
  client.socket.pause();
  await fill(seen, Buffer.alloc(2 ** 16));
  for (let i = 0; i < 1_000; i++) client.send(frame(0x9, `${i}`));
  client.send(frame(TEXT, "after"));
  await seen.until(({ messages }) => messages.length === 1);
  client.socket.resume();
  await client.until(({ received }) => received.includes("\x8a\x03999"));
  assert.equal(client.frames.filter((one) => one.startsWith("pong")).length, 1);
});

// Closing.

test("the client's code and reason reach the application, and come back", async (t) => {
  const { client, seen } = await open(t);
  client.send(frame(TEXT, "last"), closeFrame(3001, "no more"));
  assert.deepEqual(await client.allFrames(), ["close 3001no more"]);
  await seen.over();
  assert.deepEqual([seen.messages, seen.end, seen.outcome?.complete], [["last"], "3001 no more", true]);
});

test("a close without a code is told as 1005", async (t) => {
  const { client, seen } = await open(t);
  client.send(frame(0x8));
  await seen.over();
  assert.deepEqual([seen.end, seen.outcome?.complete], ["1005", true]);
});

test("an application that closes is told the client's answer", async (t) => {
  const { client, seen } = await open(t);
  seen.session.close(4002, "done");
  await client.until(({ frames }) => frames.length === 1);
  assert.deepEqual(client.frames, ["close 4002done"]);
  client.send(frame(TEXT, "too late"), closeFrame(4002));
  await seen.over();
  assert.deepEqual([seen.messages, seen.end, seen.outcome?.complete], [[], "4002", true]);
  assert.equal(await client.all().then(() => client.state), "end");
});

test("an application that closes while it is paused still learns the end", async (t) => {
  const { client, seen } = await open(t);
  seen.session.pause();
  client.send(frame(TEXT, "unread").repeat(1_000));
  await new Promise((resolve) => setTimeout(resolve, 50));
  seen.session.close(1000, "");
  client.send(closeFrame(1000));
  await seen.over();
  assert.deepEqual([seen.messages, seen.end], [[], "1000"]);
});

test("both sides may close at the same time", async (t) => {
  const { client, seen } = await open(t);
  client.send(closeFrame(4444, "client"));
  seen.session.close(4000, "server");
  await seen.over();
  assert.deepEqual([seen.end, seen.outcome?.complete], ["4444 client", true]);
  assert.deepEqual(await client.allFrames(), ["close 4000server"]);
});

test("a client that does not answer a close is cut after closeTimeout: 1006", async (t) => {
  const { client, seen } = await open(t, { closeTimeout: 100 });
  seen.session.close(1000, "");
  await seen.over();
  assert.deepEqual([seen.end, errorOf(seen)], ["1006", LEFT]);
  await client.all();
});

test("a client that does not end the connection after the closing handshake is cut after closeTimeout", async (t) => {
  const { handler, next } = accepting();
  const serving = await serve(t, handler, { websocket: { closeTimeout: 100 } });
  const { client, seen } = await pair(serving, next, { allowHalfOpen: true });
  const closed = new Promise((resolve) => client.socket.once("close", resolve));
  client.send(closeFrame(1000));
  await seen.over();
  assert.equal(seen.outcome?.complete, true);
  await client.all();
  const writing = setInterval(() => client.send("x"), 20);
  await closed;
  clearInterval(writing);
});

for (const [code, reason] of [
  [1005, ""],
  [1006, ""],
  [999, ""],
  [1000, "x".repeat(124)],
] as const)
  test(`a close with code ${code} and ${reason.length} bytes of reason is refused, and nothing is sent`, async (t) => {
    const { client, seen } = await open(t);
    assert.throws(() => seen.session.close(code, reason), { code: "ERR_SALLYPORT_APP_PROTOCOL" });
    seen.session.send(Buffer.from("still open"), false);
    await client.until(({ frames }) => frames.length === 1);
    assert.deepEqual(client.frames, ['text "still open"']);
  });

test("after the end every call of a session is harmless", async (t) => {
  const { client, seen } = await open(t);
  client.send(closeFrame(1000));
  await seen.over();
  const { session } = seen;
  assert.equal(session.send(Buffer.from("x"), false), true);
  session.whenDrained(() => assert.fail("called back"));
  session.pause();
  session.resume();
  session.close(1000, "");
  assert.deepEqual(await client.allFrames(), ["close 1000"]);
});

test("a rule broken by the client is its fault in the log, and 1006 to the application", async (t) => {
  const { client, seen } = await open(t);
  client.send(frame(TEXT, "x", { mask: false }));
  assert.deepEqual(await client.allFrames(), ["close 1002"]);
  await seen.over();
  assert.deepEqual([seen.end, errorOf(seen)], ["1006", "ERR_SALLYPORT_WEBSOCKET_VIOLATION"]);
});

test("a session that is paused learns the end after the messages before it, the exchange at once", async (t) => {
  const { client, seen } = await open(t);
  const message = seen.message.bind(seen);
  seen.message = (data, binary) => {
    message(data, binary);
    seen.session.pause();
  };
  client.send(frame(TEXT, "one") + frame(TEXT, "two") + closeFrame(1000));
  await client.all();
  await seen.until(({ outcome }) => outcome !== undefined);
  assert.deepEqual([seen.messages, seen.end], [["one"], undefined]);
  seen.session.resume();
  await seen.until(({ messages }) => messages.length === 2);
  assert.equal(seen.end, undefined);
  seen.session.resume();
  await seen.over();
  assert.deepEqual([seen.end, seen.outcome?.complete], ["1000", true]);
});

// Clients that go.

for (const [what, leave] of Object.entries({
  "ends its side": (client: RawClient) => client.socket.end(),
  "closes the connection": (client: RawClient) => client.socket.destroy(),
  "resets the connection": (client: RawClient) => client.socket.resetAndDestroy(),
}))
  test(`a client that ${what} without a close frame is 1006, at once and once`, async (t) => {
    const { client, seen } = await open(t);
    leave(client);
    await seen.over();
    assert.deepEqual([seen.end, errorOf(seen), seen.outcome?.complete], ["1006", LEFT, false]);
  });

test("a client that goes in the middle of a message is 1006, and the half is dropped", async (t) => {
  const { client, seen } = await open(t);
  client.send(frame(TEXT, "whole"), frame(TEXT, "half", { length: 100n }));
  client.socket.end();
  await seen.over();
  assert.deepEqual([seen.messages, seen.end], [["whole"], "1006"]);
});

test("a client that goes while messages are compressed for it takes nothing down", async (t) => {
  const { handler, next } = accepting();
  const serving = await serve(t, handler, { websocket: { unsent: 2 ** 26 } });
  const client = await serving.open();
  const seen = await next();
  for (let i = 0; i < 40; i++) seen.session.send(Buffer.alloc(MEBIBYTE), true);
  client.terminate();
  await seen.over();
  assert.equal(seen.end, "1006");
  const other = await serving.open();
  const { session } = await next();
  session.send(Buffer.alloc(100_000), true);
  const [data] = await once(other, "message");
  assert.equal(data.length, 100_000, "the compressors are free again");
});

// Silence.

test("a client that says nothing is pinged every pingInterval, and stays while it answers", async (t) => {
  const { handler, next } = accepting();
  const serving = await serve(t, handler, { websocket: { pingInterval: 40, pingTimeout: 2_000 } });
  const client = await serving.open();
  const seen = await next();
  for (let pings = 0; pings < 4; pings++) await once(client, "ping");
  assert.equal(seen.end, undefined);
});

test("K11: a client that vanished is found by a ping: 1006, and nothing is left of it", async (t) => {
  const { client, seen, serving } = await open(t, { pingInterval: 50, pingTimeout: 100 });
  // It is connected, and reads, but does not answer.
  await client.until(({ frames }) => frames.includes('ping ""'));
  await seen.over();
  assert.deepEqual([seen.end, errorOf(seen)], ["1006", LEFT]);
  await client.all();
  await new Promise((resolve) => serving.server.close(resolve));
});

test("K11: a client that vanished while it was held back is found when it is read from again", async (t) => {
  const { client, seen } = await open(t, { pingInterval: 30, pingTimeout: 60 });
  seen.session.pause();
  client.send(frame(TEXT, "unread"));
  await client.until(({ frames }) => frames.filter((one) => one === 'ping ""').length === 3);
  assert.equal(seen.end, undefined, "nobody could have seen an answer");
  seen.session.resume();
  await seen.over();
  assert.deepEqual([seen.messages, seen.end], [["unread"], "1006"]);
});

test("anything that a client sends after a ping is a sign of life", async (t) => {
  const { client, seen } = await open(t, { pingInterval: 40, pingTimeout: 1_000 });
  const talking = setInterval(() => client.send(frame(TEXT, "here")), 20);
  await client.until(({ frames }) => frames.filter((one) => one === 'ping ""').length === 5);
  clearInterval(talking);
  assert.equal(seen.end, undefined);
});

test("what a client has sent in time is a sign of life, also where an application blocked the loop meanwhile", async (t) => {
  const { client, seen } = await open(t, { pingInterval: 200, pingTimeout: 100 });
  await client.until(({ frames }) => frames.includes('ping ""'));
  client.send(frame(TEXT, "here"));
  for (const end = performance.now() + 300; performance.now() < end; );
  await seen.until(({ messages, end }) => messages.length === 1 || end !== undefined);
  assert.deepEqual([seen.messages, seen.end], [["here"], undefined]);
});

test("no ping is sent where pingInterval is 0", async (t) => {
  const { client, seen } = await open(t, { pingInterval: 0, pingTimeout: 40, closeTimeout: 40 });
  await new Promise((resolve) => setTimeout(resolve, 200));
  assert.deepEqual([client.frames, seen.end], [[], undefined]);
});

test("a client that reads nothing for sendTimeout is cut, though it goes on sending messages", async (t) => {
  const { client, seen } = await open(t, { sendTimeout: 200 });
  client.socket.pause();
  await fill(seen, Buffer.alloc(2 ** 16));
  const sending = setInterval(() => client.send(frame(TEXT, "x")), 20);
  t.after(() => clearInterval(sending));
  await seen.over();
  assert.equal(errorOf(seen), "ERR_SALLYPORT_CLIENT_STALLED");
});

test("a client that reads nothing for sendTimeout is cut", async (t) => {
  const { client, seen } = await open(t, { sendTimeout: 200 });
  client.socket.pause();
  await fill(seen, Buffer.alloc(2 ** 16));
  await seen.over();
  assert.deepEqual([seen.end, errorOf(seen)], ["1006", "ERR_SALLYPORT_CLIENT_STALLED"]);
});

// The server's own end.

test("L3: a listener that closes leaves WebSockets open for the grace, then says 1001", async (t) => {
  const { client, seen, serving } = await open(t);
  const closed = serving.listener.close(200);
  client.send(frame(TEXT, "still heard"));
  await seen.until(({ messages }) => messages.length === 1);
  assert.deepEqual(client.frames, []);
  assert.deepEqual(await client.allFrames(), ["close 1001"]);
  await Promise.all([closed, seen.over()]);
  assert.equal(errorOf(seen), "ERR_SALLYPORT_STOPPING");
});

test("L3: WebSockets that their application closes in time do not hold a listener up", async (t) => {
  const { client, seen, serving } = await open(t);
  const closed = serving.listener.close(60_000);
  seen.session.close(1012, "restart");
  await client.until(({ frames }) => frames.length === 1);
  client.send(closeFrame(1012)).socket.end();
  await Promise.all([closed, seen.over()]);
  assert.deepEqual([seen.end, seen.outcome?.complete], ["1012", true]);
});

test("L3: a client that ignores 1001 is cut all the same", async (t) => {
  const { handler, next } = accepting();
  const serving = await serve(t, handler);
  const { client, seen } = await pair(serving, next, { allowHalfOpen: true });
  const closed = new Promise((resolve) => client.socket.once("close", resolve));
  const writing = setInterval(() => client.send("x"), 50);
  await serving.listener.close(0);
  await Promise.all([closed, seen.over()]);
  clearInterval(writing);
});

test("a handshake that is still being answered when the grace ends gets 503", async (t) => {
  let asked = (): void => {};
  const waiting = new Promise<void>((resolve) => (asked = resolve));
  const serving = await serve(t, () => asked());
  const client = await serving.raw(handshake());
  await waiting;
  const closed = serving.listener.close(50);
  assert.match(await client.all(), /^HTTP\/1\.1 503 /);
  await closed;
});

test("an exchange that fails after the acceptance ends with 1011", async (t) => {
  const { handler, next } = accepting();
  const serving = await serve(t, (exchange) => {
    handler(exchange);
    setImmediate(() => exchange.fail(new SallyportError("APP_RAISED", "the application raised")));
  });
  const { client, seen } = await pair(serving, next);
  assert.deepEqual(await client.allFrames(), ["close 1011"]);
  await seen.over();
  assert.equal(errorOf(seen), "ERR_SALLYPORT_APP_RAISED");
});

// Many.

test("L2: a thousand WebSockets come and go, and none is left", async (t) => {
  const serving = await serve(t, echo);
  const ways = ["destroy", "end", "resetAndDestroy"] as const;
  for (let round = 0; round < 10; round++) {
    const clients = await Promise.all(Array.from({ length: 100 }, () => serving.raw(handshake())));
    await Promise.all(clients.map((client) => client.accepted()));
    clients.forEach((client, i) => {
      client.send(frame(TEXT, "x").repeat(i % 5)).socket[ways[i % 3] as "end"]();
    });
  }
  const count = (): Promise<number> =>
    new Promise((resolve) => serving.server.getConnections((_, left) => resolve(left)));
  while ((await count()) > 0) await new Promise((resolve) => setTimeout(resolve, 20));
  await serving.listener.close(60_000);
});
