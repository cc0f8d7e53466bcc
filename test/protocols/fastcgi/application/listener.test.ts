// The application's half of FastCGI: what web servers may say, and what they get.
import assert from "node:assert/strict";
import { once } from "node:events";
import { Socket } from "node:net";
import { test } from "node:test";
import type { Outcome } from "../../../../src/exchange/index.ts";
import {
  abortRequest,
  beginRequest,
  endRequest,
  managementRecord,
  STATUS,
  streamEnd,
  streamPart,
  TYPE,
  VALUE,
  wholeStream,
} from "../../../../src/protocols/fastcgi/codec.ts";
import { filterData } from "../../../../src/protocols/fastcgi/index.ts";
import { decodePairs, encodePairs } from "../../../../src/protocols/fastcgi/pairs.ts";
import { bodyText, head, queue } from "../../../kit/handlers.ts";
import { bodyOf, echo, noStdin, params, request, serve } from "../serve-fastcgi.ts";

const COMPLETE = { appStatus: 0, protocolStatus: STATUS.REQUEST_COMPLETE };

test("a request is answered with a CGI document, the end of STDOUT, and END_REQUEST", async (t) => {
  const client = await (await serve(t, echo)).client();
  const answer = await client.send(request({ body: "hello" })).ended();
  assert.equal(
    answer.stdout,
    "Status: 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 22\r\n\r\nPOST /app /app/x hello",
  );
  assert.ok(answer.stdoutEnded);
  assert.deepEqual(answer.end, COMPLETE);
});

test("F1: records cut at every byte give the same answer", async (t) => {
  const client = await (await serve(t, echo)).client();
  const bytes = request({ body: "hello", keep: false });
  for (let i = 0; i < bytes.length; i++) {
    client.send(bytes.subarray(i, i + 1));
    if (i % 16 === 0) await new Promise(setImmediate);
  }
  assert.equal(bodyOf(await client.ended()), "POST /app /app/x hello");
});

test("F4: an application that flushes nothing makes no empty record", async (t) => {
  const { handler, next } = queue();
  const client = await (await serve(t, handler)).client();
  client.send(request());
  const exchange = await next();
  exchange.start(head());
  exchange.write(Buffer.from("a"));
  exchange.write(Buffer.alloc(0));
  await client.until(() => client.answer().stdout.endsWith("a"));
  assert.equal(client.answer().stdoutEnded, false);
  exchange.write(Buffer.from("b"));
  exchange.end();
  assert.equal(bodyOf(await client.ended()), "ab");
});

test("F6: parameters whose lengths lie close the connection, and the application never hears of it", async (t) => {
  const asked = queue();
  const { client, lines } = await serve(t, asked.handler);
  const server = await client();
  server.send(
    beginRequest(1, "responder", true),
    wholeStream(TYPE.PARAMS, 1, Buffer.from("ffffffff7fffffff41", "hex")),
    noStdin(),
  );
  await server.closed();
  assert.equal(asked.count, 0);
  assert.equal(lines[0]?.fields.code, "ERR_SALLYPORT_BAD_REQUEST");
});

test("F7: an unknown management type is answered with UNKNOWN_TYPE, an unknown application type ignored", async (t) => {
  const client = await (await serve(t, echo)).client();
  const unknown = Buffer.from("0163000000000000", "hex");
  const inRequest = Buffer.from("016300010003050061626300000000000000", "hex").subarray(0, 16);
  client.send(unknown, beginRequest(1, "responder", true), inRequest, params(), noStdin());
  assert.equal(bodyOf(await client.ended()), "GET /app /app/x ");
  assert.deepEqual(client.management, [
    { type: TYPE.UNKNOWN_TYPE, content: Buffer.from([99, 0, 0, 0, 0, 0, 0, 0]) },
  ]);
});

