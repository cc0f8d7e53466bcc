// One request from BEGIN_REQUEST to its end: when the response is whole, whose time it is, and how long the application may go on.
import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { type Handler, PushedBody } from "../../../../src/exchange/index.ts";
import { authorized, type FastcgiOptions } from "../../../../src/protocols/fastcgi/index.ts";
import { RecordedExchange } from "../../../../src/testing/recorded.ts";
import { head } from "../../../kit/handlers.ts";
import { RawApplication, type StartedGateway, startGateway } from "../raw-application.ts";

const text = ({ body }: { body: Buffer }): string => body.toString("latin1");

const DOCUMENT = "Content-Type: text/plain\r\n";

/** An application that takes one request at a time, and a gateway to it. */
async function startBoth(
  t: TestContext,
  options: Partial<FastcgiOptions> = {},
): Promise<StartedGateway & { application: RawApplication }> {
  const application = await RawApplication.start(t, { values: { FCGI_MAX_CONNS: "1" } });
  return { application, ...(await startGateway(t, { address: application.address, ...options })) };
}

const pushed = (length: number): PushedBody => new PushedBody(length, { pause() {}, resume() {} });

test("a HEAD of an application that streams for ever is answered, and the application told to end", async (t) => {
  const { application, ask } = await startBoth(t, { timeout: 200 });
  const asked = ask({ method: "HEAD" });
  const request = await application.next();
  const streaming = setInterval(() => request.stdout("more and more"), 10);
  t.after(() => clearInterval(streaming));
  request.stdout(`${DOCUMENT}\r\n`);
  const { status, complete } = await asked;
  assert.deepEqual([status, complete, request.aborted], [200, true, false]);
  await request.until(() => request.aborted);
});

test("a response is complete with its last byte, in one piece or several, though the application goes on", async (t) => {
  const { application, ask } = await startBoth(t);
  for (const pieces of [["hello"], ["hel", "lo"], ["hello and more"]]) {
    const asked = ask();
    const request = await application.next();
    request.stdout(`${DOCUMENT}Content-Length: 5\r\n\r\n`);
    for (const piece of pieces) {
      await new Promise(setImmediate);
      request.stdout(piece);
    }
    const answer = await asked;
    assert.deepEqual([answer.complete, text(answer), request.aborted], [true, "hello", false]);
    // It says something after its response, and ends as it likes.
    request.stderr("still here\n").stdout("ignored").end();
  }
  const last = ask();
  (await application.next()).answer("on the same connection");
  assert.equal(text(await last), "on the same connection");
  assert.equal(application.connections, 1);
});

test("a client that leaves with its whole response does not end the application's work", async (t) => {
  const { application, exchange, ask, logged } = await startBoth(t);
  const leaving = exchange();
  const request = await application.next();
  request.stdout(`${DOCUMENT}Content-Length: 5\r\n\r\nhello`);
  assert.equal((await leaving.done).complete, true);
  leaving.hangUp();
  request.stderr("the work is done\n");
  await logged(/the work is done/);
  assert.equal(request.aborted, false);
  request.end();
  const asked = ask();
  (await application.next()).answer("next");
  assert.equal(text(await asked), "next");
});

test("a whole response is no cut when the connection breaks after it", async (t) => {
  const { application, exchange } = await startBoth(t);
  const asked = exchange();
  const request = await application.next();
  request.stdout(`${DOCUMENT}Content-Length: 5\r\n\r\nhello`).socket.end();
  const { complete, status } = await asked.done;
  assert.deepEqual([status, complete], [200, true]);
});

test("a request that is refused after its whole response leaves nothing behind for the next with its id", async (t) => {
  const { application, ask } = await startBoth(t, { timeout: 300 });
  const asked = ask();
  const request = await application.next();
  request.stdout(`${DOCUMENT}Content-Length: 5\r\n\r\nhello`);
  assert.equal((await asked).complete, true);
  request.end(0, 2);
  const next = ask();
  const second = await application.next();
  second.stdout(`${DOCUMENT}\r\nslow`);
  await new Promise((resolve) => setTimeout(resolve, 500));
  assert.equal(second.aborted, false);
  second.end();
  assert.equal(text(await next), "slow");
});

