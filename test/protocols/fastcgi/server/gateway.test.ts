// The web server's half of FastCGI: what applications may do, and what clients get.
import assert from "node:assert/strict";
import { mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { PushedBody, SallyportError } from "../../../../src/exchange/index.ts";
import { endRequest, STATUS, streamPart, TYPE } from "../../../../src/protocols/fastcgi/codec.ts";
import { authorized, fastcgi } from "../../../../src/protocols/fastcgi/index.ts";
import { RecordedExchange } from "../../../../src/testing/recorded.ts";
import { head, queue } from "../../../kit/handlers.ts";
import { keepLog } from "../../../kit/keep-log.ts";
import { makeFolder } from "../../../kit/make-folder.ts";
import { RawApplication, socketPath, startGateway } from "../raw-application.ts";
import { echo, serve } from "../serve-fastcgi.ts";

const text = ({ body }: { body: Buffer }): string => body.toString("latin1");

test("a request goes out as parameters and STDIN, and the document comes back", async (t) => {
  const application = await RawApplication.start(t);
  const { ask } = await startGateway(t, { address: application.address });
  const asked = ask({ method: "POST", target: "/app/x%20y?q=1", mount: "/app", body: "hello" });
  const request = await application.next();
  await request.until(() => request.stdinEnded);
  assert.equal(request.role, 1);
  assert.equal(request.keep, true);
  assert.equal(request.stdin, "hello");
  const { SCRIPT_NAME, PATH_INFO, QUERY_STRING, CONTENT_LENGTH, GATEWAY_INTERFACE } = request.params;
  assert.deepEqual(
    [SCRIPT_NAME, PATH_INFO, QUERY_STRING, CONTENT_LENGTH, GATEWAY_INTERFACE],
    ["/app", "/x y", "q=1", "5", "CGI/1.1"],
  );
  request.answer("world", "Status: 201 Made", "X-A: b");
  const answer = await asked;
  assert.deepEqual([answer.status, answer.reason, text(answer)], [201, "Made", "world"]);
  assert.deepEqual(answer.headers, ["Content-Type", "text/plain", "X-A", "b"]);
  assert.ok(answer.complete);
});

test("both halves understand each other, body and all", async (t) => {
  const { address } = await serve(t, echo);
  const { ask } = await startGateway(t, { address });
  const large = "x".repeat(3_000_000);
  const answers = await Promise.all([
    ask({ target: "/a" }),
    ask({ target: "/app/b", mount: "/app", method: "POST", body: "hello" }),
    ask({ target: "/c", method: "PUT", body: large }),
  ]);
  assert.deepEqual(answers.map(text), ["GET  /a ", "POST /app /app/b hello", `PUT  /c ${large}`]);
});

test("10,000 requests in sequence open no more connections than the pool allows", async (t) => {
  const { address, accepted } = await serve(t, (exchange) => exchange.respond(head(), "ok"));
  const { ask } = await startGateway(t, { address, connections: 2 });
  for (let i = 0; i < 10_000; i++) assert.equal((await ask()).status, 200);
  assert.ok(accepted.length <= 3, `${accepted.length} connections, one of them for the values`);
});

test("an application that multiplexes gets many requests on one connection", async (t) => {
  const { handler, next } = queue();
  const { address, accepted } = await serve(t, handler);
  const { ask } = await startGateway(t, { address, connections: 1 });
  const answers = Array.from({ length: 8 }, (_, i) => ask({ target: `/${i}` }));
  const exchanges = await Promise.all(answers.map(() => next()));
  for (const exchange of exchanges.reverse()) exchange.respond(head(), exchange.request.path);
  assert.deepEqual((await Promise.all(answers)).map(text), ["/0", "/1", "/2", "/3", "/4", "/5", "/6", "/7"]);
  assert.equal(accepted.length, 2, "one connection for the values, one for all requests");
});

test("FCGI_MAX_CONNS is respected, and asked for once", async (t) => {
  const application = await RawApplication.start(t, {
    values: { FCGI_MAX_CONNS: "1", FCGI_MPXS_CONNS: "0" },
  });
  const { ask } = await startGateway(t, { address: application.address });
  const answers = [ask({ target: "/1" }), ask({ target: "/2" }), ask({ target: "/3" })];
  for (const _ of answers) {
    const request = await application.next();
    request.answer(request.params.PATH_INFO as string);
  }
  assert.deepEqual((await Promise.all(answers)).map(text).sort(), ["/1", "/2", "/3"]);
  assert.equal(application.connections, 1);
  assert.equal(application.questions, 1);
});

test("F12: a kept connection that the application closed while idle is replaced", async (t) => {
  const application = await RawApplication.start(t);
  const { ask } = await startGateway(t, { address: application.address });
  const first = ask();
  const request = await application.next();
  request.answer("one");
  assert.equal(text(await first), "one");
  request.socket.destroy();
  const second = ask();
  (await application.next()).answer("two");
  assert.equal(text(await second), "two");
});

test("F12: a request that was sent is not sent again", async (t) => {
  const application = await RawApplication.start(t);
  const { ask } = await startGateway(t, { address: application.address });
  const asked = ask({ method: "POST", body: "once" });
  const request = await application.next();
  await request.until(() => request.stdinEnded);
  request.socket.destroy();
  const answer = await asked;
  assert.equal(answer.status, 502);
  assert.match(text(answer), /ERR_SALLYPORT_UPSTREAM_BROKEN/);
  assert.equal(application.connections, 1);
});

test("F12: only what changes nothing is asked again when a kept connection ends without a word", async (t) => {
  const application = await RawApplication.start(t, { values: { FCGI_MAX_CONNS: "1" } });
  const { ask } = await startGateway(t, { address: application.address });
  for (const method of ["GET", "POST"]) {
    const first = ask();
    (await application.next()).answer("first");
    await first;
    const asked = ask({ method });
    (await application.next()).socket.end();
    if (method === "GET") (await application.next()).answer("asked again");
    const answer = await asked;
    assert.deepEqual([method, answer.status], [method, method === "GET" ? 200 : 502]);
  }
});

test("F12: what is asked again is asked once more, and not another time", async (t) => {
  const application = await RawApplication.start(t, { values: { FCGI_MAX_CONNS: "2" } });
  const { ask } = await startGateway(t, { address: application.address });
  const [one, two] = [ask(), ask()];
  const kept = [await application.next(), await application.next()];
  for (const request of kept) request.answer("first");
  await Promise.all([one, two]);
  const asked = ask();
  for (const _ of kept) (await application.next()).socket.end();
  assert.equal((await asked).status, 502);
  assert.equal(application.connections, 2, "both attempts were made on connections that had been kept");
});

test("F12: after a single byte of an answer nothing is asked again", async (t) => {
  const application = await RawApplication.start(t, { values: { FCGI_MAX_CONNS: "1" } });
  const { ask } = await startGateway(t, { address: application.address });
  const first = ask();
  (await application.next()).answer("first");
  await first;
  const asked = ask();
  (await application.next()).socket.end(Buffer.of(1));
  assert.equal((await asked).status, 502);
  assert.equal(application.connections, 1);
});

test("F12: a POST goes elsewhere when its kept connection was closed before any of it was sent", async (t) => {
  const application = await RawApplication.start(t, { values: { FCGI_MAX_CONNS: "1" } });
  const { ask } = await startGateway(t, { address: application.address });
  const first = ask();
  const request = await application.next();
  request.answer("first");
  await first;
  // By then the connection is idle, and its end is not noticed before the request is written.
  for (let turn = 0; turn < 3; turn++) await new Promise(setImmediate);
  request.socket.destroy();
  const asked = ask({ method: "POST", body: "once" });
  (await application.next()).answer("posted");
  assert.equal(text(await asked), "posted");
});

test("F12: a POST that waits does not get a connection which the application closes after its answer", async (t) => {
  const application = await RawApplication.start(t, { values: { FCGI_MAX_CONNS: "1" } });
  const { ask } = await startGateway(t, { address: application.address });
  const first = ask();
  const request = await application.next();
  const waiting = ask({ method: "POST", body: "once" });
  request.answer("first");
  request.socket.end();
  assert.equal(text(await first), "first");
  (await application.next()).answer("posted");
  assert.equal(text(await waiting), "posted");
});

test("F10: what is said after the end of a request is no part of the answer to the next", async (t) => {
  const application = await RawApplication.start(t, { values: { FCGI_MAX_CONNS: "1" } });
  const { ask } = await startGateway(t, { address: application.address });
  const [one, two] = [ask(), ask()];
  const { socket } = await application.next();
  const stdout = (body: string): Buffer =>
    streamPart(TYPE.STDOUT, 1, Buffer.from(`Content-Type: text/plain\r\n\r\n${body}`));
  socket.write(Buffer.concat([stdout("one"), endRequest(1, 0, 0), stdout("forged"), endRequest(1, 0, 0)]));
  assert.equal(text(await one), "one");
  (await application.next()).answer("two");
  assert.equal(text(await two), "two");
  assert.equal(application.connections, 1);
});

test("F12: an application that leaves questions unanswered, as libfcgi does, keeps connections only with `keep`", async (t) => {
  for (const [keep, kept] of [
    [undefined, false],
    [true, true],
  ] as const) {
    const application = await RawApplication.start(t);
    application.silent = true;
    const { ask } = await startGateway(t, { address: application.address, keep });
    const asked = ask();
    const request = await application.next();
    request.answer("answered");
    assert.deepEqual([request.keep, (await asked).status], [kept, 200]);
  }
});

test("F12: without `keep` every request has a connection of its own", async (t) => {
  const application = await RawApplication.start(t);
  const { ask } = await startGateway(t, { address: application.address, keep: false });
  for (const body of ["one", "two"]) {
    const asked = ask();
    const request = await application.next();
    assert.equal(request.keep, false);
    request.answer(body);
    assert.equal(text(await asked), body);
  }
  assert.equal(application.connections, 2);
});

for (const [multiplexes, connections] of [
  ["1", 1],
  ["0", 2],
] as const) {
  const then = multiplexes === "1" ? "a connection that can be shared" : "only then another connection";
  test(`F11: when the client leaves the application is told, and ${then} is used for the next`, async (t) => {
    const values = { FCGI_MAX_CONNS: "1", FCGI_MPXS_CONNS: multiplexes };
    const application = await RawApplication.start(t, { values });
    const { ask, exchange } = await startGateway(t, { address: application.address });
    const leaving = exchange();
    const request = await application.next();
    leaving.hangUp();
    await request.until(() => request.aborted);
    request.end(1);
    const asked = ask();
    (await application.next()).answer("next");
    assert.equal(text(await asked), "next");
    assert.equal(application.connections, connections);
  });
}

test("F11: an application that does not end an aborted request loses its connection", async (t) => {
  const application = await RawApplication.start(t, { values: { FCGI_MAX_CONNS: "1" } });
  const { ask, exchange } = await startGateway(t, { address: application.address });
  const leaving = exchange();
  await application.next();
  leaving.hangUp();
  const asked = ask();
  (await application.next()).answer("next");
  assert.equal(text(await asked), "next");
  assert.equal(application.connections, 2);
});

test("F14: STDERR between two halves of a header line goes to the log with the request", async (t) => {
  const application = await RawApplication.start(t);
  const { ask, logged } = await startGateway(t, { address: application.address });
  const asked = ask({ target: "/noisy" });
  const request = await application.next();
  request.stdout("Content-Ty").stderr("something is\n").stdout("pe: text/plain\r\nX: y\r").stderr("odd");
  request.stdout("\n\r\nStatus: 500 Not a head\r\n\r\n").end();
  const answer = await asked;
  assert.deepEqual(answer.headers, ["Content-Type", "text/plain", "X", "y"]);
  assert.equal(text(answer), "Status: 500 Not a head\r\n\r\n");
  assert.equal((await logged(/something is/)).fields.target, "/noisy");
  await logged(/odd/);
});

test("F15: a reset before the head is 502, after it a visible cut", async (t) => {
  const application = await RawApplication.start(t);
  const { ask, exchange } = await startGateway(t, { address: application.address });
  const before = ask();
  (await application.next()).stdout("Content-Type: te").socket.end();
  assert.equal((await before).status, 502);
  const after = exchange();
  const request = await application.next();
  request.stdout("Content-Type: text/plain\r\n\r\nhalf");
  while (after.chunks.length === 0) await new Promise(setImmediate);
  request.socket.destroy();
  const cut = await after.done;
  assert.deepEqual([cut.status, cut.complete, text(cut)], [200, false, "half"]);
});

test("F15: an end without STDOUT is 502", async (t) => {
  const application = await RawApplication.start(t);
  const { ask } = await startGateway(t, { address: application.address });
  const asked = ask();
  (await application.next()).end();
  const { status, error } = await asked;
  assert.deepEqual([status, error], [502, undefined]);
});

test("F15: a status other than 0 is logged, and the page that was sent stands", async (t) => {
  const application = await RawApplication.start(t);
  const { ask, logged } = await startGateway(t, { address: application.address });
  const asked = ask();
  const request = await application.next();
  request.stdout("Content-Type: text/plain\r\n\r\npage");
  request.socket.write(Buffer.from("0106000100000000", "hex"));
  request.end(938);
  const answer = await asked;
  assert.deepEqual([answer.complete, text(answer)], [true, "page"]);
  await logged(/status 938/);
});

test("our own listener's cut on a shared connection is a cut for the client", async (t) => {
  const { handler, next } = queue();
  const { address } = await serve(t, handler);
  const { ask, exchange } = await startGateway(t, { address, connections: 1 });
  const cut = exchange();
  const other = ask();
  const [one, two] = [await next(), await next()];
  one.start(head(200, "Content-Type", "a/b"));
  one.write(Buffer.from("half"));
  while (cut.chunks.length === 0) await new Promise(setImmediate);
  one.fail(new SallyportError("APP_ABORTED", "given up"));
  assert.equal((await cut.done).complete, false);
  two.respond(head(), "two");
  assert.equal(text(await other), "two");
});

test("F16: a header without an end is 502 at the limit", async (t) => {
  const application = await RawApplication.start(t);
  const { ask } = await startGateway(t, { address: application.address });
  const asked = ask();
  (await application.next()).stdout("x".repeat(65_536));
  assert.equal((await asked).status, 502);
});

test("F17: an application that speaks another version is 502, others are untouched", async (t) => {
  const application = await RawApplication.start(t);
  const { ask } = await startGateway(t, { address: application.address });
  const [broken, fine] = [ask({ target: "/broken" }), ask({ target: "/fine" })];
  for (const request of [await application.next(), await application.next()]) {
    if (request.params.PATH_INFO === "/broken") request.socket.write(Buffer.from("HTTP/1.1 200 OK\r\n\r\n"));
    else setImmediate(() => request.answer("fine"));
  }
  assert.equal((await broken).status, 502);
  assert.equal(text(await fine), "fine");
});

test("F7, F10: records of unknown types and for unknown ids are ignored", async (t) => {
  const application = await RawApplication.start(t);
  const { ask } = await startGateway(t, { address: application.address });
  const asked = ask();
  const request = await application.next();
  request.socket.write(
    Buffer.from("0163000100030500616263000000000001060009000100007801030009000800000000000000000000", "hex"),
  );
  request.answer("fine");
  assert.equal(text(await asked), "fine");
});

test("F9: an overloaded application is passed over for another, and 503 without one", async (t) => {
  const busy = await RawApplication.start(t);
  const free = await RawApplication.start(t);
  const both = await startGateway(t, { address: [busy.address, free.address] });
  const asked = both.ask({ method: "POST", body: "again" });
  (await busy.next()).end(0, STATUS.OVERLOADED);
  const second = await free.next();
  await second.until(() => second.stdinEnded);
  assert.equal(second.stdin, "again");
  second.answer("taken");
  assert.equal(text(await asked), "taken");
  const alone = await startGateway(t, { address: busy.address });
  const refused = alone.ask();
  (await busy.next()).end(0, STATUS.OVERLOADED);
  assert.equal((await refused).status, 503);
});

test("F9: nothing that an overloaded application sent becomes a part of the response of another", async (t) => {
  const busy = await RawApplication.start(t);
  const free = await RawApplication.start(t);
  const { ask } = await startGateway(t, { address: [busy.address, free.address] });
  const asked = ask();
  (await busy.next()).stdout("Content-Type: text/html\r\nX-Begun: 1\r\n").end(0, STATUS.OVERLOADED);
  (await free.next()).answer("whole");
  const answer = await asked;
  assert.deepEqual([text(answer), answer.headers], ["whole", ["Content-Type", "text/plain"]]);
});

test("F9: a response that has started is cut, not sent again, when its application says that it is overloaded", async (t) => {
  const busy = await RawApplication.start(t);
  const free = await RawApplication.start(t);
  const { exchange, gateway } = await startGateway(t, { address: [busy.address, free.address] });
  const started = exchange();
  const done = started.done;
  gateway.handle(started);
  const request = (await busy.next()).stdout("Content-Type: text/plain\r\n\r\nhalf");
  while (!started.started) await new Promise(setImmediate);
  request.end(0, STATUS.OVERLOADED);
  const { complete, error } = await done;
  assert.deepEqual([complete, error?.code], [false, "ERR_SALLYPORT_UPSTREAM_BUSY"]);
});

test("F9: a role that the application does not play is 502", async (t) => {
  const application = await RawApplication.start(t);
  const { ask } = await startGateway(t, { address: application.address });
  const asked = ask();
  (await application.next()).end(0, STATUS.UNKNOWN_ROLE);
  assert.equal((await asked).status, 502);
});

test("F9: an application that takes its word back about multiplexing gets requests one by one", async (t) => {
  const values = { FCGI_MAX_CONNS: "2", FCGI_MAX_REQS: "9", FCGI_MPXS_CONNS: "1" };
  const application = await RawApplication.start(t, { values });
  const { ask } = await startGateway(t, { address: application.address, connections: 1 });
  const answers = [ask({ target: "/1" }), ask({ target: "/2" })];
  const [one, two] = [await application.next(), await application.next()];
  two.end(0, STATUS.CANT_MPX_CONN);
  one.answer("one");
  (await application.next()).answer("two");
  assert.deepEqual((await Promise.all(answers)).map(text).sort(), ["one", "two"]);
});

test("a socket that does not exist is 502 with its path in the log, and works as soon as it appears", async (t) => {
  const path = await socketPath(t);
  const { ask, logged } = await startGateway(t, { address: `unix:${path}` });
  assert.equal((await ask()).status, 502);
  await logged(new RegExp(path));
  const application = await RawApplication.start(t, { path });
  const asked = ask();
  (await application.next()).answer("here now");
  assert.equal(text(await asked), "here now");
});

test("a request goes to the next application when one cannot be reached", async (t) => {
  const application = await RawApplication.start(t);
  const missing = `unix:${await socketPath(t)}`;
  const { ask } = await startGateway(t, { address: [missing, application.address] });
  for (let i = 0; i < 4; i++) {
    const asked = ask({ method: "POST", body: "x" });
    (await application.next()).answer("ok");
    assert.equal((await asked).status, 200);
  }
});

test("the least busy of several applications is asked", async (t) => {
  const one = await RawApplication.start(t);
  const two = await RawApplication.start(t);
  const { ask } = await startGateway(t, { address: [one.address, two.address] });
  const answers = Array.from({ length: 6 }, () => ask());
  for (let i = 0; i < 3; i++) {
    (await one.next()).answer("one");
    (await two.next()).answer("two");
  }
  assert.deepEqual((await Promise.all(answers)).map(text).sort(), ["one", "one", "one", "two", "two", "two"]);
});

test("an application that does not answer is 504, and its connection is not used again", async (t) => {
  const application = await RawApplication.start(t, { values: { FCGI_MAX_CONNS: "1" } });
  const { ask } = await startGateway(t, { address: application.address, timeout: 100 });
  const asked = ask();
  const request = await application.next();
  assert.equal((await asked).status, 504);
  await request.until(() => request.aborted);
});

test("an application that stops in the middle of a record is 502 before the head, and a cut after it", async (t) => {
  const application = await RawApplication.start(t);
  const { ask } = await startGateway(t, { address: application.address, timeout: 100 });
  const before = ask();
  (await application.next()).socket.write(Buffer.from("01060001000a0000414243", "hex"));
  assert.equal((await before).status, 502);
  const after = ask();
  const request = await application.next();
  request.stdout("Content-Type: text/plain\r\n\r\nhalf").socket.write(Buffer.from("01060001000a0000", "hex"));
  const cut = await after;
  assert.deepEqual([cut.status, cut.complete, text(cut)], [200, false, "half"]);
});

test("with a queueTimeout of 0 a request gets room at once, or 503", async (t) => {
  const application = await RawApplication.start(t);
  const { ask } = await startGateway(t, { address: application.address, connections: 1, queueTimeout: 0 });
  const inside = ask({ target: "/inside" });
  const request = await application.next();
  assert.match(text(await ask()), /QUEUE_TIMEOUT/);
  request.answer("ok");
  assert.equal((await inside).status, 200);
});

test("more requests than may wait are 503, and so is one that waits too long", async (t) => {
  const application = await RawApplication.start(t);
  const options = { address: application.address, connections: 1, queue: 1, queueTimeout: 150 };
  const { ask } = await startGateway(t, options);
  const inside = ask({ target: "/inside" });
  const request = await application.next();
  const waiting = ask();
  const refused = await ask();
  assert.equal(refused.status, 503);
  assert.match(text(refused), /QUEUE_FULL/);
  assert.match(text(await waiting), /QUEUE_TIMEOUT/);
  request.answer("ok");
  assert.equal((await inside).status, 200);
});

test("a body of unknown length is set aside, so that CONTENT_LENGTH is right", async (t) => {
  const application = await RawApplication.start(t);
  const { ask } = await startGateway(t, { address: application.address, bufferBody: false });
  const body = new PushedBody(undefined, { pause() {}, resume() {} });
  const asked = ask({ method: "POST", body, headers: ["Transfer-Encoding", "chunked"] });
  body.push(Buffer.from("hel"));
  body.push(Buffer.from("lo"));
  body.end();
  const request = await application.next();
  await request.until(() => request.stdinEnded);
  assert.equal(request.params.CONTENT_LENGTH, "5");
  assert.equal(request.params.HTTP_TRANSFER_ENCODING, undefined);
  assert.equal(request.stdin, "hello");
  request.answer("ok");
  assert.equal((await asked).status, 200);
});

for (const role of ["responder", "filter"] as const)
  test(`${role}: a body over \`maxBody\` is 413, whether it is here at once, announced or neither`, async (t) => {
    const application = await RawApplication.start(t);
    const root = makeFolder(t);
    writeFileSync(join(root, "a.txt"), "");
    const { ask } = await startGateway(t, {
      address: application.address,
      role,
      root,
      suffix: ".txt",
      maxBody: 3,
    });
    const pushed = (length?: number): PushedBody => new PushedBody(length, { pause() {}, resume() {} });
    const unknown = pushed();
    unknown.push(Buffer.from("abcd"));
    for (const body of ["abcd", pushed(4), unknown])
      assert.equal((await ask({ target: "/a.txt", method: "POST", body })).status, 413);
    const asked = ask({ target: "/a.txt", method: "POST", body: "abc" });
    const request = await application.next();
    await request.until(() => request.stdinEnded);
    assert.equal(request.stdin, "abc");
    request.answer("ok");
    assert.equal((await asked).status, 200);
  });

test("a body streams when it need not be complete first", async (t) => {
  const application = await RawApplication.start(t);
  const { ask } = await startGateway(t, { address: application.address, bufferBody: false });
  const body = new PushedBody(5, { pause() {}, resume() {} });
  const asked = ask({ method: "POST", body });
  const request = await application.next();
  body.push(Buffer.from("hel"));
  await request.until(() => request.stdin === "hel");
  body.push(Buffer.from("lo"));
  body.end();
  await request.until(() => request.stdinEnded);
  request.answer("ok");
  assert.equal((await asked).status, 200);
});

test("F13: an upload that breaks off reaches the application as an abort, not as an end", async (t) => {
  const application = await RawApplication.start(t);
  const { ask } = await startGateway(t, { address: application.address, bufferBody: false });
  const body = new PushedBody(5, { pause() {}, resume() {} });
  const asked = ask({ method: "POST", body });
  const request = await application.next();
  body.push(Buffer.from("hel"));
  body.fail(new SallyportError("BODY_INCOMPLETE", "the client ended"));
  await request.until(() => request.aborted);
  assert.equal(request.stdinEnded, false);
  assert.equal((await asked).status, 400);
});

test("a slow client holds no connection of the application", async (t) => {
  const application = await RawApplication.start(t, { values: { FCGI_MAX_CONNS: "1" } });
  const { ask, exchange } = await startGateway(t, { address: application.address });
  const slow = exchange();
  slow.stalled = true;
  const large = "x".repeat(5_000_000);
  (await application.next()).answer(large);
  const asked = ask();
  (await application.next()).answer("quick");
  assert.equal(text(await asked), "quick");
  slow.release();
  assert.equal(text(await slow.done).length, large.length);
});

test("F19: an authorizer's 200 lets the request through with its variables, and nothing else of it", async (t) => {
  const authorizer = await RawApplication.start(t);
  const application = await RawApplication.start(t);
  const { ask } = await startGateway(t, {
    address: application.address,
    authorizer: { address: authorizer.address },
  });
  const asked = ask({ method: "POST", target: "/secret", body: "hello" });
  const question = await authorizer.next();
  assert.equal(question.role, 2);
  const { CONTENT_LENGTH, PATH_INFO, SCRIPT_NAME, REQUEST_URI } = question.params;
  assert.deepEqual([CONTENT_LENGTH, PATH_INFO, SCRIPT_NAME], [undefined, undefined, undefined]);
  assert.equal(REQUEST_URI, "/secret");
  question.answer("ignored", "Status: 200 OK", "Variable-REMOTE_USER: ada", "Set-Cookie: no=1");
  const request = await application.next();
  await request.until(() => request.stdinEnded);
  assert.equal(request.params.REMOTE_USER, "ada");
  assert.equal(request.params.HTTP_SET_COOKIE, undefined);
  assert.equal(request.stdin, "hello");
  request.answer("secret");
  const answer = await asked;
  assert.deepEqual([text(answer), answer.headers], ["secret", ["Content-Type", "text/plain"]]);
});

test("F19: an authorizer's 403 is sent whole, and the application is not asked", async (t) => {
  const authorizer = await RawApplication.start(t);
  const gateway = { handle: () => assert.fail("it was asked") };
  const { log } = keepLog();
  const guarded = authorized({ address: authorizer.address, log }, gateway);
  t.after(() => guarded.close?.(0));
  await guarded.start?.();
  const exchange = new RecordedExchange();
  guarded.handle(exchange);
  (await authorizer.next()).answer("go away", "Status: 403 Forbidden", "X-Why: because");
  const answer = await exchange.done;
  assert.deepEqual([answer.status, text(answer)], [403, "go away"]);
  assert.ok(answer.headers.includes("X-Why"));
});

test("a filter gets the file that the path names, with its date and length", async (t) => {
  const application = await RawApplication.start(t);
  const root = join(dirname(await socketPath(t)), "files");
  mkdirSync(root);
  writeFileSync(join(root, "page.html"), "x".repeat(100_000));
  const { ask } = await startGateway(t, { address: application.address, role: "filter", root });
  const asked = ask({ target: "/page.html", method: "POST", body: "hi" });
  const request = await application.next();
  await request.until(() => request.dataEnded);
  assert.equal(request.role, 3);
  assert.deepEqual([request.stdin, request.data.length], ["hi", 100_000]);
  assert.equal(request.params.FCGI_DATA_LENGTH, "100000");
  assert.match(request.params.FCGI_DATA_LAST_MOD ?? "", /^\d+$/);
  request.answer("filtered");
  assert.equal(text(await asked), "filtered");
  assert.equal((await ask({ target: "/none.html" })).status, 404);
});

test("a filter whose file is shorter than it was told is not given it as the whole", async (t) => {
  const application = await RawApplication.start(t);
  // Files there say that they have a page of bytes, and have a line.
  const { ask } = await startGateway(t, {
    address: application.address,
    role: "filter",
    root: "/sys/kernel",
  });
  const asked = ask({ target: "/uevent_seqnum" });
  const request = await application.next();
  const answer = await asked;
  assert.equal(request.params.FCGI_DATA_LENGTH, "4096");
  assert.deepEqual([answer.status, request.dataEnded], [500, false]);
});

test("scripts: the path is split at the first file, and only existing scripts are passed", async (t) => {
  const root = join(dirname(await socketPath(t)), "site");
  mkdirSync(join(root, "upload"), { recursive: true });
  mkdirSync(join(root, "empty"));
  for (const name of ["index.php", "a b.php", "upload/index.php", "upload/x.jpg"])
    writeFileSync(join(root, name), "");
  symlinkSync("/etc/passwd", join(root, "leak.php"));
  symlinkSync(join(root, "upload/x.jpg"), join(root, "picture.php"));
  const application = await RawApplication.start(t);
  const { ask } = await startGateway(t, { address: application.address, root });
  const split = async (target: string, mount = ""): Promise<(string | undefined)[]> => {
    const asked = ask({ target, mount });
    const request = await application.next();
    request.answer("ok");
    await asked;
    const { SCRIPT_NAME, SCRIPT_FILENAME, PATH_INFO, PATH_TRANSLATED } = request.params;
    return [SCRIPT_NAME, SCRIPT_FILENAME?.slice(root.length), PATH_INFO, PATH_TRANSLATED?.slice(root.length)];
  };
  assert.deepEqual(await split("/"), ["/index.php", "/index.php", "", undefined]);
  assert.deepEqual(await split("/upload/"), ["/upload/index.php", "/upload/index.php", "", undefined]);
  assert.deepEqual(await split("/m/a%20b.php/in/fo?q", "/m"), ["/m/a b.php", "/a b.php", "/in/fo", "/in/fo"]);
  const status = async (target: string): Promise<number> => (await ask({ target })).status;
  assert.equal(await status("/upload/x.jpg/y.php"), 404, "the hole");
  assert.equal(await status("/upload/x.jpg"), 404);
  assert.equal(await status("/none.php"), 404);
  assert.equal(await status("/empty/"), 404);
  assert.equal(await status("/leak.php"), 403);
  assert.equal(await status("/picture.php"), 404);
  assert.equal(await status("/upload/../index.php"), 400);
  assert.equal(await status("/upload%2findex.php"), 400);
  assert.equal(await status("/index.php%00"), 400);
  const moved = await ask({ target: "/upload?a=b" });
  assert.deepEqual([moved.status, moved.headers], [301, ["Location", "/upload/?a=b"]]);
});

test("scripts behind links: as their path names them, and outside of the root only where links may lead", async (t) => {
  const folder = dirname(await socketPath(t));
  const root = join(folder, "site");
  for (const name of ["site", "package", "other"]) mkdirSync(join(folder, name));
  for (const name of ["site/real.php", "package/index.php", "other/index.php"])
    writeFileSync(join(folder, name), "");
  symlinkSync("real.php", join(root, "inside.php"));
  symlinkSync("../package/index.php", join(root, "index.php"));
  symlinkSync("../other", join(root, "other"));
  const application = await RawApplication.start(t);
  const { ask } = await startGateway(t, {
    address: application.address,
    root,
    links: [join(folder, "package")],
  });
  for (const [target, file] of Object.entries({ "/inside.php": "inside.php", "/": "index.php" })) {
    const asked = ask({ target });
    const request = await application.next();
    request.answer("ok");
    await asked;
    assert.equal(request.params.SCRIPT_FILENAME, join(root, file));
  }
  const { status, failure } = await ask({ target: "/other/index.php" });
  assert.deepEqual([status, failure?.code, failure?.fault], [403, "ERR_SALLYPORT_FILE_REFUSED", "config"]);
  symlinkSync("../other/index.php", join(root, ".htaccess"));
  assert.equal((await ask({ target: "/.htaccess" })).status, 404);
});

test("C11: a local redirect is answered by the routes, or by the client", async (t) => {
  const application = await RawApplication.start(t);
  const redirects: string[] = [];
  const { ask } = await startGateway(t, {
    address: application.address,
    redirect(exchange, target) {
      redirects.push(target);
      exchange.respond(head(), "elsewhere");
    },
  });
  const asked = ask();
  (await application.next()).stdout("Location: /there?x\r\n\r\n").end();
  assert.equal(text(await asked), "elsewhere");
  assert.deepEqual(redirects, ["/there?x"]);
  const client = await startGateway(t, { address: application.address });
  const sent = client.ask();
  (await application.next()).stdout("Location: /there\r\n\r\n").end();
  assert.equal((await sent).status, 302);
});

test("closing lets requests finish, refuses new ones, and closes the connections", async (t) => {
  const { handler, next } = queue();
  const { address, accepted } = await serve(t, handler);
  const { ask, gateway } = await startGateway(t, { address });
  const asked = ask();
  const exchange = await next();
  const closed = gateway.close?.(Number.POSITIVE_INFINITY);
  assert.equal((await ask()).status, 503);
  await delay(20); // a timer of more than 2^31-1 ms would have fired
  exchange.respond(head(), "finished");
  assert.equal(text(await asked), "finished");
  await closed;
  while (accepted.some((socket) => !socket.destroyed)) await new Promise(setImmediate);
});

test("when the grace is over what is still under way fails", async (t) => {
  const { handler, next } = queue();
  const { address } = await serve(t, handler);
  const { ask, gateway } = await startGateway(t, { address });
  const asked = ask();
  await next();
  await gateway.close?.(0);
  assert.equal((await asked).status, 503);
});

test("options that contradict each other are refused", () => {
  const invalid = { code: "ERR_SALLYPORT_CONFIG_INVALID" };
  assert.throws(() => fastcgi({}), invalid);
  assert.throws(() => fastcgi({ address: "unix:/a", command: ["b"] }), invalid);
  assert.throws(() => fastcgi({ address: "nowhere" }), invalid);
  assert.throws(() => fastcgi({ command: [] }), invalid);
  assert.throws(() => fastcgi({ address: "unix:/a", role: "filter" }), invalid);
});

test("an upload of a gigabyte's tenth goes through both halves without being held", async (t) => {
  const size = 100_000_000;
  const { address } = await serve(t, async (exchange) => {
    let read = 0;
    for (let piece = await exchange.body.read(); piece; piece = await exchange.body.read())
      read += piece.length;
    exchange.respond(head(), String(read));
  });
  const { ask } = await startGateway(t, { address, bufferBody: false });
  const piece = Buffer.alloc(1_000_000);
  let left = size;
  const body = new PushedBody(size, { pause() {}, resume: () => fill() });
  const fill = (): void => {
    if (left > 0) {
      left -= piece.length;
      body.push(piece);
    }
    if (left === 0) body.end();
  };
  const asked = ask({ method: "POST", body });
  fill();
  assert.equal(text(await asked), String(size));
});