test("F8: GET_VALUES in the middle of a request is answered with what is known, without the application", async (t) => {
  const asked = queue();
  const client = await (await serve(t, asked.handler, { limits: { connections: 7, requests: 3 } })).client();
  const question = encodePairs([
    "FCGI_MAX_CONNS",
    "",
    "FCGI_OTHER",
    "",
    "FCGI_MAX_REQS",
    "",
    "FCGI_MPXS_CONNS",
    "",
  ]);
  client.send(beginRequest(1, "responder", true), managementRecord(TYPE.GET_VALUES, question));
  await client.until(() => client.management.length > 0);
  const [{ type, content } = { type: 0, content: Buffer.alloc(0) }] = client.management;
  assert.equal(type, TYPE.GET_VALUES_RESULT);
  assert.deepEqual(decodePairs(content, "BAD_REQUEST"), [
    ...["FCGI_MAX_CONNS", "7"],
    ...["FCGI_MAX_REQS", "21"],
    ...["FCGI_MPXS_CONNS", "1"],
  ]);
  assert.equal(asked.count, 0);
});

test("F9: a role that the handler does not play, or that nobody knows, is refused", async (t) => {
  const client = await (await serve(t, echo)).client();
  client.send(request({ role: "authorizer" }));
  assert.deepEqual((await client.ended()).end, { appStatus: 0, protocolStatus: STATUS.UNKNOWN_ROLE });
  client.again().send(Buffer.from("01010001000800000009010000000000", "hex"));
  assert.equal((await client.ended()).end?.protocolStatus, STATUS.UNKNOWN_ROLE);
  client.again().send(request());
  assert.deepEqual((await client.ended()).end, COMPLETE);
});

test("F9: a second request on a connection that does not multiplex is refused, the first goes on", async (t) => {
  const { handler, next } = queue();
  const client = await (await serve(t, handler, { multiplex: false })).client();
  client.send(request({ id: 1 }), request({ id: 2 }));
  const refused = await client.ended(2);
  assert.equal(refused.end?.protocolStatus, STATUS.CANT_MPX_CONN);
  (await next()).respond(head(), "one");
  assert.equal(bodyOf(await client.ended(1)), "one");
});

test("F9: more requests than the limit are told that we are overloaded", async (t) => {
  const { handler, next } = queue();
  const client = await (await serve(t, handler, { limits: { requests: 1 } })).client();
  client.send(request({ id: 1 }), request({ id: 2 }));
  assert.equal((await client.ended(2)).end?.protocolStatus, STATUS.OVERLOADED);
  (await next()).respond(head(), "one");
  assert.equal(bodyOf(await client.ended(1)), "one");
});

test("a request that begins twice breaks the protocol", async (t) => {
  const { client, lines } = await serve(t, echo);
  const server = await client();
  server.send(beginRequest(1, "responder", true), beginRequest(1, "responder", true));
  await server.closed();
  assert.match(lines[0]?.message ?? "", /begins twice/);
});

test("F10: records for ids that are not in use are ignored, also after the response", async (t) => {
  const client = await (await serve(t, (exchange) => exchange.respond(head(), "early"))).client();
  client.send(streamPart(TYPE.STDIN, 9, Buffer.from("x")), abortRequest(9), streamEnd(TYPE.PARAMS, 9));
  client.send(beginRequest(1, "responder", true), params({ CONTENT_LENGTH: "4", REQUEST_METHOD: "POST" }));
  assert.equal(bodyOf(await client.ended()), "early");
  client.send(wholeStream(TYPE.STDIN, 1, Buffer.from("late")));
  assert.equal(bodyOf(await client.again().send(request()).ended()), "early");
});

test("F11: an aborted request ends at once, and others on the connection live", async (t) => {
  const { handler, next } = queue();
  const client = await (await serve(t, handler)).client();
  client.send(request({ id: 1 }), request({ id: 2 }));
  const [one, two] = [await next(), await next()];
  const over = new Promise<Outcome>((resolve) => one.whenClosed(resolve));
  client.send(abortRequest(1));
  assert.equal((await over).error?.code, "ERR_SALLYPORT_CLIENT_LEFT");
  assert.equal((await client.ended(1)).end?.protocolStatus, STATUS.REQUEST_COMPLETE);
  two.respond(head(), "two");
  assert.equal(bodyOf(await client.ended(2)), "two");
});

