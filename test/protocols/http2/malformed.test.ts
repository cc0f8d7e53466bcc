// Requests that are malformed, and what may never reach an application (edges T3 to T5; RFC 9113, 8.1.1, 8.2).
import assert from "node:assert/strict";
import { test } from "node:test";
import { metaVariables } from "../../../src/cgi/metavariables/encode.ts";
import { bodyText, head, outcomeOf, queue } from "../../kit/handlers.ts";
import {
  ACK,
  COMPRESSION_ERROR,
  data,
  END_HEADERS,
  END_STREAM,
  ENHANCE_YOUR_CALM,
  FLOW_CONTROL_ERROR,
  FRAME_SIZE_ERROR,
  frame,
  headers,
  PADDED,
  PROTOCOL_ERROR,
  post,
  pseudo,
  reset,
  STREAM_CLOSED,
  uint32,
} from "../../kit/http2-frames.ts";
import { hello } from "../../kit/serve-http1.ts";
import { serve } from "./serve-http2.ts";

const GET = pseudo("GET", "/");
const without = (name: string): string[] => {
  const at = GET.indexOf(name);
  return [...GET.slice(0, at), ...GET.slice(at + 2)];
};

const resets: readonly [name: string, fields: readonly string[]][] = [
  ["an upper-case header name", [...GET, "X-A", "1"]],
  ["a header Connection", [...GET, "connection", "close"]],
  ["a header Transfer-Encoding", [...GET, "transfer-encoding", "chunked"]],
  ["a header Keep-Alive", [...GET, "keep-alive", "5"]],
  ["a header Proxy-Connection", [...GET, "proxy-connection", "x"]],
  ["a header Upgrade", [...GET, "upgrade", "h2c"]],
  ["a TE other than trailers", [...GET, "te", "gzip"]],
  ["a TE of trailers and more", [...GET, "te", "trailers, gzip"]],
  ["a pseudo-header field after others", [...GET.slice(0, 6), "x-a", "1", ":authority", "a"]],
  ["a pseudo-header field twice", [...GET, ":path", "/b"]],
  ["an unknown pseudo-header field", [":evil", "1", ...GET]],
  ["a pseudo-header field of responses", [":status", "200", ...GET]],
  ["no :method", without(":method")],
  ["no :path", without(":path")],
  ["no :scheme", without(":scheme")],
  ["an empty :path", [...without(":path").slice(0, 4), ":path", "", ":authority", "a"]],
  ["neither :authority nor Host", without(":authority")],
  ["an empty :authority", [...without(":authority"), ":authority", ""]],
  ["a :scheme with a space", [...without(":scheme"), ":scheme", "ht tp"]],
  ["a target * of another method than OPTIONS", [...without(":path"), ":path", "*"]],
  ["a :protocol without CONNECT", [...GET, ":protocol", "websocket"]],
  ["CONNECT with a :path", pseudo("CONNECT", "/")],
  ["CONNECT without :authority", [":method", "CONNECT"]],
  ["two Content-Length lines", [...GET, "content-length", "0", "content-length", "0"]],
  ["a Content-Length that is a list", [...GET, "content-length", "0, 0"]],
  ["a Content-Length beyond all numbers", [...GET, "content-length", "9".repeat(30)]],
  ["a Content-Length that is no number", [...GET, "content-length", "+5"]],
  ["a Content-Length, and no body", [...GET, "content-length", "5"]],
];

for (const [name, fields] of resets) {
  test(`${name} resets the stream with PROTOCOL_ERROR, and no application runs (T4)`, async (t) => {
    const { handler, next } = queue();
    const { client } = await serve(t, handler);
    const peer = (await client()).send(headers(1, fields));
    assert.equal(await peer.resetCode(1), PROTOCOL_ERROR);
    peer.send(headers(3, pseudo("GET", "/good")));
    assert.equal((await next()).request.path, "/good");
  });
}

for (const [name, ...bytes] of [
  ["more", data(1, "12345"), data(1, "6")],
  ["less", data(1, "1234", END_STREAM)],
] as const) {
  test(`${name} DATA than the Content-Length resets the stream, and the application is told (T4)`, async (t) => {
    const { handler, next } = queue();
    const { client } = await serve(t, handler);
    const peer = (await client()).send(post(1, "content-length", "5"));
    const exchange = await next();
    const outcome = outcomeOf(exchange);
    const read = assert.rejects(bodyText(exchange), { fault: "client" });
    peer.send(...bytes);
    assert.equal(await peer.endCode(1), PROTOCOL_ERROR);
    await read;
    assert.equal((await outcome).complete, false);
  });
}

