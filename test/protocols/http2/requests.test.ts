// What becomes of a request: head, host, cookies, bodies, trailers (RFC 9113, 8.1 to 8.3), and what is refused with a status.
import assert from "node:assert/strict";
import { test } from "node:test";
import type { Exchange, RequestHead } from "../../../src/exchange/index.ts";
import { bodyText, head, queue } from "../../kit/handlers.ts";
import {
  ACK,
  data,
  END_STREAM,
  type FrameClient,
  frame,
  headers,
  post,
  pseudo,
} from "../../kit/http2-frames.ts";
import { echo, hello } from "../../kit/serve-http1.ts";
import { until } from "../../kit/until.ts";
import { serve } from "./serve-http2.ts";

const describe = (exchange: Exchange): void => exchange.respond(head(), JSON.stringify(exchange.request));
const described = async (client: FrameClient, stream = 1): Promise<RequestHead> => {
  await client.until(() => client.find("DATA", stream) !== undefined || client.state !== "");
  return JSON.parse(client.body(stream));
};

test("pseudo-header fields become the head of a request of version 2", async (t) => {
  const { client, port } = await serve(t, describe);
  const peer = (await client()).send(headers(1, pseudo("GET", "/a%20b?c=d"), 5));
  const { method, target, path, query, version, scheme, authority, local } = await described(peer);
  assert.deepEqual(
    [method, target, path, query, version, scheme, authority, local.port],
    ["GET", "/a%20b?c=d", "/a%20b", "c=d", "2", "http", "a.test", port],
  );
});

test("who reads headers finds :authority as the host, before all others", async (t) => {
  const { client } = await serve(t, describe);
  const peer = (await client()).send(headers(1, [...pseudo("GET", "/"), "x-a", "1", "x-a", "2"]));
  assert.deepEqual((await described(peer)).headers, ["host", "a.test", "x-a", "1", "x-a", "2"]);
});

test("a request that names its host by Host alone has an authority", async (t) => {
  const { client } = await serve(t, describe);
  const fields = [":method", "GET", ":scheme", "http", ":path", "/", "host", "b.test:81"];
  const { authority, headers: seen } = await described((await client()).send(headers(1, fields)));
  assert.deepEqual([authority, seen], ["b.test:81", ["host", "b.test:81"]]);
});

test("the crumbs of a cookie are one cookie again, in the place of the first", async (t) => {
  const { client } = await serve(t, describe);
  const fields = [...pseudo("GET", "/"), "cookie", "a=1", "x-b", "2", "cookie", "c=3"];
  const peer = (await client()).send(headers(1, fields));
  assert.deepEqual((await described(peer)).headers, ["host", "a.test", "cookie", "a=1; c=3", "x-b", "2"]);
});

test("whether a connection is secure, it knows better than :scheme", async (t) => {
  const { handler, next } = queue();
  const { client } = await serve(t, handler);
  (await client()).send(headers(1, withScheme("https")));
  assert.equal((await next()).request.scheme, "http");
});

test("OPTIONS * asks about the server as a whole", async (t) => {
  const { client } = await serve(t, describe);
  assert.equal((await described((await client()).send(headers(1, pseudo("OPTIONS", "*"))))).path, "*");
});

test("a small body that comes with its head is whole", async (t) => {
  const { client } = await serve(t, hello);
  const peer = (await client()).send(post(1, "content-length", "3"), data(1, "abc", END_STREAM));
  await peer.next("DATA", 1);
  assert.equal(peer.body(1), "POST / abc\n");
});

for (const [when, apart] of [
  ["with it", false],
  ["later", true],
] as const) {
  test(`the trailers of a small body are not lost when they come ${when}, announced or not`, async (t) => {
    for (const announced of [[], ["trailer", "x-sum"]]) {
      const { handler, next } = queue();
      const { client } = await serve(t, handler);
      const peer = await client();
      const request = [post(1, "content-length", "3", ...announced), data(1, "abc")];
      const trailers = headers(1, ["x-sum", "5", "authorization", "x"]);
      peer.send(...request, ...(apart ? [] : [trailers]));
      const exchange = await next();
      if (apart) peer.send(trailers);
      assert.equal(exchange.body.length, 3);
      assert.equal(exchange.body.whole === undefined, apart);
      assert.equal(await bodyText(exchange), "abc");
      assert.deepEqual(exchange.body.trailers, ["x-sum", "5"]);
    }
  });
}