test("F11: a request that is aborted by the bytes it came with is never dispatched", async (t) => {
  const asked = queue();
  const client = await (await serve(t, asked.handler)).client();
  await client.send(request(), abortRequest(1)).ended();
  assert.equal(asked.count, 0);
});

test("the end of the connection is the end of its exchanges", async (t) => {
  const { handler, next } = queue();
  const client = await (await serve(t, handler)).client();
  client.send(request({ id: 1 }), request({ id: 2 }));
  const closed = [await next(), await next()].map(
    (exchange) => new Promise<Outcome>((resolve) => exchange.whenClosed(resolve)),
  );
  client.socket.destroy();
  for (const { error } of await Promise.all(closed)) assert.equal(error?.code, "ERR_SALLYPORT_CLIENT_LEFT");
});

test("L1: a server that ends its side only is still answered", async (t) => {
  const { handler, next } = queue();
  const client = await (await serve(t, handler)).client();
  client.send(request({ keep: true }));
  client.socket.end();
  const exchange = await next();
  setImmediate(() => exchange.respond(head(), "still here"));
  assert.equal(bodyOf(await client.ended()), "still here");
  assert.equal(await client.closed(), "end");
});

test("F12: the connection is kept or closed as the server asked", async (t) => {
  const { client } = await serve(t, echo);
  const kept = await client();
  for (let i = 0; i < 3; i++) {
    await kept.again().send(request()).ended();
    assert.equal(kept.state, "");
  }
  const closed = await client();
  assert.deepEqual((await closed.send(request({ keep: false })).ended()).end, COMPLETE);
  assert.equal(await closed.closed(), "end");
});

test("F13: a STDIN that ends short of CONTENT_LENGTH is an error to the application", async (t) => {
  const { handler, next } = queue();
  const client = await (await serve(t, handler)).client();
  const length = { REQUEST_METHOD: "POST", CONTENT_LENGTH: "10" };
  client.send(
    beginRequest(1, "responder", true),
    params(length),
    wholeStream(TYPE.STDIN, 1, Buffer.from("half")),
  );
  const exchange = await next();
  await assert.rejects(bodyText(exchange), { code: "ERR_SALLYPORT_BODY_INCOMPLETE" });
});

test("what STDIN has beyond CONTENT_LENGTH is dropped", async (t) => {
  const client = await (await serve(t, echo)).client();
  client.send(request({ body: "hello world", params: { CONTENT_LENGTH: "5" } }));
  assert.equal(bodyOf(await client.ended()), "POST /app /app/x hello");
});

test("a body without a length is as long as STDIN", async (t) => {
  const client = await (await serve(t, echo)).client();
  const chunked = { REQUEST_METHOD: "POST", CONTENT_LENGTH: "", HTTP_TRANSFER_ENCODING: "chunked" };
  client.send(request({ body: "hello", params: chunked }));
  assert.equal(bodyOf(await client.ended()), "POST /app /app/x hello");
});

test("a body of which no length is told is as long as STDIN, as nginx sends an upload over HTTP/2", async (t) => {
  const { client } = await serve(t, echo);
  for (const [method, body, seen] of [
    ["PUT", "hello", "hello"],
    ["POST", "", ""],
    ["GET", "hello", ""],
  ] as const) {
    const server = await client();
    server.send(request({ body, params: { REQUEST_METHOD: method, CONTENT_LENGTH: "" } }));
    assert.equal(bodyOf(await server.ended()), `${method} /app /app/x ${seen}`);
  }
});

