// How a response leaves: fields, lengths, trailers, 1xx, and what no cut may look like (RFC 9113, 8.1, 8.2.2, 8.6).
import assert from "node:assert/strict";
import { once } from "node:events";
import { connect, createServer, type IncomingHttpHeaders, type ServerHttp2Stream } from "node:http2";
import type { AddressInfo } from "node:net";
import { test } from "node:test";
import {
  type Exchange,
  type Handler,
  type ResponseHead,
  SallyportError,
} from "../../../src/exchange/index.ts";
import { BANNED_TRAILERS, head, outcomeOf, queue } from "../../kit/handlers.ts";
import {
  ACK,
  data,
  END_STREAM,
  frame,
  headers,
  INTERNAL_ERROR,
  post,
  pseudo,
  uint32,
} from "../../kit/http2-frames.ts";
import { type Serving, serve } from "./serve-http2.ts";

interface Seen {
  readonly fields: IncomingHttpHeaders & { ":status"?: number };
  readonly body: string;
  readonly trailers: IncomingHttpHeaders;
}

/** Asks once, with node:http2's client. */
async function ask({ session }: Serving, fields: Record<string, string> = {}): Promise<Seen> {
  const request = session().request({ ":path": "/", ...fields });
  let trailers: IncomingHttpHeaders = {};
  request.on("trailers", (found) => {
    trailers = found;
  });
  const pieces: Buffer[] = [];
  request.on("data", (piece: Buffer) => pieces.push(piece));
  const [[response]] = await Promise.all([once(request, "response"), once(request, "end")]);
  return { fields: response, body: Buffer.concat(pieces).toString(), trailers };
}

const answer =
  (response: ResponseHead, body = ""): Handler =>
  (exchange) =>
    exchange.respond(response, body);

test("a whole response has its length, a date, and names in lower case", async (t) => {
  const serving = await serve(t, answer(head(200, "X-Case", "Kept"), "caf\u00e9"));
  const { fields, body } = await ask(serving);
  assert.equal(fields[":status"], 200);
  assert.deepEqual([fields["content-length"], fields["x-case"], body], ["5", "Kept", "caf\u00e9"]);
  assert.match(String(fields.date), /GMT$/);
});

test("what speaks of one connection is left out of a response, without a word", async (t) => {
  const fields = ["Connection", "close", "Keep-Alive", "timeout=5", "Transfer-Encoding", "chunked"];
  const more = ["Upgrade", "h2c", "Proxy-Connection", "x", "HTTP2-Settings", "AAA", "TE", "gzip", "X-A", "1"];
  const serving = await serve(t, answer(head(200, ...fields, ...more), "ok"));
  const seen = await ask(serving);
  assert.deepEqual(Object.keys(seen.fields).sort(), [":status", "content-length", "date", "x-a"]);
  assert.equal(seen.body, "ok");
  assert.deepEqual(serving.lines, []);
});

test("repeated fields are joined, and cookies are not", async (t) => {
  const repeated = [
    "Vary",
    "a",
    "Set-Cookie",
    "b=1",
    "vary",
    "c",
    "Set-Cookie",
    "d=2",
    "Content-Encoding",
    "e",
  ];
  const serving = await serve(t, answer(head(200, ...repeated, "Content-Encoding", "f"), "x"));
  const { fields } = await ask(serving);
  assert.deepEqual(fields["set-cookie"], ["b=1", "d=2"]);
  assert.deepEqual([fields.vary, fields["content-encoding"]], ["a, c", "e, f"]);
});

test("values have no blanks at their edges, wherever they stand: clients would lose the whole response (RFC 9113, 8.2.1)", async (t) => {
  const serving = await serve(t, (exchange) => {
    exchange.inform(head(103, "Link", " </a.css> "));
    exchange.start(head(200, "X-A", " \t1 2\t ", "X-B", " ", "Vary", "a", "Vary", "", "X-C", "", "X-C", "c"));
    exchange.write(Buffer.from("ab"));
    exchange.end(["X-Sum", "\t2 "]);
  });
  const request = serving.session().request({ te: "trailers" });
  const early = once(request, "headers");
  const trailers = once(request, "trailers");
  const [fields] = await once(request, "response");
  request.resume();
  await once(request, "end");
  assert.equal((await early)[0].link, "</a.css>");
  assert.deepEqual([fields["x-a"], fields["x-b"], fields.vary, fields["x-c"]], ["1 2", "", "a", "c"]);
  assert.equal((await trailers)[0]["x-sum"], "2");
});