test("an upload that is not needed after a whole response is aborted at once", async (t) => {
  const { application, ask } = await startBoth(t, { bufferBody: false });
  const body = pushed(6);
  const asked = ask({ method: "POST", body });
  const request = await application.next();
  body.push(Buffer.from("abc"));
  await request.until(() => request.stdin === "abc");
  request.stdout(`${DOCUMENT}Content-Length: 2\r\n\r\nno`);
  assert.equal(text(await asked), "no");
  await request.until(() => request.aborted);
  assert.equal(request.stdinEnded, false);
});

test("the time that a client takes to send its body is not the application's, but what follows is", async (t) => {
  const { application, ask } = await startBoth(t, { bufferBody: false, timeout: 400 });
  const body = pushed(6);
  const asked = ask({ method: "POST", body });
  const request = await application.next();
  body.push(Buffer.from("abc"));
  // Longer than the timeout in one pause.
  await new Promise((resolve) => setTimeout(resolve, 1_000));
  assert.equal(request.aborted, false);
  body.push(Buffer.from("def"));
  body.end();
  await request.until(() => request.stdinEnded);
  assert.equal(request.stdin, "abcdef");
  assert.equal((await asked).status, 504);
  await request.until(() => request.aborted);
});

test("an application that takes no more of an upload is 504", async (t) => {
  const { application, ask } = await startBoth(t, { bufferBody: false, timeout: 300 });
  const body = pushed(20_000_000);
  const asked = ask({ method: "POST", body });
  const { socket } = await application.next();
  socket.pause();
  for (let sent = 0; sent < 20_000_000; sent += 1_000_000) body.push(Buffer.alloc(1_000_000));
  body.end();
  assert.equal((await asked).status, 504);
});

test("a timeout does not cut a response that began while its request was still coming", async (t) => {
  const { application, ask } = await startBoth(t, { bufferBody: false, timeout: 200 });
  const body = pushed(6);
  const asked = ask({ method: "POST", body });
  const request = await application.next();
  request.stdout(`${DOCUMENT}\r\nsaid early, `);
  body.push(Buffer.from("abc"));
  await request.until(() => request.stdin === "abc");
  await new Promise((resolve) => setTimeout(resolve, 500));
  body.push(Buffer.from("def"));
  body.end();
  await request.until(() => request.stdinEnded);
  await new Promise((resolve) => setTimeout(resolve, 500));
  request.stdout("and late").end();
  assert.equal(text(await asked), "said early, and late");
});

test("a local redirect that throws is 500, and the application is used again", async (t) => {
  const { application, ask } = await startBoth(t, {
    redirect() {
      throw new Error("no way there");
    },
  });
  for (const _ of ["first", "second"]) {
    const asked = ask();
    (await application.next()).stdout("Location: /there\r\n\r\n").end();
    const { status, error } = await asked;
    assert.deepEqual([status, error], [500, undefined]);
  }
  assert.equal(application.connections, 1);
});

test("an application that redirected locally and goes on is ended after the timeout", async (t) => {
  const { application, ask } = await startBoth(t, {
    timeout: 200,
    redirect: (exchange) => exchange.respond(head(), "elsewhere"),
  });
  const asked = ask();
  const request = await application.next();
  request.stdout("Location: /there\r\n\r\n");
  assert.equal(text(await asked), "elsewhere");
  assert.equal(request.aborted, false);
  await request.until(() => request.aborted);
  request.end();
  // Its place is free again.
  const next = ask();
  (await application.next()).answer("next");
  assert.equal(text(await next), "next");
});

test("a local redirect in the middle of an upload aborts the request there at once", async (t) => {
  const { application, ask } = await startBoth(t, {
    bufferBody: false,
    redirect: (exchange) => exchange.respond(head(), "elsewhere"),
  });
  const body = pushed(6);
  const asked = ask({ method: "POST", body });
  const request = await application.next();
  body.push(Buffer.from("abc"));
  await request.until(() => request.stdin === "abc");
  request.stdout("Location: /there\r\n\r\n");
  assert.equal(text(await asked), "elsewhere");
  await request.until(() => request.aborted);
  assert.equal(request.stdinEnded, false);
});