test("a body of which no length is told is read while it comes, and ends with STDIN", async (t) => {
  const { handler, next } = queue();
  const client = await (await serve(t, handler)).client();
  client.send(beginRequest(1, "responder", true), params({ REQUEST_METHOD: "PUT" }));
  const { body } = await next();
  assert.equal(body.length, undefined);
  const seen = bodyText({ body });
  client.send(streamPart(TYPE.STDIN, 1, Buffer.from("hello ")));
  client.send(wholeStream(TYPE.STDIN, 1, Buffer.from("world")));
  assert.equal(await seen, "hello world");
});

test("F17: another version closes the connection", async (t) => {
  const { client, lines } = await serve(t, echo);
  const server = await client();
  server.send(Buffer.from([2, 1, 0, 1, 0, 8, 0, 0]));
  await server.closed();
  assert.match(lines[0]?.message ?? "", /version 2/);
});

test("F18: a server that is not in FCGI_WEB_SERVER_ADDRS is not listened to", async (t) => {
  const others = await serve(t, echo, { webServers: "10.1.2.3" });
  const refused = await others.client();
  await refused.send(request()).closed();
  assert.equal(refused.answer().stdout, "");
  assert.equal(others.lines[0]?.fields.code, "ERR_SALLYPORT_FORBIDDEN");
  // The system forgets the address of a peer that has reset its connection; a Unix socket has no local address either.
  for (const [localAddress, who] of [
    ["127.0.0.1", "a peer that has left"],
    [undefined, "a Unix socket"],
  ] as const) {
    others.listener.accept(Object.defineProperty(new Socket(), "localAddress", { value: localAddress }));
    assert.match(others.lines.at(-1)?.message ?? "", new RegExp(`from ${who},`));
  }
  const ours = await (await serve(t, echo, { webServers: "10.1.2.3, 127.0.0.1" })).client();
  assert.deepEqual((await ours.send(request()).ended()).end, COMPLETE);
});

test("F19: an authorizer is asked about a request without a body", async (t) => {
  const handler = echo;
  const client = await (await serve(t, handler, { roles: ["authorizer"] })).client();
  client.send(beginRequest(1, "authorizer", true));
  const pairs = encodePairs(["REQUEST_METHOD", "POST", "REQUEST_URI", "/secret"]);
  client.send(wholeStream(TYPE.PARAMS, 1, pairs));
  assert.equal(bodyOf(await client.ended()), "POST  /secret ");
});

test("a filter gets STDIN as its body, and the file with the date of its last change", async (t) => {
  const { handler, next } = queue();
  const client = await (await serve(t, handler, { roles: ["filter"] })).client();
  const about = { FCGI_DATA_LENGTH: "4", FCGI_DATA_LAST_MOD: "86400" };
  client.send(
    request({ role: "filter", body: "hi", params: about }),
    wholeStream(TYPE.DATA, 1, Buffer.from("file")),
  );
  const exchange = await next();
  const data = filterData(exchange);
  assert.ok(data);
  assert.equal(await bodyText(exchange), "hi");
  assert.equal(await bodyText(data), "file");
  assert.equal(data.lastModified?.toISOString(), "1970-01-02T00:00:00.000Z");
  exchange.respond(head(), "filtered");
  assert.equal(bodyOf(await client.ended()), "filtered");
});

test("parameters over the limit get 431, and the connection stays", async (t) => {
  const { client } = await serve(t, echo, { limits: { params: 2000 } });
  const server = await client();
  server.send(request({ params: { HTTP_LONG: "x".repeat(3000) } }));
  const answer = await server.ended();
  assert.match(answer.stdout, /^Status: 431 .*ERR_SALLYPORT_HEADERS_TOO_LARGE\n$/s);
  assert.deepEqual(answer.end, COMPLETE);
  assert.equal(bodyOf(await server.again().send(request()).ended()), "GET /app /app/x ");
});

test("parameters that make no request get 400, and the connection stays", async (t) => {
  const server = await (await serve(t, echo)).client();
  server.send(request({ params: { REQUEST_METHOD: "" } }));
  assert.match((await server.ended()).stdout, /^Status: 400 /);
  assert.deepEqual((await server.again().send(request()).ended()).end, COMPLETE);
});