test("a response may have a head of many frames", async (t) => {
  const { client } = await serve(t, answer(head(200, "x-a", "a".repeat(300_000)), "x"));
  const peer = (await client()).send(headers(1));
  await peer.next("DATA", 1);
  assert.match(peer.story(1), /^HEADERS( CONTINUATION)+ DATA\.$/);
});

test("a client that still sends is told to stop, after the trailers that it gets", async (t) => {
  const { client } = await serve(t, streamed, { drain: 0 });
  const peer = (await client()).send(post(1, "te", "trailers"), data(1, "x"));
  assert.equal(await peer.resetCode(1), 0);
  assert.equal(peer.story(1), "HEADERS DATA HEADERS. RST_STREAM(0)");
});

test("a field may be called like what every object has", async (t) => {
  const serving = await serve(
    t,
    answer(head(200, "constructor", "a", "valueOf", "b", "constructor", "c"), "x"),
  );
  const { fields } = await ask(serving);
  assert.deepEqual([fields.constructor, fields.valueof], ["a, c", "b"]);
});

test("informational responses come first", async (t) => {
  const serving = await serve(t, (exchange) => {
    exchange.inform(head(103, "Link", "</a.css>; rel=preload"));
    exchange.respond(head(), "x");
  });
  const request = serving.session().request();
  const early = once(request, "headers");
  request.resume();
  await once(request, "end");
  const [fields] = await early;
  assert.deepEqual([fields[":status"], fields.link], [103, "</a.css>; rel=preload"]);
});

const streamed: Handler = (exchange) => {
  exchange.start(head());
  exchange.write(Buffer.from("ab"));
  exchange.end(["X-Sum", "2", "Connection", "x", "X Bad", "x"]);
};

test("a client that is ready for trailers gets them, less what cannot be sent", async (t) => {
  const { body, trailers } = await ask(await serve(t, streamed), { te: "trailers" });
  assert.deepEqual([body, Object.entries(trailers)], ["ab", [["x-sum", "2"]]]);
});

test("trailers that HTTP/2 must not have are left out, and the server lives on (RFC 9113, 8.2.2)", async (t) => {
  const serving = await serve(t, (exchange) => {
    exchange.start(head());
    exchange.write(Buffer.from("ab"));
    exchange.end(BANNED_TRAILERS);
  });
  for (let i = 0; i < 2; i++) {
    const { body, trailers } = await ask(serving, { te: "trailers" });
    assert.deepEqual([body, Object.entries(trailers)], ["ab", [["x-sum", "2"]]]);
  }
});

test("a client that is not ready for trailers gets none (RFC 9110, 6.5.1)", async (t) => {
  const offered: boolean[] = [];
  const serving = await serve(t, (exchange) => {
    offered.push(exchange.takesTrailers);
    streamed(exchange);
  });
  const { body, trailers } = await ask(serving);
  assert.deepEqual([body, Object.entries(trailers)], ["ab", []]);
  await ask(serving, { te: "trailers" });
  assert.deepEqual(offered, [false, true]);
});

for (const method of ["respond", "additionalHeaders", "sendTrailers"]) {
  test(`what node:http2 refuses in ${method}() resets one stream, and is logged as our fault`, async (t) => {
    const serving = await serve(t, (exchange) => {
      exchange.inform(head(103, "Link", "</a.css>"));
      exchange.start(head());
      exchange.write(Buffer.from("ab"));
      exchange.end(["X-Sum", "2"]);
    });
    const prototype = await streamPrototype();
    const refusing = t.mock.method(prototype, method as "respond", () => {
      throw new Error("not this one");
    });
    const peer = (await serving.client()).send(headers(1, [...pseudo("GET", "/"), "te", "trailers"]));
    assert.equal(await peer.resetCode(1), INTERNAL_ERROR);
    refusing.mock.restore();
    peer.send(headers(3));
    await peer.until(() => peer.body(3) === "ab");
    const { level, message, fields } = serving.lines[0] ?? {};
    assert.deepEqual(
      [level, message, fields?.code, fields?.fault],
      ["error", "a response could not be sent over HTTP/2: not this one", "ERR_SALLYPORT_INTERNAL", "worker"],
    );
    assert.equal(serving.lines.length, 1);
  });
}