test("a response that stops is cut, and its request aborted", async (t) => {
  const { application, ask } = await startBoth(t, { stallTimeout: 200 });
  const asked = ask();
  const request = await application.next();
  request.stdout(`${DOCUMENT}\r\nbegun`);
  const { status, complete, error, body } = await asked;
  assert.deepEqual([status, complete, text({ body })], [200, false, "begun"]);
  assert.equal(error?.code, "ERR_SALLYPORT_UPSTREAM_BROKEN");
  assert.match(error?.message ?? "", /nothing came for 200 ms/);
  await request.until(() => request.aborted);
});

test("a response whose pieces come in time may take longer than the time between two", async (t) => {
  const { application, ask } = await startBoth(t, { stallTimeout: 1_000 });
  const asked = ask();
  const request = await application.next();
  request.stdout(`${DOCUMENT}\r\n`);
  for (let i = 0; i < 6; i++) {
    request.stdout("piece ");
    await new Promise((resolve) => setTimeout(resolve, 250));
  }
  request.end();
  const { complete, body } = await asked;
  assert.deepEqual([complete, text({ body })], [true, "piece ".repeat(6)]);
});

for (const timeout of [0, 20_000])
  test(`an upload that is not taken after the head is ended (timeout ${timeout})`, async (t) => {
    const { application, ask } = await startBoth(t, { stallTimeout: 300, timeout });
    const asked = ask({ method: "POST", body: "x".repeat(20_000_000) });
    const request = await application.next();
    request.stdout(`${DOCUMENT}\r\nbegun`).socket.pause();
    const { status, complete, error } = await asked;
    assert.deepEqual([status, complete], [200, false]);
    assert.equal(error?.code, "ERR_SALLYPORT_UPSTREAM_BROKEN");
  });

test("an upload that is not taken at all is ended, without a limit until the head too", async (t) => {
  const { application, ask } = await startBoth(t, { stallTimeout: 300, timeout: 0 });
  const asked = ask({ method: "POST", body: "x".repeat(20_000_000) });
  (await application.next()).socket.pause();
  assert.equal((await asked).status, 502);
});

test("without a limit until the head, an application that has all of the request may take its time", async (t) => {
  const { application, ask } = await startBoth(t, { stallTimeout: 100, timeout: 0 });
  const asked = ask({ method: "POST", body: "x".repeat(200_000) });
  const request = await application.next();
  await request.until(() => request.stdinEnded);
  await new Promise((resolve) => setTimeout(resolve, 400));
  request.answer("done");
  assert.equal(text(await asked), "done");
});

/** An authorizer before a handler, that takes one request at a time. */
async function startAuthorizer(t: TestContext, handle: Handler) {
  const authorizer = await RawApplication.start(t, { values: { FCGI_MAX_CONNS: "1" } });
  const gateway = authorized({ address: authorizer.address, timeout: 200 }, { handle });
  t.after(() => gateway.close?.(500));
  const ask = async (): Promise<string> => {
    const exchange = new RecordedExchange();
    gateway.handle(exchange);
    return text(await exchange.done);
  };
  return { authorizer, ask };
}

test("an authorizer that allowed a request and goes on is ended after the timeout", async (t) => {
  const { authorizer, ask } = await startAuthorizer(t, (exchange) => {
    setImmediate(() => exchange.respond(head(), "allowed"));
  });
  const asked = ask();
  const request = await authorizer.next();
  request.stdout("Status: 200\r\n\r\n");
  assert.equal(await asked, "allowed");
  assert.equal(request.aborted, false);
  await request.until(() => request.aborted);
  request.end();
  const next = ask();
  (await authorizer.next()).answer("");
  assert.equal(await next, "allowed");
});

test("an authorizer keeps its connection when what it allowed is answered at once", async (t) => {
  const { authorizer, ask } = await startAuthorizer(t, (exchange) => exchange.respond(head(), "allowed"));
  for (const _ of ["first", "second"]) {
    const asked = ask();
    const request = await authorizer.next();
    request.answer("", "Status: 200");
    assert.equal(await asked, "allowed");
    assert.equal(request.aborted, false);
  }
  assert.equal(authorizer.connections, 1);
});