/** nghttp2 resets the stream or leaves the field out; either way it is not seen. */
const unseen: readonly [name: string, field: readonly [string, string]][] = [
  ["CR and LF in a value", ["x-evil", "a\r\nx-b: c"]],
  ["LF in a value", ["x-evil", "a\nb"]],
  ["NUL in a value", ["x-evil", "a\0b"]],
  ["a control in a value", ["x-evil", "a\x01b"]],
  ["DEL in a value", ["x-evil", "a\x7fb"]],
  ["a space before a value", ["x-evil", " a"]],
  ["a space after a value", ["x-evil", "a "]],
  ["a tab after a value", ["x-evil", "a\t"]],
  ["a space in a name", ["x evil", "a"]],
  ["a colon in a name", ["x-evil:", "a"]],
  ["LF in a name", ["x-evil\n", "a"]],
  ["NUL in a name", ["x-evil\0", "a"]],
  ["a byte above 127 in a name", ["x-evil\xe9", "a"]],
  ["an empty name", ["", "evil"]],
];

for (const [name, field] of unseen) {
  test(`${name} never reaches a variable (T5)`, async (t) => {
    const { handler, next } = queue();
    const { client } = await serve(t, handler);
    const peer = (await client()).send(headers(1, [...GET, ...field]), headers(3, pseudo("GET", "/good")));
    const seen: string[] = [];
    for (let exchange = await next(); ; exchange = await next()) {
      metaVariables(exchange, (key, value) => seen.push(`${key}=${value}`));
      exchange.respond(head(), "");
      if (exchange.request.path === "/good") break;
    }
    assert.ok(seen.length > 10);
    assert.deepEqual(
      seen.filter((variable) => /evil/i.test(variable)),
      [],
    );
    assert.equal(peer.state, "");
  });
}

for (const [name, path] of [
  ["a space", "/a b"],
  ["NUL", "/a\0b"],
  ["LF", "/a\nb"],
  ["no slash at its beginning", "evil"],
  ["the form of a URL", "http://b.test/evil"],
] as const) {
  test(`a :path with ${name} is refused, and no application runs (T5)`, async (t) => {
    const { handler, next } = queue();
    const { client } = await serve(t, handler);
    const peer = (await client()).send(headers(1, pseudo("GET", path)), headers(3, pseudo("GET", "/good")));
    assert.equal((await next()).request.path, "/good");
    await peer.until(() => peer.find("RST_STREAM", 1) !== undefined || peer.body(1) !== "");
    assert.match(`${peer.story(1)} ${peer.body(1)}`, /RST_STREAM\(1\)|400 /);
  });
}

/** Older versions of nghttp2 leave it to us: 400. */
test("an :authority with a user is refused, and no application runs (H14)", async (t) => {
  const { handler, next } = queue();
  const { client } = await serve(t, handler);
  const peer = (await client()).send(headers(1, [...without(":authority"), ":authority", "me@a.test"]));
  await peer.until(() => peer.find("RST_STREAM", 1) !== undefined || peer.body(1) !== "");
  assert.match(`${peer.story(1)} ${peer.body(1)}`, /RST_STREAM\(1\)|400 /);
  peer.send(headers(3, pseudo("GET", "/good")));
  assert.equal((await next()).request.path, "/good");
});

test("a method with a space is refused, and no application runs (T5)", async (t) => {
  const { handler, next } = queue();
  const { client } = await serve(t, handler);
  (await client()).send(headers(1, pseudo("GET /evil", "/")), headers(3, pseudo("GET", "/good")));
  assert.equal((await next()).request.path, "/good");
});

const setting = (id: number, value: number): Buffer => {
  const payload = Buffer.alloc(6);
  payload.writeUInt16BE(id);
  payload.writeUInt32BE(value, 2);
  return frame("SETTINGS", 0, 0, payload);
};
const MOST = uint32(2 ** 31 - 1);