test("an answer that cannot be sent is no complete one", async (t) => {
  const { handler, next } = queue();
  const { client } = await serve(t, handler);
  t.mock.method(await streamPrototype(), "respond", () => {
    throw new Error("not this one");
  });
  const peer = (await client()).send(headers(1));
  const exchange = await next();
  const outcome = outcomeOf(exchange);
  exchange.respond(head(), "x");
  assert.equal((await outcome).error?.code, "ERR_SALLYPORT_INTERNAL");
  assert.equal(await peer.resetCode(1), INTERNAL_ERROR);
});

/** What all streams of servers of node:http2 have in common. */
async function streamPrototype(): Promise<ServerHttp2Stream> {
  const server = createServer();
  await once(server.listen(0, "127.0.0.1"), "listening");
  const client = connect(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
  client.request();
  const [stream] = await once(server, "stream");
  client.destroy();
  server.close();
  return Object.getPrototypeOf(stream);
}

for (const [method, status] of [
  ["HEAD", 200],
  ["GET", 204],
  ["GET", 304],
  ["GET", 205],
] as const) {
  test(`a response to ${method} with ${status} has no body, whatever the application says (H20)`, async (t) => {
    const serving = await serve(t, (exchange) => {
      exchange.start(head(status));
      exchange.write(Buffer.from("never"));
      exchange.end();
    });
    const peer = (await serving.client()).send(headers(1, pseudo(method, "/")));
    await peer.next("HEADERS", 1);
    peer.send(frame("PING", 0, 0, "12345678"));
    await peer.next("PING");
    assert.equal(peer.story(1), "HEADERS.");
  });
}

const bad: readonly [name: string, ResponseHead][] = [
  ["a line break in a header (W7)", head(200, "X-A", "a\r\nX-B: c")],
  ["a header name that is no token", head(200, "X A", "a")],
  ["a pseudo-header field", head(200, ":path", "/")],
  ["a status of four digits", head(2000)],
  ["a status that nobody knows", head(600)],
];

for (const [name, response] of bad) {
  test(`${name} in a response is an error of the application, and none of it is sent`, async (t) => {
    // What breaks the contract of the exchange is checked by the listener all the same.
    const serving = await serve(t, answer(response, "secret"));
    const { fields, body } = await ask(serving);
    assert.equal(fields[":status"], 500);
    assert.match(body, /ERR_SALLYPORT_APP_PROTOCOL/);
    assert.equal(serving.lines[0]?.level, "error");
  });
}

const failed = (): SallyportError => new SallyportError("APP_ABORTED", "the application broke off");

for (const fields of [[], ["te", "trailers"]]) {
  const ready = fields.length > 0 ? ", that is ready for trailers" : "";
  test(`a response that is cut ends in a reset for a client${ready}, never in an end (W4, A3)`, async (t) => {
    const { handler, next } = queue();
    const { client } = await serve(t, handler);
    const peer = (await client()).send(headers(1, [...pseudo("GET", "/"), ...fields]));
    const exchange = await next();
    exchange.start(head());
    exchange.write(Buffer.from("part"));
    await peer.until(() => peer.body(1) === "part");
    exchange.fail(failed());
    assert.equal(await peer.resetCode(1), 2);
    assert.equal(peer.story(1), "HEADERS DATA RST_STREAM(2)");
  });
}

test("a response shorter than its Content-Length ends in a reset (W5)", async (t) => {
  const { client } = await serve(t, (exchange) => {
    exchange.start(head(200, "Content-Length", "10"));
    exchange.write(Buffer.from("part"));
    exchange.end();
  });
  const peer = (await client()).send(headers(1));
  assert.equal(await peer.resetCode(1), 2);
  assert.doesNotMatch(peer.story(1), /\./);
});

test("a response that fails before its head is an error page, and the connection lives on", async (t) => {
  const { client } = await serve(t, (exchange) => exchange.fail(failed500()));
  const peer = (await client()).send(headers(1), headers(3));
  await peer.next("DATA", 3);
  assert.match(peer.body(1), /^500 .*\nERR_SALLYPORT_APP_RAISED\n$/);
});

const failed500 = (): SallyportError => new SallyportError("APP_RAISED", "the application raised");

test("a handler that throws is an error page", async (t) => {
  const serving = await serve(t, () => {
    throw new Error("secret");
  });
  const { fields, body } = await ask(serving);
  assert.equal(fields[":status"], 500);
  assert.doesNotMatch(body, /secret/);
});

/** Writes until there is no room; gives how much was taken. */
function fill(exchange: Exchange, piece: Buffer): number {
  exchange.start(head());
  let taken = piece.length;
  while (exchange.write(piece)) taken += piece.length;
  return taken;
}

test("a client that does not read holds the application back, and one byte more does not free it (A9)", async (t) => {
  const { handler, next } = queue();
  const { client } = await serve(t, handler, { unsent: 100_000 });
  const peer = (await client()).send(headers(1));
  const exchange = await next();
  const taken = fill(exchange, Buffer.alloc(10_000, "x"));
  // The client's window, what may wait, and one piece.
  assert.ok(taken > 65_535 && taken <= 65_535 + 100_000 + 2 * 10_000, `${taken} bytes were taken`);
  let drained = false;
  exchange.whenDrained(() => {
    drained = true;
  });
  peer.send(frame("WINDOW_UPDATE", 0, 0, uint32(1)), frame("WINDOW_UPDATE", 0, 1, uint32(1)));
  await peer.until(() => peer.body(1).length === 65_536);
  assert.equal(drained, false);
  const freed = new Promise<void>((resolve) => exchange.whenDrained(resolve));
  for (const stream of [0, 1]) peer.send(frame("WINDOW_UPDATE", 0, stream, uint32(1_000_000)));
  await freed;
  exchange.end();
  await peer.until(() => peer.body(1).length === taken);
});

test("one large piece leaves bit by bit, and is whole in the end", async (t) => {
  const size = 5_000_000;
  const { client } = await serve(t, (exchange) => exchange.respond(head(), Buffer.alloc(size, "x")));
  const window = Buffer.concat([Buffer.from([0, 4]), uint32(2 ** 24)]);
  const peer = (await client()).send(frame("SETTINGS", 0, 0, window));
  peer.send(frame("WINDOW_UPDATE", 0, 0, uint32(2 ** 24)), headers(1));
  await peer.until(() => peer.story(1).endsWith("."));
  assert.equal(peer.body(1).length, size);
});

test("the outcome tells what was sent", async (t) => {
  const { handler, next } = queue();
  const { client } = await serve(t, handler);
  (await client()).send(headers(1));
  const exchange = await next();
  const outcome = outcomeOf(exchange);
  exchange.respond(head(201), "12345");
  assert.deepEqual(await outcome, { complete: true, error: undefined, status: 201, bytes: 5 });
});

test("the settings say how many streams there may be, and that WebSockets are spoken", async (t) => {
  const { client } = await serve(t, answer(head()), { streams: 7 });
  const peer = await client();
  const { payload } = (await peer.next("SETTINGS")) ?? { payload: Buffer.alloc(0) };
  const settings = new Map<number, number>();
  for (let at = 0; at < payload.length; at += 6)
    settings.set(payload.readUInt16BE(at), payload.readUInt32BE(at + 2));
  assert.deepEqual([settings.get(3), settings.get(8)], [7, 1]);
  peer.send(frame("SETTINGS", ACK, 0), headers(1, undefined, 4 | END_STREAM));
  await peer.next("HEADERS", 1);
});