test("a cut response on a connection of its own is cut with the connection, without END_REQUEST", async (t) => {
  const { handler, next } = queue();
  const client = await (await serve(t, handler)).client();
  client.send(request());
  const exchange = await next();
  exchange.start(head(200, "Content-Type", "text/plain"));
  exchange.write(Buffer.from("half"));
  await client.until(() => client.answer().stdout.endsWith("half"));
  exchange.end();
  await client.ended();
  client.again().send(request());
  const again = await next();
  again.start(head(200, "Content-Length", "10"));
  again.write(Buffer.from("half"));
  await client.until(() => client.answer().stdout.endsWith("half"));
  again.end();
  await client.closed();
  assert.equal(client.answer().end, undefined);
});

test("a cut response on a shared connection ends with a status, and STDOUT without its end", async (t) => {
  const { handler, next } = queue();
  const client = await (await serve(t, handler)).client();
  client.send(request({ id: 1 }), request({ id: 2 }));
  const [one, two] = [await next(), await next()];
  one.start(head(200, "Content-Length", "10"));
  one.write(Buffer.from("half"));
  one.end();
  const cut = await client.ended(1);
  assert.equal(cut.end?.appStatus, 1);
  assert.equal(cut.stdoutEnded, false);
  two.respond(head(), "two");
  assert.equal(bodyOf(await client.ended(2)), "two");
});

test("a server that asked whether it can share a connection keeps it when a response is cut", async (t) => {
  const { handler, next } = queue();
  const client = await (await serve(t, handler)).client();
  client.send(managementRecord(TYPE.GET_VALUES, encodePairs([VALUE.MPXS_CONNS, ""])), request({ id: 1 }));
  const one = await next();
  one.start(head(200, "Content-Length", "10"));
  one.write(Buffer.from("half"));
  one.end();
  const cut = await client.ended(1);
  assert.deepEqual([cut.end?.appStatus, cut.stdoutEnded], [1, false]);
  client.send(request({ id: 2 }));
  (await next()).respond(head(), "two");
  assert.equal(bodyOf(await client.ended(2)), "two");
});

test("a body that nobody reads stops the connection, not our memory", async (t) => {
  const { handler, next } = queue();
  const { client, accepted } = await serve(t, handler);
  const server = await client();
  const size = 30_000_000;
  server.send(
    beginRequest(1, "responder", true),
    params({ REQUEST_METHOD: "POST", CONTENT_LENGTH: String(size) }),
  );
  const sent = wholeStream(TYPE.STDIN, 1, Buffer.alloc(size));
  server.socket.write(sent);
  const exchange = await next();
  const [socket] = accepted;
  while (!socket?.isPaused()) await new Promise(setImmediate);
  assert.ok((socket?.bytesRead ?? size) < 2_000_000);
  let read = 0;
  for (let piece = await exchange.body.read(); piece; piece = await exchange.body.read())
    read += piece.length;
  assert.equal(read, size);
  exchange.respond(head(), "done");
  assert.equal(bodyOf(await server.ended()), "done");
});

test("a server that does not read holds the application back, and gets it all", async (t) => {
  const { handler, next } = queue();
  const client = await (await serve(t, handler)).client();
  client.socket.pause();
  client.send(request());
  const exchange = await next();
  exchange.start(head());
  const piece = Buffer.alloc(65_536, "x");
  let written = 0;
  const fill = (): void => {
    while (written < 300) {
      written++;
      if (!exchange.write(piece)) return exchange.whenDrained(fill);
    }
    exchange.end();
  };
  fill();
  assert.ok(written < 300);
  client.socket.resume();
  assert.equal(bodyOf(await client.ended()).length, 300 * 65_536);
});