test("a small body whose end comes in a frame of its own is whole", async (t) => {
  const { client } = await serve(t, hello);
  const peer = (await client()).send(post(1, "content-length", "3"), data(1, "abc"), data(1, "", END_STREAM));
  await peer.next("DATA", 1);
  assert.equal(peer.body(1), "POST / abc\n");
});

test("a body in pieces arrives in order, and its trailers after it", async (t) => {
  const { handler, next } = queue();
  const { client } = await serve(t, handler);
  const peer = (await client()).send(post(1), data(1, "ab"), data(1, "c"));
  const exchange = await next();
  assert.equal(exchange.body.length, undefined);
  const text = bodyText(exchange);
  peer.send(data(1, "de"), headers(1, ["x-sum", "5", "authorization", "x"]));
  assert.equal(await text, "abcde");
  assert.deepEqual(exchange.body.trailers, ["x-sum", "5"]);
});

test("a client that waits is told to go on when somebody reads, and only then (H18)", async (t) => {
  const { handler, next } = queue();
  const { client } = await serve(t, handler);
  const peer = (await client()).send(post(1, "expect", "100-continue"));
  const exchange = await next();
  assert.equal(peer.story(1), "");
  const text = bodyText(exchange);
  await peer.next("HEADERS", 1);
  peer.send(data(1, "x", END_STREAM));
  assert.equal(await text, "x");
});

test("an Expect without a member expects nothing", async (t) => {
  const { handler, next } = queue();
  const { client } = await serve(t, handler);
  const peer = (await client()).send(post(1, "expect", ""), data(1, "x", END_STREAM));
  (await next()).respond(head(), "ok");
  await peer.next("DATA", 1);
  assert.equal(peer.body(1), "ok");
});

test("a body that nobody reads holds its client back, and no other stream", async (t) => {
  const { handler, next } = queue();
  const { client } = await serve(t, handler, { window: 262_144 });
  const peer = await client();
  // Our settings count once they have been acknowledged.
  await peer.next("SETTINGS");
  peer.send(frame("SETTINGS", ACK, 0), post(1), ...Array(16).fill(data(1, "x".repeat(16_384))));
  const first = await next();
  peer.send(post(3), data(3, "abc", END_STREAM));
  const second = await next();
  assert.equal(await bodyText(second), "abc");
  second.respond(head(), "2");
  await peer.next("DATA", 3);
  assert.ok(granted(peer, 1) <= 131_072, "more than half of the window was opened again");
  const text = bodyText(first);
  await peer.until(() => granted(peer, 1) > 131_072);
  peer.send(data(1, "", END_STREAM));
  assert.equal((await text).length, 262_144);
});

/** Bytes that the server has allowed anew. */
const granted = (peer: FrameClient, stream: number): number =>
  peer.frames
    .filter((one) => one.type === "WINDOW_UPDATE" && one.stream === stream)
    .reduce((sum, { payload }) => sum + payload.readUInt32BE(0), 0);

test("streams of one connection run side by side", async (t) => {
  const { handler, next } = queue();
  const { client } = await serve(t, handler);
  const peer = (await client()).send(headers(1), headers(3), headers(5));
  const exchanges = [await next(), await next(), await next()];
  for (const exchange of exchanges.reverse()) exchange.respond(head(204), "");
  await peer.next("HEADERS", 1);
  const order = peer.frames.filter(({ type }) => type === "HEADERS").map(({ stream }) => stream);
  assert.deepEqual(order, [5, 3, 1]);
});

