// The opening handshake on a real port (RFC 6455, 4.2): who gets a WebSocket, who gets an answer, and what happens to
// bytes that come too early.
import assert from "node:assert/strict";
import { test } from "node:test";
import type { Exchange, Handler } from "../../src/exchange/index.ts";
import { accepting, closeFrame, echo, frame, handshake, PLAIN, Seen, serve } from "../kit/serve-websocket.ts";

const statusOf = (text: string): string => text.slice(9, 12);
const field = (text: string, name: string): string | undefined =>
  new RegExp(`^${name}: (.*)\r$`, "mi").exec(text)?.[1];

/** Tells how often it was asked, and says what it saw. */
const plain: Handler = (exchange) => {
  const what = exchange.handshake ? "offered" : "ordinary";
  exchange.respond({ status: 404, reason: "", headers: [] }, what);
};

test("a valid handshake is answered as RFC 6455 computes it", async (t) => {
  const { raw } = await serve(t, echo);
  const { received } = await (await raw(handshake())).accepted();
  assert.equal(statusOf(received), "101");
  assert.equal(field(received, "Sec-WebSocket-Accept"), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
  assert.deepEqual([field(received, "Upgrade"), field(received, "Connection")], ["websocket", "Upgrade"]);
  for (const name of [
    "Sec-WebSocket-Protocol",
    "Sec-WebSocket-Extensions",
    "Content-Length",
    "Transfer-Encoding",
  ])
    assert.equal(field(received, name), undefined);
});

for (const [what, change] of Object.entries({
  "names in another case, and lists": { Upgrade: "h2c, WebSocket", Connection: "keep-alive, UPGRADE" },
  "an Origin and fields that nobody knows": { Origin: "http://localhost", "X-Anything": "goes" },
}))
  test(`a handshake with ${what} is accepted`, async (t) => {
    const { raw } = await serve(t, echo);
    assert.equal(statusOf((await (await raw(handshake(change))).accepted()).received), "101");
  });

for (const [what, change] of Object.entries({
  "no key": { "Sec-WebSocket-Key": undefined },
  "an empty key": { "Sec-WebSocket-Key": "" },
  "a key of 15 bytes": { "Sec-WebSocket-Key": "MTIzNDU2Nzg5MDEyMzQ1" },
  "a key that is not base64": { "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZ!==" },
  "a key with bits behind its end": { "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZR==" },
  "two keys": {
    "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
  },
  "a subprotocol twice": { "Sec-WebSocket-Protocol": "chat, chat" },
  "a subprotocol that is no token": { "Sec-WebSocket-Protocol": "ch@t" },
  "a malformed list of extensions": { "Sec-WebSocket-Extensions": "permessage-deflate; =1" },
}))
  test(`K1: a handshake with ${what} gets 400, and reaches no application`, async (t) => {
    const { raw } = await serve(t, () => assert.fail("asked"));
    assert.equal(statusOf(await (await raw(handshake(change))).all()), "400");
  });

for (const [what, version] of Object.entries({
  "version 12": "12",
  "version 8": "8",
  "no version": undefined,
}))
  test(`K1: a handshake with ${what} gets 426 and is told of version 13`, async (t) => {
    const { raw } = await serve(t, () => assert.fail("asked"));
    const text = await (await raw(handshake({ "Sec-WebSocket-Version": version }))).all();
    assert.equal(statusOf(text), "426");
    assert.equal(field(text, "Sec-WebSocket-Version"), "13");
    assert.equal(field(text, "Upgrade"), "websocket");
    assert.match(text, /^Connection: Upgrade\r$/m);
    assert.match(text, /ERR_SALLYPORT_WEBSOCKET_VERSION\n$/);
  });

for (const [what, text] of Object.entries({
  "of HTTP/1.0": handshake({}, "GET / HTTP/1.0"),
  "by POST": handshake({ "Content-Length": "0" }, "POST / HTTP/1.1"),
  "by HEAD": handshake({}, "HEAD / HTTP/1.1"),
  "with a body": `${handshake({ "Content-Length": "2" })}hi`,
  "without the connection option": handshake({ Connection: "keep-alive" }),
  "for another protocol": handshake({ Upgrade: "h2c" }),
}))
  test(`K1: a handshake ${what} is an ordinary request`, async (t) => {
    const seen: boolean[] = [];
    const { raw } = await serve(t, (exchange) => {
      seen.push(exchange.handshake === undefined);
      plain(exchange);
    });
    assert.equal(statusOf((await (await raw(text)).accepted()).received), "404");
    assert.deepEqual(seen, [true]);
  });

test("K10: a handshake with thousands of header lines is refused like any request", async (t) => {
  const { raw } = await serve(t, () => assert.fail("asked"));
  const many = Array.from({ length: 5_000 }, (_, i) => `A${i}: b`).join("\r\n");
  assert.equal(statusOf(await (await raw(handshake({ "X-First": `1\r\n${many}` }))).all()), "431");
});

test("an application that knows no WebSocket answers, and the connection serves on", async (t) => {
  const { raw } = await serve(t, plain);
  const client = await raw(handshake());
  await client.until(({ received }) => received.endsWith("offered"));
  client.send("GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
  const text = await client.all();
  assert.equal(text.match(/HTTP\/1\.1 404/g)?.length, 2);
  assert.ok(text.endsWith("ordinary"));
});

test("a rejection may be streamed", async (t) => {
  const { raw } = await serve(t, (exchange) => {
    exchange.start({ status: 403, reason: "", headers: ["X-Why", "because"] });
    exchange.write(Buffer.from("no"));
    exchange.end();
  });
  const client = await raw(handshake());
  await client.until(({ received }) => received.endsWith("2\r\nno\r\n0\r\n\r\n"));
  assert.deepEqual([statusOf(client.received), field(client.received, "X-Why")], ["403", "because"]);
});

test("what came behind a handshake that is rejected is never read as a request", async (t) => {
  let asked = 0;
  const { raw } = await serve(t, (exchange) => {
    asked++;
    setImmediate(() => plain(exchange));
  });
  const text = await (await raw(`${handshake()}GET /smuggled HTTP/1.1\r\nHost: localhost\r\n\r\n`)).all();
  assert.deepEqual([text.match(/HTTP\/1\.1/g)?.length, field(text, "Connection"), asked], [1, "close", 1]);
});

test("an application cannot answer 101 by itself", async (t) => {
  const { raw, lines } = await serve(t, (exchange) => {
    exchange.inform({ status: 101, reason: "", headers: ["Upgrade", "websocket"] });
    exchange.respond({ status: 101, reason: "", headers: ["Upgrade", "websocket"] }, "");
  });
  const { received } = await (await raw(handshake())).accepted();
  assert.equal(statusOf(received), "500");
  assert.ok(lines.some((line) => line.startsWith("ERR_SALLYPORT_APP_PROTOCOL")));
});

test("the application chooses among the subprotocols offered, and adds fields", async (t) => {
  const offered: (readonly string[])[] = [];
  const { raw } = await serve(t, (exchange) => {
    offered.push(exchange.handshake?.subprotocols ?? []);
    new Seen().accept(exchange, { subprotocol: "b", headers: ["Set-Cookie", "a=1", "Set-Cookie", "b=2"] });
  });
  const { received } = await (
    await raw(handshake({ "Sec-WebSocket-Protocol": "a, b\r\nSec-WebSocket-Protocol: c" }))
  ).accepted();
  assert.deepEqual(offered, [["a", "b", "c"]]);
  assert.equal(field(received, "Sec-WebSocket-Protocol"), "b");
  assert.deepEqual(received.match(/^Set-Cookie: .*(?=\r)/gm), ["Set-Cookie: a=1", "Set-Cookie: b=2"]);
});

for (const [what, choice] of Object.entries({
  "a subprotocol that was not offered": { subprotocol: "chat", headers: [] },
  "a header split in two": { subprotocol: undefined, headers: ["X", "a\r\nY: b"] },
  "a header name with a blank": { subprotocol: undefined, headers: ["X Y", "a"] },
  "a Sec-WebSocket-Accept of its own": { subprotocol: undefined, headers: ["Sec-WebSocket-Accept", "a"] },
  "a Content-Length": { subprotocol: undefined, headers: ["Content-Length", "0"] },
  "a Transfer-Encoding": { subprotocol: undefined, headers: ["Transfer-Encoding", "chunked"] },
}))
  test(`A10: accepting with ${what} throws, and the exchange can still be answered`, async (t) => {
    const { raw } = await serve(t, (exchange) => {
      assert.throws(() => new Seen().accept(exchange, choice), { code: "ERR_SALLYPORT_APP_PROTOCOL" });
      exchange.respond({ status: 500, reason: "", headers: [] }, "caught");
    });
    const client = await raw(handshake());
    await client.until(({ received }) => received.endsWith("caught"));
    assert.equal(statusOf(client.received), "500");
  });

test("a handshake is accepted once, and an answered one not at all", async (t) => {
  const thrown: unknown[] = [];
  const trying = (act: () => void): void => {
    try {
      act();
    } catch (error) {
      thrown.push((error as Error).name);
    }
  };
  const { raw } = await serve(t, (exchange) => {
    new Seen().accept(exchange);
    trying(() => new Seen().accept(exchange));
    trying(() => exchange.respond({ status: 200, reason: "", headers: [] }, ""));
    trying(() => exchange.write(Buffer.from("x")));
  });
  await (await raw(handshake())).accepted();
  assert.deepEqual(thrown, ["TypeError", "TypeError", "TypeError"]);
});

test("K9: frames in the bytes of the handshake are kept, and delivered after it was accepted", async (t) => {
  const asked: Exchange[] = [];
  const { raw } = await serve(t, (exchange) => void asked.push(exchange));
  const client = await raw(handshake() + frame(1, "one") + frame(2, "two"));
  client.send(frame(1, "three"));
  await settledTurns();
  const seen = new Seen();
  seen.accept(asked[0] as Exchange);
  assert.deepEqual(seen.messages, [], "nothing within the call");
  client.send(frame(1, "four"));
  await seen.until(({ messages }) => messages.length === 4);
  assert.deepEqual(seen.messages, ["one", "<74776f>", "three", "four"]);
});

test("K9: frames before the acceptance wait within a bound: then the client is not read from", async (t) => {
  const asked: Exchange[] = [];
  const { raw } = await serve(t, (exchange) => void asked.push(exchange), { http: { pipelined: 16_384 } });
  const client = await raw(handshake());
  const message = frame(2, Buffer.alloc(65_536));
  // Until the kernel's buffers on both sides are full.
  let sent = 0;
  for (; client.socket.writableLength < 2 ** 20; sent++) client.send(message);
  await settledTurns();
  assert.ok(client.socket.writableLength > 0, "all of it was read");
  const seen = new Seen().accept(asked[0] as Exchange);
  await seen.until(({ sizes }) => sizes.length === sent);
  assert.ok(seen.sizes.every((size) => size === 65_536));
});

for (const way of ["end", "resetAndDestroy", "destroy"] as const)
  test(`a client that leaves during the handshake (${way}) is told as one that left, once`, async (t) => {
    const asked: Exchange[] = [];
    const { raw } = await serve(t, (exchange) => void asked.push(exchange));
    const client = await raw(handshake(), { allowHalfOpen: true });
    while (asked.length === 0) await settledTurns(1);
    const [exchange] = asked as [Exchange];
    const outcomes: unknown[] = [];
    exchange.whenClosed(({ complete, status, error }) => outcomes.push([complete, status, error?.code]));
    client.socket[way]();
    while (outcomes.length === 0) await settledTurns(1);
    const seen = new Seen();
    exchange.handshake?.accept(PLAIN, seen);
    await seen.until(({ end }) => end !== undefined);
    assert.equal(seen.end, "1006");
    assert.deepEqual(outcomes, [[false, 0, "ERR_SALLYPORT_CLIENT_LEFT"]]);
  });

test("an accepted exchange counts as started, with status 101, until the WebSocket has closed", async (t) => {
  const { handler, next } = accepting();
  const exchanges: Exchange[] = [];
  const { raw } = await serve(t, (exchange) => {
    exchanges.push(exchange);
    handler(exchange);
  });
  const client = await raw(handshake());
  const seen = await next();
  const [exchange] = exchanges as [Exchange];
  assert.deepEqual([exchange.started, exchange.closed], [true, false]);
  seen.session.send(Buffer.from("hello"), false);
  client.send(closeFrame(1000, "bye"));
  await seen.over();
  assert.equal(seen.end, "1000 bye");
  assert.deepEqual(seen.outcome, { complete: true, error: undefined, status: 101, bytes: 5 });
  assert.equal(exchange.closed, true);
});

/** Lets what is on its way arrive. */
const settledTurns = (milliseconds = 100): Promise<void> =>
  new Promise((resolve) => setTimeout(resolve, milliseconds));