test("large responses on one connection take turns", async (t) => {
  const { handler, next } = queue();
  const client = await (await serve(t, handler, { limits: { unsent: 50_000_000 } })).client();
  client.socket.pause();
  client.send(request({ id: 1 }), request({ id: 2 }));
  const [one, two] = [await next(), await next()];
  const large = Buffer.alloc(20_000_000, "x");
  one.start(head());
  one.write(large);
  one.end();
  two.respond(head(), "small");
  client.socket.resume();
  await client.ended(2);
  assert.equal(client.answer(1).end, undefined, "the small one did not wait for the large one");
  assert.equal(bodyOf(await client.ended(1)).length, large.length);
});

test("a begin without an end is answered with 408", async (t) => {
  const client = await (await serve(t, echo, { limits: { receiveTimeout: 50 } })).client();
  client.send(beginRequest(1, "responder", true));
  assert.match((await client.ended()).stdout, /^Status: 408 /);
});

test("a body that stops arriving is an error to the application, and 408", async (t) => {
  const { handler, next } = queue();
  const client = await (await serve(t, handler, { limits: { receiveTimeout: 50 } })).client();
  client.send(beginRequest(1, "responder", true), params({ REQUEST_METHOD: "POST", CONTENT_LENGTH: "5" }));
  const exchange = await next();
  await assert.rejects(bodyText(exchange), { code: "ERR_SALLYPORT_REQUEST_TIMEOUT" });
  assert.match((await client.ended()).stdout, /^Status: 408 /);
});

test("an idle connection is closed after its time", async (t) => {
  const client = await (await serve(t, echo, { limits: { idleTimeout: 50 } })).client();
  assert.equal(await client.closed(), "end");
});

for (const announced of [true, false]) {
  test(`a body over the limit gets 413, ${announced ? "announced" : "of unknown length"}, and the connection stays`, async (t) => {
    const client = await (await serve(t, echo, { limits: { body: 1000 } })).client();
    const about = {
      REQUEST_METHOD: "POST",
      ...(announced ? { CONTENT_LENGTH: "1001" } : { HTTP_TRANSFER_ENCODING: "chunked" }),
    };
    client.send(
      beginRequest(1, "responder", true),
      params(about, 1),
      streamPart(TYPE.STDIN, 1, Buffer.alloc(1001)),
      noStdin(1),
    );
    const answer = await client.ended(1);
    assert.match(answer.stdout, /^Status: 413 .*ERR_SALLYPORT_BODY_TOO_LARGE\n$/s);
    client.send(request({ id: 2 }));
    assert.match((await client.ended(2)).stdout, /^Status: 200/);
  });
}

test("a slow server that does read gets a whole response, though it takes longer than any limit", async (t) => {
  const { handler, next } = queue();
  const limits = { sendTimeout: 1000, idleTimeout: 50, lingerTimeout: 50 };
  const client = await (await serve(t, handler, { limits })).client();
  const turns = setInterval(
    () => (client.socket.isPaused() ? client.socket.resume() : client.socket.pause()),
    50,
  );
  t.after(() => clearInterval(turns));
  client.send(request({ keep: false }));
  (await next()).respond(head(), Buffer.alloc(20_000_000, "x"));
  const answer = await client.ended();
  assert.equal(bodyOf(answer).length, 20_000_000);
  assert.deepEqual(answer.end, COMPLETE);
});

test("a server that never reads the last bytes of a response is cut", async (t) => {
  const { handler, next } = queue();
  const limits = { sendTimeout: 200, lingerTimeout: 50 };
  const { client, accepted } = await serve(t, handler, { limits });
  const server = await client();
  server.send(request({ keep: false }));
  server.socket.pause();
  const exchange = await next();
  exchange.start(head());
  const [socket] = accepted as [Socket];
  const closed = once(socket, "close");
  do {
    exchange.write(Buffer.alloc(8_000));
    await new Promise(setImmediate);
  } while (socket.writableLength === 0);
  exchange.end();
  await closed;
});