const refusals: readonly [name: string, status: number, ...bytes: Buffer[]][] = [
  ["a target too long (H22)", 414, headers(1, pseudo("GET", `/${"a".repeat(400)}`))],
  ["headers too large (H22)", 431, headers(1, [...pseudo("GET", "/"), "x-a", "a".repeat(400)])],
  [
    "too many header lines (H22)",
    431,
    headers(1, [...pseudo("GET", "/"), ...Array(11).fill(["x", "y"]).flat()]),
  ],
  ["a body announced too large (H22)", 413, post(1, "content-length", "101")],
  ["an expectation other than 100-continue", 417, post(1, "expect", "a miracle")],
  ["CONNECT", 501, headers(1, [":method", "CONNECT", ":authority", "a.test:80"])],
  ["an extended CONNECT of a protocol that we do not know", 501, extended("connect-udp")],
  ["a scheme that is not ours (RFC 9110, 7.4)", 400, headers(1, withScheme("ftp"))],
  ["a Host that differs from :authority (H15)", 400, headers(1, [...pseudo("GET", "/"), "host", "b.test"])],
  ["a fragment in the target", 400, headers(1, pseudo("GET", "/a#b"))],
  ["two Content-Type lines", 400, post(1, "content-type", "a/b", "content-type", "c/d")],
];

function withScheme(scheme: string): string[] {
  return [":method", "GET", ":scheme", scheme, ":path", "/", ":authority", "a.test"];
}

function extended(protocol: string): Buffer {
  const fields = [":method", "CONNECT", ":protocol", protocol, ...withScheme("http").slice(2)];
  return headers(1, fields, 4);
}

for (const [name, status, ...bytes] of refusals) {
  test(`${name} is answered ${status}, and nobody hears of it`, async (t) => {
    const { handler, next } = queue();
    const limits = { target: 300, headerBytes: 300, headerCount: 10, body: 100 };
    const { client, lines } = await serve(t, handler, limits);
    const peer = (await client()).send(frame("PING", 0, 0, "12345678"), ...bytes);
    await peer.next("DATA", 1);
    assert.match(peer.body(1), new RegExp(`^${status} `));
    assert.equal(lines[0]?.fields?.fault, "client");
    peer.send(headers(3, pseudo("GET", "/good")));
    assert.equal((await next()).request.path, "/good");
  });
}

test("a body of unannounced length that grows too large fails for its reader, and is answered 413", async (t) => {
  const { client } = await serve(t, echo, { body: 100 });
  const peer = (await client()).send(post(1), data(1, "x".repeat(60)), data(1, "x".repeat(60)));
  await peer.next("DATA", 1);
  assert.match(peer.body(1), /^413 /);
});

test("a client whose body nobody wants is told to stop once it has its answer (H19)", async (t) => {
  const { client } = await serve(t, (exchange) => exchange.respond(head(403), "no"), { drain: 1_000 });
  const peer = (await client()).send(post(1, "content-length", "100000"), data(1, "x".repeat(2_000)));
  assert.equal(await peer.resetCode(1), 0);
  assert.equal(peer.story(1), "HEADERS DATA. RST_STREAM(0)");
});

test("a small body that nobody wants is read to its end, in peace (H19)", async (t) => {
  const { client } = await serve(t, (exchange) => exchange.respond(head(403), "no"));
  const peer = (await client()).send(post(1, "content-length", "2000"), data(1, "x".repeat(1_000)));
  await peer.next("DATA", 1);
  peer.send(data(1, "x".repeat(1_000), END_STREAM), headers(3));
  await peer.next("DATA", 3);
  assert.equal(peer.find("RST_STREAM", 1), undefined);
});

test("a stream whose client was told to stop is over, whatever it had sent (H19)", async (t) => {
  const { client, listener } = await serve(t, (exchange) => exchange.respond(head(403), "no"), {
    drain: 1_000,
  });
  const frames = Array.from({ length: 4 }, () => data(1, "x".repeat(16_000)));
  const peer = (await client()).send(post(1, "content-length", "100000"), ...frames);
  assert.equal(await peer.resetCode(1), 0);
  await until(() => listener.load?.()?.inFlight === 0);
});