/** The codes are those of RFC 9113: a client must not read INTERNAL_ERROR, as if the fault were ours. */
const connectionErrors: readonly [name: string, code: number, ...bytes: Buffer[]][] = [
  ["invalid HPACK (T3)", COMPRESSION_ERROR, frame("HEADERS", 5, 1, Buffer.alloc(16_000, 0xff))],
  ["DATA before HEADERS", PROTOCOL_ERROR, data(1, "x")],
  ["DATA after the end of its stream", STREAM_CLOSED, headers(1), data(1, "x", END_STREAM)],
  ["RST_STREAM before HEADERS", PROTOCOL_ERROR, reset(1)],
  ["an even stream number", PROTOCOL_ERROR, headers(2)],
  ["a frame larger than allowed", FRAME_SIZE_ERROR, frame("DATA", 0, 1, Buffer.alloc(16_385))],
  ["padding longer than its frame", PROTOCOL_ERROR, post(1), frame("DATA", PADDED, 1, "\x0aab")],
  ["WINDOW_UPDATE of 0 on the connection", PROTOCOL_ERROR, frame("WINDOW_UPDATE", 0, 0, uint32(0))],
  ["a window beyond 2^31-1", FLOW_CONTROL_ERROR, frame("WINDOW_UPDATE", 0, 0, MOST)],
  ["an initial window beyond 2^31-1", FLOW_CONTROL_ERROR, setting(4, 2 ** 31)],
  ["a frame size below the least", PROTOCOL_ERROR, setting(5, 16_383)],
  ["ENABLE_PUSH of 2", PROTOCOL_ERROR, setting(2, 2)],
  ["too many settings in one frame", ENHANCE_YOUR_CALM, frame("SETTINGS", 0, 0, Buffer.alloc(6 * 33))],
  ["SETTINGS of an odd length", FRAME_SIZE_ERROR, frame("SETTINGS", 0, 0, "12345")],
  ["SETTINGS on a stream", PROTOCOL_ERROR, frame("SETTINGS", 0, 1)],
  ["SETTINGS that acknowledge nothing", PROTOCOL_ERROR, ...Array(3).fill(frame("SETTINGS", ACK, 0))],
  ["PUSH_PROMISE from a client", PROTOCOL_ERROR, frame("PUSH_PROMISE", END_HEADERS, 1, uint32(0))],
  ["PING of an odd length", FRAME_SIZE_ERROR, frame("PING", 0, 0, "12345")],
  ["PING that answers nothing", PROTOCOL_ERROR, frame("PING", ACK, 0, "12345678")],
  ["PRIORITY of an odd length", FRAME_SIZE_ERROR, frame("PRIORITY", 0, 1, uint32(0))],
  ["CONTINUATION without HEADERS", PROTOCOL_ERROR, frame("CONTINUATION", END_HEADERS, 1, "")],
  ["another frame within a header block", PROTOCOL_ERROR, headers(1, GET, 0), data(1, "x")],
];

for (const [name, code, ...bytes] of connectionErrors) {
  test(`${name} ends the connection with its code, and no other one`, async (t) => {
    const { client } = await serve(t, hello);
    const [peer, other] = [await client(), await client()];
    peer.send(...bytes);
    assert.equal(await peer.goawayCode(), code);
    other.send(headers(1));
    await other.next("DATA", 1);
    assert.equal(other.body(1), "GET / \n");
  });
}

const brokenTrailers: readonly [name: string, trailers: Buffer][] = [
  ["that do not end the stream", headers(1, ["x-sum", "1"], END_HEADERS)],
  ["with a pseudo-header field", headers(1, [":path", "/b"])],
  ["with a header Connection", headers(1, ["connection", "close"])],
  ["with an upper-case name", headers(1, ["X-Sum", "1"])],
  ["before the announced end of the body", headers(1, ["x-sum", "1"])],
];

for (const [name, trailers] of brokenTrailers) {
  test(`trailers ${name} reset the stream, and the application is told (T4)`, async (t) => {
    const { handler, next } = queue();
    const { client } = await serve(t, handler);
    const length = name.startsWith("before") ? ["content-length", "9"] : [];
    const peer = (await client()).send(post(1, ...length), data(1, "12345"));
    const exchange = await next();
    const outcome = outcomeOf(exchange);
    const read = assert.rejects(bodyText(exchange), { fault: "client" });
    peer.send(trailers);
    assert.equal(await peer.endCode(1), PROTOCOL_ERROR);
    await read;
    assert.equal((await outcome).complete, false);
  });
}

test("what is no HTTP/2 at all ends the connection, and no other one", async (t) => {
  const { client } = await serve(t, hello);
  const peer = (await client(false)).send(Buffer.from("GET / HTTP/1.1\r\nHost: a\r\n\r\n"));
  assert.equal(await peer.goawayCode(), PROTOCOL_ERROR);
  await peer.all();
  const other = (await client()).send(headers(1));
  await other.next("DATA", 1);
});