test("connections over the limit are closed", async (t) => {
  const { client, lines } = await serve(t, echo, { limits: { connections: 1 } });
  const first = await client();
  const second = await client();
  await second.closed();
  assert.equal(lines[0]?.fields.code, "ERR_SALLYPORT_QUEUE_FULL");
  assert.deepEqual((await first.send(request()).ended()).end, COMPLETE);
});

test("a server that asks and asks and reads no answers is read no further", async (t) => {
  const { client, accepted } = await serve(t, echo, { limits: { buffered: 20_000 } });
  const server = await client();
  server.socket.pause();
  const questions = Buffer.concat(
    Array.from({ length: 200_000 }, () => managementRecord(99, Buffer.alloc(0))),
  );
  for (let i = 0; i < 6; i++) server.socket.write(questions);
  while (!accepted[0]?.isPaused()) await new Promise(setImmediate);
  assert.ok((accepted[0]?.writableLength ?? 0) < 1_000_000);
});

test("closing ends idle connections, lets requests finish, and refuses new ones", async (t) => {
  const { handler, next } = queue();
  const { client, listener } = await serve(t, handler);
  const [idle, busy] = [await client(), await client()];
  busy.send(request({ id: 1 }));
  const exchange = await next();
  const closed = listener.close(60_000);
  await idle.closed();
  busy.send(request({ id: 2 }));
  assert.equal((await busy.ended(2)).end?.protocolStatus, STATUS.OVERLOADED);
  exchange.respond(head(), "finished");
  assert.equal(bodyOf(await busy.ended(1)), "finished");
  await busy.closed();
  busy.socket.end();
  await closed;
});

test("a listener that leaves ends a kept connection with its next answer, a new one with its first", async (t) => {
  const { client, listener } = await serve(t, echo);
  const kept = await client();
  kept.send(request({ id: 1 }));
  await kept.ended(1);
  const fresh = await client();
  listener.leave?.();
  for (const server of [kept, fresh]) {
    server.again().send(request({ id: 1, body: "still" }));
    assert.equal(bodyOf(await server.ended(1)), "POST /app /app/x still");
    assert.equal(await server.closed(), "end");
    server.socket.end();
  }
});

test("a listener that leaves lets all requests of a connection finish, also those that begin meanwhile", async (t) => {
  const { handler, next } = queue();
  const { client, listener } = await serve(t, handler);
  const server = (await client()).send(request({ id: 1 }));
  const first = await next();
  listener.leave?.();
  server.send(request({ id: 2 }));
  const second = await next();
  first.respond(head(), "first");
  assert.equal(bodyOf(await server.ended(1)), "first");
  second.respond(head(), "second");
  assert.equal(bodyOf(await server.ended(2)), "second");
  assert.equal(await server.closed(), "end");
  server.socket.end();
});

for (const [software, size] of [
  ["nginx/1.24.0", 8],
  ["Apache/2.4.58 (Unix)", 0],
] as const)
  test(`what says that a connection is not kept is for those who understand it: ${size} bytes for ${software}`, async (t) => {
    const { client, listener } = await serve(t, echo);
    const server = await client();
    listener.leave?.();
    const pieces: Buffer[] = [];
    server.socket.on("data", (piece: Buffer) => pieces.push(piece));
    server.send(request({ params: { SERVER_SOFTWARE: software } }));
    assert.equal(await server.closed(), "end");
    const bytes = Buffer.concat(pieces);
    assert.equal(bytes.length - bytes.lastIndexOf(endRequest(1, 0, STATUS.REQUEST_COMPLETE)) - 16, size);
    server.socket.end();
  });

test("when the grace is over what is still under way is cut", async (t) => {
  const { handler, next } = queue();
  const { client, listener } = await serve(t, handler);
  const server = await client();
  server.send(request());
  const exchange = await next();
  exchange.start(head());
  await listener.close(0);
  assert.ok(exchange.closed);
  await server.closed();
  assert.equal(server.answer().end, undefined);
});
