// Clients that are slow in sending or in reading, while programs are few (`processes`).
import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { PushedBody, SallyportError } from "../../../src/exchange/index.ts";
import { RecordedExchange } from "../../../src/testing/recorded.ts";
import { gone, isAlive } from "../../kit/processes.ts";
import { until } from "../../kit/until.ts";
import { ask, headerOf, shown, startCgi } from "./start-cgi.ts";

const upload = (length: number): PushedBody => new PushedBody(length, { pause() {}, resume() {} });

const MIB = 1_048_576;

test("clients that send a byte now and then hold no program", async (t) => {
  const gateway = await startCgi(t, "show", { processes: 1, queue: 0 });
  const bodies = Array.from({ length: 3 }, () => upload(6));
  const answers = bodies.map((body) => ask(gateway, { method: "POST", body }));
  for (const body of bodies) body.push(Buffer.from("abc"));
  assert.equal((await ask(gateway)).status, 200);
  for (const [at, body] of bodies.entries()) {
    body.push(Buffer.from("def"));
    body.end();
    assert.equal(shown((await answers[at]) as Awaited<ReturnType<typeof ask>>).body, "abcdef");
  }
});

test("a body over `maxBody` is 413 before a program starts, with and without a length", async (t) => {
  const gateway = await startCgi(t, "show", { maxBody: 1000 });
  assert.equal((await ask(gateway, { method: "POST", body: upload(1001) })).status, 413);
  const chunked = new PushedBody(undefined, { pause() {}, resume() {} });
  const answer = ask(gateway, { method: "POST", body: chunked });
  chunked.push(Buffer.alloc(1001));
  assert.equal((await answer).status, 413);
});

test("`maxBody` is for bodies that are here at once, too, unless bodies stream", async (t) => {
  const limited = await startCgi(t, "show", { maxBody: 3 });
  assert.equal((await ask(limited, { method: "POST", body: "abcd" })).status, 413);
  assert.equal(shown(await ask(limited, { method: "POST", body: "abc" })).body, "abc");
  const streaming = await startCgi(t, "show", { maxBody: 3, bufferBody: false });
  assert.equal(shown(await ask(streaming, { method: "POST", body: "abcd" })).body, "abcd");
});

test("clients that do not read what a program wrote hold no program, and get all of it", async (t) => {
  const gateway = await startCgi(t, "echo_body", { processes: 1, queue: 0 });
  const sent = Buffer.alloc(3 * MIB, "0123456789abcdef-");
  const exchange = new RecordedExchange({ method: "POST", body: sent });
  exchange.stalled = true;
  gateway.handle(exchange);
  await headerOf(exchange, "Content-Type");
  await until(() => gateway.status?.()?.processes.length === 0);
  assert.equal((await ask(gateway, { method: "POST", body: "next" })).status, 200);
  assert.equal(exchange.closed, false);
  exchange.release();
  const { complete, body } = await exchange.done;
  assert.ok(complete && sent.equals(body));
});

test("close waits within its grace for a client that takes what its program left", async (t) => {
  const gateway = await startCgi(t, "echo_body");
  const exchange = await unread(gateway);
  const closed = gateway.close?.(60_000);
  assert.equal(exchange.closed, false);
  exchange.release();
  assert.equal((await exchange.done).complete, true);
  await closed;
});

test("close cuts what a client has not taken within its grace", async (t) => {
  const gateway = await startCgi(t, "echo_body");
  const exchange = await unread(gateway);
  await gateway.close?.(10);
  const { complete, error } = await exchange.done;
  assert.deepEqual([complete, error?.code], [false, "ERR_SALLYPORT_STOPPING"]);
});

test("close ends uploads that are not here within its grace", async (t) => {
  const gateway = await startCgi(t, "show");
  const exchange = new RecordedExchange({ method: "POST", body: upload(6) });
  gateway.handle(exchange);
  await gateway.close?.(10);
  assert.equal((await exchange.done).status, 503);
});

/** An exchange whose program has ended, and whose client has read next to nothing. */
async function unread(gateway: Awaited<ReturnType<typeof startCgi>>): Promise<RecordedExchange> {
  const exchange = new RecordedExchange({ method: "POST", body: Buffer.alloc(MIB) });
  exchange.stalled = true;
  gateway.handle(exchange);
  await headerOf(exchange, "Content-Type");
  await until(() => gateway.status?.()?.processes.length === 0);
  return exchange;
}

test("a slow upload that streams is not the program's delay", async (t) => {
  const gateway = await startCgi(t, "show", { timeout: 1500, bufferBody: false });
  const body = upload(8);
  const answer = ask(gateway, { method: "POST", body });
  for (let i = 0; i < 8; i++) {
    body.push(Buffer.from("x"));
    await delay(300);
  }
  body.end();
  assert.equal((await answer).status, 200);
});

test("a client that pauses for longer than the timeout in an upload that streams is no fault of the program", async (t) => {
  const gateway = await startCgi(t, "show", { timeout: 2_000, bufferBody: false });
  const body = upload(6);
  const answer = ask(gateway, { method: "POST", body });
  body.push(Buffer.from("abc"));
  await delay(4_000);
  body.push(Buffer.from("def"));
  body.end();
  assert.equal(shown(await answer).body, "abcdef");
});

test("a client that leaves in the middle of an upload that streams ends the program", async (t) => {
  const gateway = await startCgi(t, "echo_body", { bufferBody: false });
  const body = upload(1000);
  const exchange = new RecordedExchange({ method: "POST", body });
  gateway.handle(exchange);
  body.push(Buffer.from("x"));
  while (exchange.chunks.length === 0) await delay(5);
  body.fail(new SallyportError("BODY_INCOMPLETE", "cut"));
  assert.equal((await exchange.done).complete, false);
});

test("a program that streams for ever to a client that does not read goes on with it, and ends with it", async (t) => {
  const exchange = new RecordedExchange();
  exchange.stalled = true;
  (await startCgi(t, "stream_forever")).handle(exchange);
  const pid = Number(await headerOf(exchange, "X-Pid"));
  await delay(100);
  assert.ok(exchange.chunks.length <= 1);
  assert.ok(isAlive(pid));
  exchange.stalled = false;
  exchange.release();
  while (exchange.chunks.length < 10) await delay(5);
  exchange.hangUp();
  await gone(pid);
});
